// The seventeen sets of each family: names, types, and the words rules carry about them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "ipset/types.h"

namespace ipvsproxy::plan {

/// What an entry of a set says about traffic. The names are kube-proxy's (`KUBE-CLUSTER-IP` …),
/// because CNIs and people look for them.
enum class SetRole : std::uint8_t {
    loop_back,
    cluster_ip,
    external_ip,
    external_ip_local,
    load_balancer,
    load_balancer_fw,
    load_balancer_local,
    load_balancer_source_ip,
    load_balancer_source_cidr,
    node_port_tcp,
    node_port_local_tcp,
    node_port_udp,
    node_port_local_udp,
    node_port_sctp,
    node_port_local_sctp,
    health_check_node_port,
    ipvs_ips,
};
inline constexpr std::size_t set_roles = 17;
inline constexpr std::size_t set_count = set_roles * families.size();

/// One set of one family.
struct SetId {
    SetRole role{};
    Family family{};
    /// 0 … set_count - 1, IPv4's sets first.
    std::size_t index() const noexcept {
        return static_cast<std::size_t>(family) * set_roles + static_cast<std::size_t>(role);
    }
    static SetId at(std::size_t index) noexcept {
        return {static_cast<SetRole>(index % set_roles), static_cast<Family>(index / set_roles)};
    }
    friend auto operator<=>(SetId, SetId) = default;
};

/// `KUBE-CLUSTER-IP`; IPv6 `KUBE-6-CLUSTER-IP`, cut to the 31 characters a name may have.
std::string set_name(SetId id);
/// The set of this name, if it is one of ours.
std::optional<SetId> find_set(std::string_view name);
/// What kube-proxy creates it with.
ipset::SetSpec set_spec(SetId id) noexcept;
/// The comment that rules which match this set carry.
std::string_view set_comment(SetRole role) noexcept;

std::ostream& operator<<(std::ostream& out, SetId id);

} // namespace ipvsproxy::plan
