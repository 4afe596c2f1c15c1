// The same workload as kube-apiserver lists it in protobuf: with all that Go writes for fields that
// are empty. Numbers: generated.proto of k8s.io/apimachinery and k8s.io/api.
#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>

#include "tests/bench/workload.h"

namespace ipvsproxy::bench {
namespace {

using protozero::pbf_writer;

template <class Fill> void message(pbf_writer& out, protozero::pbf_tag_type number, Fill fill) {
    pbf_writer inner{out, number};
    fill(inner);
}

template <class Fill> std::string bytes_of(Fill fill) {
    std::string bytes;
    pbf_writer out{bytes};
    fill(out);
    return bytes;
}

void time(pbf_writer& out, protozero::pbf_tag_type number) {
    message(out, number, [](pbf_writer& at) {
        at.add_int64(1, 1'767'322'985);
        at.add_int32(2, 0);
    });
}

void managed_fields(pbf_writer& out, std::string_view fields) {
    message(out, 17, [&](pbf_writer& entry) {
        entry.add_string(1, "kube-controller-manager");
        entry.add_string(2, "Update");
        entry.add_string(3, "v1");
        time(entry, 4);
        entry.add_string(6, "FieldsV1");
        message(entry, 7, [&](pbf_writer& raw) { raw.add_bytes(1, std::string{fields}); });
        entry.add_string(8, "");
    });
}

/// @param service whose label it carries; empty: none
void metadata(pbf_writer& out, const std::string& name, std::string_view owner, std::size_t number,
              const std::string& service, std::string_view fields) {
    message(out, 1, [&](pbf_writer& at) {
        at.add_string(1, name);
        at.add_string(2, "");
        at.add_string(3, "default");
        at.add_string(4, "");
        at.add_string(5, fmt::format("8d5e3f1a-0000-4000-8000-{:012}", number));
        at.add_string(6, std::to_string(number));
        at.add_int64(7, 3);
        time(at, 8);
        if (!service.empty())
            message(at, 11, [&](pbf_writer& label) {
                label.add_string(1, "kubernetes.io/service-name");
                label.add_string(2, service);
            });
        message(at, 13, [&](pbf_writer& reference) {
            reference.add_string(1, std::string{owner});
            reference.add_string(3, fmt::format("service-{:05}", number));
            reference.add_string(4, fmt::format("9a6e3f1a-0000-4000-8000-{:012}", number));
            reference.add_string(5, "v1");
            reference.add_bool(6, true);
            reference.add_bool(7, true);
        });
        managed_fields(at, fields);
    });
}

constexpr std::string_view slice_fields =
    R"({"f:addressType":{},"f:endpoints":{},"f:metadata":{"f:annotations":{".":{},)"
    R"("f:endpoints.kubernetes.io/last-change-trigger-time":{}},"f:generateName":{},)"
    R"("f:labels":{".":{},"f:app.kubernetes.io/name":{},"f:kubernetes.io/service-name":{},)"
    R"("f:endpointslice.kubernetes.io/managed-by":{}},"f:ownerReferences":{".":{},)"
    R"("k:{\"uid\":\"9a6e3f1a-0000-4000-8000-000000000000\"}":{}}},"f:ports":{}})";
constexpr std::string_view service_fields =
    R"({"f:spec":{"f:internalTrafficPolicy":{},"f:ports":{".":{},"k:{\"port\":80,\"protocol\":\"TCP\"}":)"
    R"({".":{},"f:name":{},"f:port":{},"f:protocol":{},"f:targetPort":{}}},"f:selector":{},)"
    R"("f:sessionAffinity":{},"f:type":{}}})";

void endpoint(pbf_writer& out, const Endpoint& one) {
    message(out, 2, [&](pbf_writer& at) {
        at.add_string(1, one.address);
        message(at, 2, [](pbf_writer& conditions) {
            conditions.add_bool(1, true);
            conditions.add_bool(2, true);
            conditions.add_bool(3, false);
        });
        message(at, 4, [&](pbf_writer& reference) {
            reference.add_string(1, "Pod");
            reference.add_string(2, "default");
            reference.add_string(3, one.pod);
            reference.add_string(4, "7b4e3f1a-0000-4000-8000-000000000000");
            for (const auto empty : {5U, 6U, 7U})
                reference.add_string(empty, "");
        });
        at.add_string(6, one.node);
        at.add_string(7, one.zone);
    });
}

std::string slice(const Slice& one) {
    return bytes_of([&](pbf_writer& out) {
        metadata(out, one.name, "Service", one.number, one.service, slice_fields);
        for (const auto& each : one.endpoints)
            endpoint(out, each);
        message(out, 3, [](pbf_writer& port) {
            port.add_string(1, "http");
            port.add_string(2, "TCP");
            port.add_int32(3, 8080);
        });
        out.add_string(4, "IPv4");
    });
}

std::string service(std::size_t number, const std::string& name, const std::string& address,
                    std::int32_t port) {
    return bytes_of([&](pbf_writer& out) {
        metadata(out, name, "Deployment", number, {}, service_fields);
        message(out, 2, [&](pbf_writer& spec) {
            message(spec, 1, [&](pbf_writer& at) {
                at.add_string(1, "http");
                at.add_string(2, "TCP");
                at.add_int32(3, port);
                message(at, 4, [](pbf_writer& target) {
                    target.add_int64(1, 0);
                    target.add_int32(2, 8080);
                    target.add_string(3, "");
                });
                at.add_int32(5, 0);
            });
            spec.add_string(3, address);
            spec.add_string(4, "ClusterIP");
            spec.add_string(7, "None");
            for (const auto empty : {8U, 10U, 11U})
                spec.add_string(empty, "");
            spec.add_int32(12, 0);
            spec.add_bool(13, false);
            spec.add_string(17, "SingleStack");
            spec.add_string(18, address);
            spec.add_string(19, "IPv4");
            spec.add_string(22, "Cluster");
        });
        message(out, 3, [](pbf_writer& status) { message(status, 1, [](pbf_writer&) {}); });
    });
}

/// Puts a list into its envelope. Its length stands before it, so all of it is made first.
void write_list(std::string_view version, std::string_view kind, const std::string& items,
                const Sink& sink) {
    const auto list = bytes_of([&](pbf_writer& out) {
                          message(out, 1, [](pbf_writer& at) {
                              at.add_string(1, "");
                              at.add_string(2, "1000000");
                              at.add_string(3, "");
                          });
                      }) +
                      items;
    sink(std::string_view{"k8s\0", 4});
    sink(bytes_of([&](pbf_writer& out) {
        message(out, 1, [&](pbf_writer& at) {
            at.add_string(1, std::string{version});
            at.add_string(2, std::string{kind});
        });
        out.add_bytes(2, list);
    }));
}

} // namespace

void write_protobuf_services(const Shape& shape, const Sink& sink) {
    std::string items;
    pbf_writer out{items};
    out.add_message(2, service(0, "kubernetes", kubernetes_address().text(), 443));
    for (std::size_t number = 0; number < shape.services; ++number)
        out.add_message(2, service(number, service_name(number), service_address(number), 80));
    write_list("v1", "ServiceList", items, sink);
}

void write_protobuf_slices(const Shape& shape, const Sink& sink) {
    std::string items;
    pbf_writer out{items};
    out.add_message(2, slice({"kubernetes", "kubernetes", 0, {{"192.168.10.1", "", "", ""}}}));
    for (std::size_t number = 0; number < shape.services; ++number)
        for (const auto& one : slices_of(shape, number))
            out.add_message(2, slice(one));
    write_list("discovery.k8s.io/v1", "EndpointSliceList", items, sink);
}

} // namespace ipvsproxy::bench
