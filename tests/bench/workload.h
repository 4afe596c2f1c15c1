// The cluster that is measured: services of the same shape, and default/kubernetes.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "netlink/ip.h"

namespace ipvsproxy::bench {

struct Shape {
    std::size_t services{}, endpoints{};
    /// `1000x5`. @throws std::invalid_argument when the text is none of the kind.
    static Shape parse(std::string_view text);
    std::string text() const;
};

/// Which address the first endpoint of a service has: another number, another address.
using Generation = std::size_t;

/// How much of an object is written.
enum class Form {
    lean, ///< what decides something, as in manifests
    full  ///< also what a cluster adds: owners, managed fields, target references
};

/// The name under which a node of the workload runs, and the address of default/kubernetes.
inline constexpr std::string_view node_name = "node-1";
Address kubernetes_address();

/// What a slice of the workload has, for whoever writes it in another form.
struct Endpoint {
    std::string address, node, pod, zone;
};
struct Slice {
    std::string name, service;
    std::size_t number{};
    std::vector<Endpoint> endpoints;
};
std::string service_name(std::size_t number);
std::string service_address(std::size_t number);
std::vector<Slice> slices_of(const Shape& shape, std::size_t number, Generation generation = 0);

/// One core/v1 Service as JSON. @param number from 0; `services` and more are further ones.
std::string service_json(std::size_t number, Form form = Form::lean);
/// Its EndpointSlices, of 100 endpoints at most, each as JSON. One endpoint of a hundred is on the
/// node itself.
std::vector<std::string> slices_json(const Shape& shape, std::size_t number,
                                     Generation generation = 0, Form form = Form::lean);
/// Objects as one `List`.
std::string list_json(const std::vector<std::string>& objects);

using Sink = std::function<void(std::string_view)>;
/// All objects as one `List`, services first.
void write_manifest(const Shape& shape, const Sink& sink);
/// All slices as kube-apiserver answers a list request.
void write_slice_list(const Shape& shape, const Sink& sink);
/// All Services, or all slices, as kube-apiserver answers a list request in protobuf.
void write_protobuf_services(const Shape& shape, const Sink& sink);
void write_protobuf_slices(const Shape& shape, const Sink& sink);

} // namespace ipvsproxy::bench
