// Which addresses are the node's own, and what follows from them.
#pragma once

#include <span>
#include <vector>

#include "netlink/ip.h"
#include "proxy/config/options.h"
#include "proxy/model/objects.h"
#include "proxy/plan/settings.h"

namespace ipvsproxy::config {

/// The first of status.addresses (all of type InternalIP before those of type ExternalIP), and the
/// first of the other family, if there is one.
std::vector<Address> raw_node_ips(const model::Node& node);

struct NodeIps {
    /// Loopback where nothing better is known.
    PerFamily<Address> ip{*Address::parse("127.0.0.1"), *Address::parse("::1")};
    Family primary{Family::v4};
    friend bool operator==(const NodeIps&, const NodeIps&) = default;
};

/// @param bind_address stands for its family's address, and makes that family the primary one,
/// unless it is 0.0.0.0 or ::. @param raw of the Node; the first one's family is the primary one.
NodeIps detect_node_ips(const Address& bind_address, std::span<const Address> raw);

/// How local traffic is told (detectLocalMode). @param pod_cidrs Node.spec.podCIDRs, for NodeCIDR.
/// An empty detector where the mode's list has no CIDR of the family.
PerFamily<plan::LocalDetector> local_detectors(const Options& options,
                                               std::span<const Prefix> pod_cidrs);

/// nodePortAddresses by family, `primary` resolved to the node's addresses that are not loopback.
/// An empty list means every address of the family.
PerFamily<std::vector<Prefix>> node_port_cidrs(const Parsed& parsed, const NodeIps& ips);

/// What the plan is derived with. @param enabled the families that this node's kernel has.
plan::Settings plan_settings(const Options& options, const NodeIps& ips,
                             std::span<const Prefix> pod_cidrs, const PerFamily<bool>& enabled);

} // namespace ipvsproxy::config
