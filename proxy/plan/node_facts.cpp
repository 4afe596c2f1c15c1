#include "proxy/plan/node_facts.h"

#include <algorithm>

namespace ipvsproxy::plan {
namespace {

/// Whether node ports are served at `address`. A prefix of length 0 means every address, as no
/// prefix at all does; only then are IPv6 link-local addresses left out.
bool serves_node_ports(const Address& address, const std::vector<Prefix>& cidrs) {
    const bool every = cidrs.empty() || std::ranges::any_of(cidrs, [](const Prefix& cidr) {
                           return cidr.length() == 0;
                       });
    if (every) return !address.is_ipv6_link_local();
    return std::ranges::any_of(cidrs, [&](const Prefix& cidr) { return cidr.contains(address); });
}

} // namespace

void take_interfaces(NodeFacts& facts, const Settings& settings,
                     std::span<const InterfaceAddress> elsewhere) {
    PerFamily<std::set<Address>> selected;
    facts.elsewhere.clear();
    for (const auto& [interface, address] : elsewhere) {
        if (address.is_loopback()) continue;
        if (!address.is_ipv6_link_local()) facts.elsewhere.insert(address);
        const auto family = address.family();
        if (serves_node_ports(address, settings.node_port_cidrs[family]))
            selected[family].insert(address);
    }
    for (const auto family : families)
        facts.port_addresses[family].assign(selected[family].begin(), selected[family].end());
}

} // namespace ipvsproxy::plan
