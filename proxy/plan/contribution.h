// What one service asks of the node.
#pragma once

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "ipset/types.h"
#include "ipvs/types.h"
#include "netlink/conntrack.h"
#include "proxy/model/store.h"
#include "proxy/plan/node_facts.h"
#include "proxy/plan/sets.h"
#include "proxy/plan/settings.h"

namespace ipvsproxy::plan {

struct VirtualServer {
    ipvs::ServiceKey key;
    ipvs::ServiceSpec spec;
    std::vector<AddressPort> destinations; ///< real servers, ordered, each once
    friend bool operator==(const VirtualServer&, const VirtualServer&) = default;
};

/// An ingress address whose source ranges do not admit this node: the node's own access to it,
/// which would come from the address itself, is dropped on the way out.
struct GuardedVip {
    Address address;
    Protocol protocol{};
    Port port;
    friend auto operator<=>(const GuardedVip&, const GuardedVip&) = default;
};

using SetEntry = std::pair<SetId, ipset::Entry>;

/// An address that is to be bound on kube-ipvs0 has an entry of the set `ipvs_ips`, and no other
/// has one: it is asked for by this entry.
inline SetEntry binding(const Address& address) {
    return {{SetRole::ipvs_ips, address.family()}, {address, Protocol::tcp, {}, {}}};
}
inline bool is_binding(const SetEntry& entry) noexcept {
    return entry.first.role == SetRole::ipvs_ips;
}

/// spec.healthCheckNodePort where it counts, and what its probe reports.
struct HealthCheck {
    Port port;
    PerFamily<std::optional<std::uint32_t>> local_endpoints{}; ///< distinct ready local addresses
    friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

/// Every list ordered and without repeats, so that equal wishes compare equal.
// NOLINTNEXTLINE(bugprone-exception-escape): what is moved allocates nothing
struct Contribution {
    std::chrono::sys_seconds created{}; ///< of the Service: the older one wins a contest (D-16)
    // Most services have one port and one address: these need no memory of their own.
    boost::container::small_vector<VirtualServer, 1> virtual_servers{};
    /// Those of `ipvs_ips` are the addresses to be bound, too.
    boost::container::small_vector<SetEntry, 2> entries{};
    std::vector<GuardedVip> guarded{};
    std::vector<StaleFlows> udp_flows{}; ///< who may answer for its UDP ports
    std::optional<HealthCheck> health_check{};
    /// Local traffic policy without local endpoints though others exist, by family.
    PerFamily<bool> no_local_internal{}, no_local_external{};

    bool empty() const noexcept { return virtual_servers.empty() && entries.empty(); }
    friend bool operator==(const Contribution&, const Contribution&) = default;
};

/// Derives it from the Service, its slices, the node and the settings; nothing else is looked at.
Contribution contribution(const model::Service& service, const model::Store::Slices& slices,
                          const NodeFacts& node, const Settings& settings);

} // namespace ipvsproxy::plan
