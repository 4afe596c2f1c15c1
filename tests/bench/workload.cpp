#include "tests/bench/workload.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <stdexcept>
#include <utility>

namespace ipvsproxy::bench {
namespace {

constexpr std::size_t slice_limit = 100; // of the EndpointSlice controller
constexpr std::size_t service_base = (10U << 24) + (96U << 16) + 10;
constexpr std::size_t pod_base = (10U << 24) + (128U << 16);
constexpr std::size_t generation_step = 1U << 20; // more than any shape has endpoints

std::string ipv4(std::size_t number) {
    return fmt::format("{}.{}.{}.{}", number >> 24 & 255, number >> 16 & 255, number >> 8 & 255,
                       number & 255);
}

/// What a cluster writes into the metadata of every object, and a proxy does not read.
std::string cluster_metadata(std::string_view kind, std::size_t number) {
    return fmt::format(
        R"(,"uid":"8d5e3f1a-0000-4000-8000-{0:012}","resourceVersion":"{0}","generation":3,)"
        R"("creationTimestamp":"2026-01-02T03:04:05Z","ownerReferences":[{{"apiVersion":"v1",)"
        R"("kind":"{1}","name":"service-{0:05}","uid":"9a6e3f1a-0000-4000-8000-{0:012}",)"
        R"("controller":true,"blockOwnerDeletion":true}}],"managedFields":[{{"manager":)"
        R"("kube-controller-manager","operation":"Update","apiVersion":"v1","time":)"
        R"("2026-01-02T03:04:05Z","fieldsType":"FieldsV1","fieldsV1":{{"f:addressType":{{}},)"
        R"("f:endpoints":{{}},"f:metadata":{{"f:annotations":{{".":{{}},)"
        R"("f:endpoints.kubernetes.io/last-change-trigger-time":{{}}}},"f:generateName":{{}},)"
        R"("f:labels":{{".":{{}},"f:app.kubernetes.io/name":{{}},"f:kubernetes.io/service-name":{{}},)"
        R"("f:endpointslice.kubernetes.io/managed-by":{{}}}},"f:ownerReferences":{{".":{{}},)"
        R"("k:{{\"uid\":\"9a6e3f1a-0000-4000-8000-{0:012}\"}}":{{}}}}}},"f:ports":{{}}}}}}])",
        number, kind);
}

std::string endpoint_json(const Endpoint& one, std::size_t index, Form form) {
    auto out = fmt::format(
        R"({{"addresses":["{}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},)"
        R"("nodeName":"{}")",
        one.address, one.node);
    if (form == Form::full)
        out += fmt::format(R"(,"targetRef":{{"kind":"Pod","namespace":"default","name":"{}",)"
                           R"("uid":"7b4e3f1a-0000-4000-8000-{:012}"}},"zone":"{}")",
                           one.pod, index, one.zone);
    return out + '}';
}

std::string slice_json(const Slice& slice, Form form) {
    auto out = form == Form::lean
                   ? std::string{R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice",)"}
                   : std::string{"{"};
    out += fmt::format(R"("metadata":{{"name":"{}","namespace":"default","labels":)"
                       R"({{"kubernetes.io/service-name":"{}"}})",
                       slice.name, slice.service);
    if (form == Form::full) out += cluster_metadata("Service", slice.number);
    out += R"(},"addressType":"IPv4","ports":[{"name":"http","port":8080,"protocol":"TCP"}],)"
           R"("endpoints":[)";
    for (std::size_t index = 0; index < slice.endpoints.size(); ++index)
        out += (index == 0 ? "" : ",") + endpoint_json(slice.endpoints[index], index, form);
    return out + "]}";
}

} // namespace

Shape Shape::parse(std::string_view text) {
    Shape shape;
    const auto* end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, shape.services);
    if (first.ec == std::errc{} && first.ptr != end && *first.ptr == 'x') {
        const auto second = std::from_chars(first.ptr + 1, end, shape.endpoints);
        if (second.ec == std::errc{} && second.ptr == end && shape.services > 0 &&
            shape.endpoints > 0 && shape.services <= 99'999 &&
            (shape.services + 1) * shape.endpoints < generation_step)
            return shape;
    }
    throw std::invalid_argument{"not SERVICESxENDPOINTS with less than 100,000 services and "
                                "1,000,000 endpoints: " +
                                std::string{text}};
}

std::string Shape::text() const {
    return fmt::format("{}x{}", services, endpoints);
}

Address kubernetes_address() {
    return Address::parse("10.96.0.1").value();
}

std::string service_json(std::size_t number, Form form) {
    return fmt::format(
        R"({{"apiVersion":"v1","kind":"Service","metadata":{{"name":"{}","namespace":"default"{}}},)"
        R"("spec":{{"type":"ClusterIP","clusterIP":"{}","ports":[{{"name":"http","port":80,)"
        R"("targetPort":8080,"protocol":"TCP"}}]}}}})",
        service_name(number), form == Form::full ? cluster_metadata("Deployment", number) : "",
        service_address(number));
}

std::string service_name(std::size_t number) {
    return fmt::format("service-{:05}", number);
}

std::string service_address(std::size_t number) {
    return ipv4(service_base + number);
}

std::vector<Slice> slices_of(const Shape& shape, std::size_t number, Generation generation) {
    std::vector<Slice> slices;
    for (std::size_t first = 0; first < shape.endpoints; first += slice_limit) {
        const auto name = service_name(number);
        auto& slice = slices.emplace_back(
            Slice{fmt::format("{}-{:04}", name, first / slice_limit), name, number, {}});
        const auto last = std::min(first + slice_limit, shape.endpoints);
        for (auto each = first; each < last; ++each) {
            const auto index = number * shape.endpoints + each;
            const bool here = index % 100 == 99;
            slice.endpoints.push_back(
                {ipv4(pod_base + index + (each == 0 ? generation * generation_step : 0)),
                 fmt::format("node-{}", here ? 1 : 2 + index % 50),
                 fmt::format("service-{:05}-7c5ddbdf54-{:05}", number, index),
                 fmt::format("zone-{}", index % 3)});
        }
    }
    return slices;
}

std::vector<std::string> slices_json(const Shape& shape, std::size_t number, Generation generation,
                                     Form form) {
    std::vector<std::string> all;
    for (const auto& one : slices_of(shape, number, generation))
        all.push_back(slice_json(one, form));
    return all;
}

std::string list_json(const std::vector<std::string>& objects) {
    return fmt::format(R"({{"apiVersion":"v1","kind":"List","items":[{}]}})",
                       fmt::join(objects, ",\n"));
}

void write_manifest(const Shape& shape, const Sink& sink) {
    sink(
        R"({"apiVersion":"v1","kind":"List","items":[)"
        R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"kubernetes","namespace":"default"},)"
        R"("spec":{"type":"ClusterIP","clusterIP":"10.96.0.1","ports":[{"name":"https","port":443,)"
        R"("targetPort":6443,"protocol":"TCP"}]}},)"
        R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"kubernetes",)"
        R"("namespace":"default","labels":{"kubernetes.io/service-name":"kubernetes"}},)"
        R"("addressType":"IPv4","ports":[{"name":"https","port":6443,"protocol":"TCP"}],)"
        R"("endpoints":[{"addresses":["192.168.10.1"],"conditions":{"ready":true}}]})");
    for (std::size_t number = 0; number < shape.services; ++number)
        sink("\n," + service_json(number));
    for (std::size_t number = 0; number < shape.services; ++number)
        for (const auto& one : slices_json(shape, number))
            sink("\n," + one);
    sink("]}\n");
}

void write_slice_list(const Shape& shape, const Sink& sink) {
    sink(R"({"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1",)"
         R"("metadata":{"resourceVersion":"1000000"},"items":[)");
    for (std::size_t number = 0; number < shape.services; ++number)
        for (bool first = number == 0; const auto& one : slices_json(shape, number, 0, Form::full))
            sink((std::exchange(first, false) ? "" : ",") + one);
    sink("]}\n");
}

} // namespace ipvsproxy::bench
