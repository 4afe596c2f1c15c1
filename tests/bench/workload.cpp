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

std::string name_of(std::size_t number) {
    return fmt::format("service-{:05}", number);
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

std::string endpoint(std::size_t index, std::size_t address, Form form) {
    const bool here = index % 100 == 99;
    auto out = fmt::format(
        R"({{"addresses":["{}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},)"
        R"("nodeName":"node-{}")",
        ipv4(address), here ? 1 : 2 + index % 50);
    if (form == Form::full)
        out += fmt::format(
            R"(,"targetRef":{{"kind":"Pod","namespace":"default","name":"service-{0:05}-7c5ddbdf54-{1:05}",)"
            R"("uid":"7b4e3f1a-0000-4000-8000-{1:012}"}},"zone":"zone-{2}")",
            index / 5, index, index % 3);
    return out + '}';
}

std::string slice(const Shape& shape, std::size_t number, std::size_t first, Generation generation,
                  Form form) {
    auto out = form == Form::lean
                   ? std::string{R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice",)"}
                   : std::string{"{"};
    out += fmt::format(R"("metadata":{{"name":"{0}-{1:04}","namespace":"default","labels":)"
                       R"({{"kubernetes.io/service-name":"{0}"}})",
                       name_of(number), first / slice_limit);
    if (form == Form::full) out += cluster_metadata("Service", number);
    out += R"(},"addressType":"IPv4","ports":[{"name":"http","port":8080,"protocol":"TCP"}],)"
           R"("endpoints":[)";
    const auto last = std::min(first + slice_limit, shape.endpoints);
    for (auto each = first; each < last; ++each) {
        const auto index = number * shape.endpoints + each;
        if (each > first) out += ',';
        out += endpoint(index, pod_base + index + (each == 0 ? generation * generation_step : 0),
                        form);
    }
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
        name_of(number), form == Form::full ? cluster_metadata("Deployment", number) : "",
        ipv4(service_base + number));
}

std::vector<std::string> slices_json(const Shape& shape, std::size_t number, Generation generation,
                                     Form form) {
    std::vector<std::string> slices;
    for (std::size_t first = 0; first < shape.endpoints; first += slice_limit)
        slices.push_back(slice(shape, number, first, generation, form));
    return slices;
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
