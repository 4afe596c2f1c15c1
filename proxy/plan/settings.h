// What the user decided, as far as it shapes kernel state.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/device.h"
#include "netlink/ip.h"

namespace ipvsproxy::plan {

/// How traffic that comes from this node's pods is told from other traffic (detectLocalMode); at
/// most one of the two is set.
struct LocalDetector {
    std::optional<Prefix> cidr{}; ///< ClusterCIDR, NodeCIDR: pods' source addresses
    std::string interface {};     ///< BridgeInterface: its name; InterfaceNamePrefix: "veth+"
    friend bool operator==(const LocalDetector&, const LocalDetector&) = default;
};

struct Settings {
    PerFamily<bool> enabled{true, true};      ///< the families this node has
    std::string scheduler{"rr"};              ///< ipvs.scheduler
    bool masquerade_all{};                    ///< iptables.masqueradeAll
    std::uint8_t masquerade_bit{14};          ///< iptables.masqueradeBit, 0…31
    PerFamily<bool> random_fully{true, true}; ///< MASQUERADE knows --random-fully
    PerFamily<LocalDetector> local{};
    bool external_ips{true};                          ///< feature gate AllowServiceExternalIPs
    PerFamily<std::vector<Prefix>> node_port_cidrs{}; ///< nodePortAddresses; empty = every address
    Binding vip_binding{Binding::address};            ///< --ipvs-vip-binding
    std::vector<Prefix> exclude_cidrs{}; ///< ipvs.excludeCIDRs: foreign virtual servers kept
    /// How long a leaving real server may keep its connections; zero = without limit (D-08).
    std::chrono::seconds drain_limit{std::chrono::minutes{15}};
    friend bool operator==(const Settings&, const Settings&) = default;
};

} // namespace ipvsproxy::plan
