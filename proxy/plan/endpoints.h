// Which endpoints of a service port may receive its traffic.
#pragma once

#include <boost/container/small_vector.hpp>
#include <utility>
#include <vector>

#include "proxy/model/objects.h"
#include "proxy/model/store.h"
#include "proxy/plan/node_facts.h"

namespace ipvsproxy::plan {

/// An endpoint under the port that one service port leads to.
struct Candidate {
    const model::Endpoint* endpoint{}; ///< owned by the store
    Port port;
    AddressPort at() const noexcept { return {endpoint->address, port}; }
};

/// They are looked at and forgotten: those of most service ports need no memory for that.
using Candidates = boost::container::small_vector<Candidate, 16>;

/// The endpoints of a service port, out of all slices of the family that have a port of this name
/// and protocol. Each ip:port once, in order: of two, the one seen later in slice-name order wins
/// unless it is terminating.
Candidates merge_endpoints(const model::Store::Slices& slices, Family family,
                           model::Symbol port_name, Protocol protocol);

/// Which traffic a service port has, and so which groups of endpoints it needs.
struct TrafficScope {
    bool internal_local{}; ///< internalTrafficPolicy: Local
    bool external_local{}; ///< externalTrafficPolicy: Local, where it counts
    bool external{};       ///< reachable from outside: node port, ingress VIP or external IP
    bool uses_cluster() const noexcept { return !internal_local || external; }
    bool uses_local() const noexcept { return internal_local || (external_local && external); }
};

/// The two groups that traffic is sent to, and whether there is anything to send to anywhere.
struct EndpointGroups {
    std::vector<AddressPort> cluster, local; ///< ordered
    bool any{};
    /// For a virtual server that prefers local endpoints (`local_only`): those, or where there are
    /// none the cluster's, as kube-proxy falls back.
    const std::vector<AddressPort>& choose(bool local_only) const noexcept {
        return local_only && !local.empty() ? local : cluster;
    }
    /// The same for the last that asks: it is not copied.
    std::vector<AddressPort> take(bool local_only) noexcept {
        return std::move(local_only && !local.empty() ? local : cluster);
    }
};

/// Ready endpoints, narrowed by topology hints, or the serving terminating ones where no endpoint
/// is ready (KEP-1669, KEP-2433, KEP-3015). Local endpoints ignore hints.
EndpointGroups group_endpoints(const Candidates& all, const TrafficScope& scope,
                               const NodeFacts& node);

/// Whether the endpoint runs on this node.
inline bool is_local(const model::Endpoint& endpoint, const NodeFacts& node) noexcept {
    return endpoint.node == node.name && !node.name.empty();
}

} // namespace ipvsproxy::plan
