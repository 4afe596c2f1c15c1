// What the node itself contributes to every decision.
#pragma once

#include <set>
#include <span>
#include <vector>

#include "netlink/device.h"
#include "netlink/ip.h"
#include "proxy/model/symbol.h"
#include "proxy/plan/settings.h"

namespace ipvsproxy::plan {

struct NodeFacts {
    model::Symbol name{}; ///< as endpoints' nodeName spells it; empty = no endpoint is local
    model::Symbol zone{}; ///< label topology.kubernetes.io/zone; empty = none
    /// The node's one address per family, for the question whether a source range admits the node.
    PerFamily<Address> ip{*Address::parse("127.0.0.1"), *Address::parse("::1")};
    /// Where node ports are served; ordered.
    PerFamily<std::vector<Address>> port_addresses{};
    /// Addresses that interfaces other than ours own: external and ingress addresses among them
    /// are not bound a second time.
    std::set<Address> elsewhere{};
    friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

/// Fills in what the interfaces decide: `port_addresses` and `elsewhere`. Addresses of kube-ipvs0
/// are no node addresses, whatever CIDR covers them (D-06); loopback ones never are.
void take_interfaces(NodeFacts& facts, const Settings& settings,
                     std::span<const InterfaceAddress> elsewhere);

} // namespace ipvsproxy::plan
