// What is read of core/v1 Service and Node and of discovery.k8s.io/v1 EndpointSlice: the fields
// that decide something, in the types that decide it, and nothing else.
#pragma once

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/ip.h"
#include "proxy/model/object_name.h"
#include "proxy/model/symbol.h"

namespace ipvsproxy::model {

/// Of what most objects have one of: that one takes no memory of its own.
template <class Element> using MostlyOne = boost::container::small_vector<Element, 1>;

enum class ServiceType : std::uint8_t { cluster_ip, node_port, load_balancer, external_name };

/// spec.ports[] of a Service.
struct ServicePort {
    Symbol name;
    Protocol protocol{Protocol::tcp};
    Port port;
    std::optional<Port> node_port{}; ///< absent where the field is 0 or absent
    friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

// NOLINTNEXTLINE(bugprone-exception-escape): what is moved allocates nothing
struct Service {
    ObjectName name;
    std::chrono::sys_seconds created{}; ///< metadata.creationTimestamp; the epoch when absent
    ServiceType type{ServiceType::cluster_ip};
    /// spec.clusterIP is empty or "None": not proxied whatever else it says.
    bool headless{};
    /// Carries the label service.kubernetes.io/service-proxy-name: another proxy's business.
    bool other_proxy{};
    /// Of clusterIPs, by ipFamilies (by the address itself where that is empty).
    PerFamily<std::optional<Address>> cluster_ip{};
    MostlyOne<ServicePort> ports{};
    std::vector<Address> external_ips{}; ///< both families, in order
    std::vector<Address>
        ingress_vips{}; ///< status.loadBalancer.ingress[].ip with ipMode VIP or none
    std::vector<Prefix> source_ranges{}; ///< spec.loadBalancerSourceRanges, both families
    std::optional<std::chrono::seconds> client_ip_affinity{}; ///< sessionAffinity ClientIP
    bool external_local{};                                    ///< externalTrafficPolicy: Local
    bool internal_local{};                                    ///< internalTrafficPolicy: Local
    std::optional<Port> health_check_node_port{}; ///< as written; whether it counts is derived
    friend bool operator==(const Service&, const Service&) = default;
};

/// endpoints[] of an EndpointSlice.
struct Endpoint {
    Address address; ///< addresses[0]
    bool ready{true}, serving{true}, terminating{false};
    Symbol node{};                         ///< nodeName; empty when absent
    SymbolList zone_hints{}, node_hints{}; ///< hints.forZones, hints.forNodes
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// ports[] of an EndpointSlice.
struct EndpointPort {
    Symbol name;
    Protocol protocol{Protocol::tcp};
    Port port;
    friend bool operator==(const EndpointPort&, const EndpointPort&) = default;
};

// NOLINTNEXTLINE(bugprone-exception-escape): what is moved allocates nothing
struct EndpointSlice {
    ObjectName name;
    ObjectName service; ///< label kubernetes.io/service-name, in the slice's namespace
    Family family{Family::v4};
    MostlyOne<EndpointPort> ports{};
    std::vector<Endpoint> endpoints{};
    /// Annotation endpoints.kubernetes.io/last-change-trigger-time. Not part of equality of what
    /// is programmed, but a change of it is a change of the slice.
    std::optional<std::chrono::system_clock::time_point> triggered{};
    friend bool operator==(const EndpointSlice&, const EndpointSlice&) = default;
};

struct Node {
    std::string name;
    Symbol zone{};                       ///< label topology.kubernetes.io/zone; empty when absent
    std::vector<Address> internal_ips{}; ///< status.addresses of type InternalIP, in order
    std::vector<Address> external_ips{}; ///< … ExternalIP
    std::vector<Prefix> pod_cidrs{};     ///< spec.podCIDRs (spec.podCIDR where that is empty)
    bool being_deleted{};                ///< metadata.deletionTimestamp is set
    bool to_be_deleted_taint{};          ///< taint ToBeDeletedByClusterAutoscaler
    friend bool operator==(const Node&, const Node&) = default;
};

} // namespace ipvsproxy::model
