#include "proxy/plan/cleanup.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "proxy/plan/rules.h"
#include "proxy/plan/sets.h"

namespace ipvsproxy::plan {
namespace {

using iptables::Chain;
using iptables::TableName;

constexpr std::array address_sets{SetRole::cluster_ip,        SetRole::external_ip,
                                  SetRole::external_ip_local, SetRole::load_balancer,
                                  SetRole::node_port_sctp,    SetRole::node_port_local_sctp};

bool holds(const NodeSnapshot& seen, SetId id, const ipset::Entry& entry) {
    const auto set = seen.sets.find(set_name(id));
    return set != seen.sets.end() && set->second.entries.contains(entry);
}

bool is_node_port(const NodeSnapshot& seen, const ipvs::ServiceKey& key) {
    const bool of_node = std::ranges::any_of(
        seen.device.elsewhere, [&](const auto& owned) { return owned.address == key.address; });
    if (!of_node || key.protocol == Protocol::sctp) return false;
    const auto role =
        key.protocol == Protocol::tcp ? SetRole::node_port_tcp : SetRole::node_port_udp;
    return holds(seen, {role, key.address.family()}, {{}, Protocol::tcp, key.port, {}});
}

bool made_by_proxy(const NodeSnapshot& seen, const ipvs::ServiceKey& key) {
    const ipset::Entry entry{key.address, key.protocol, key.port, {}};
    const auto family = key.address.family();
    return std::ranges::any_of(address_sets,
                               [&](SetRole role) {
                                   return holds(seen, {role, family}, entry);
                               }) ||
           is_node_port(seen, key);
}

/// Chains of kube-proxy's iptables mode: one by one, and by the start of their names.
/// KUBE-FIREWALL, KUBE-KUBELET-CANARY and KUBE-IPTABLES-HINT are kubelet's and stay.
bool is_iptables_mode_chain(const Chain& chain) {
    static constexpr std::array<std::string_view, 3> nat{"KUBE-SERVICES", "KUBE-NODEPORTS",
                                                         "KUBE-PROXY-CANARY"};
    static constexpr std::array<std::string_view, 4> filter{
        "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-CANARY"};
    static constexpr std::array<std::string_view, 5> nat_starts{
        "KUBE-SVC-", "KUBE-SVL-", "KUBE-FW-", "KUBE-EXT-", "KUBE-SEP-"};
    switch (chain.table) {
    case TableName::nat:
        return std::ranges::find(nat, chain.name) != nat.end() ||
               std::ranges::any_of(nat_starts, [&](std::string_view start) {
                   return chain.name.starts_with(start);
               });
    case TableName::filter:
        return std::ranges::find(filter, chain.name) != filter.end();
    case TableName::mangle:
        return chain.name == "KUBE-PROXY-CANARY";
    }
    return false;
}

/// The chain a rule jumps or goes to; empty for verdicts without one.
std::string_view target(std::string_view rule) {
    for (const std::string_view option : {"-j ", "-g "}) {
        const auto at = rule.rfind(option);
        if (at == std::string_view::npos) continue;
        const auto name = rule.substr(at + option.size());
        return name.substr(0, name.find(' '));
    }
    return {};
}

/// Jumps of iptables mode to a chain that ipvs mode has too, but jumps to otherwise.
bool is_iptables_mode_jump(const Chain& from, const iptables::Rule& rule) {
    return from.table == TableName::filter && target(rule) == "KUBE-PROXY-FIREWALL" &&
           rule.find("\"kubernetes load balancer firewall\"") != std::string::npos;
}

/// Removes the chains, and every rule elsewhere that jumps to one of them.
iptables::TableChanges removal(const iptables::Chains& seen, std::set<Chain> chains) {
    iptables::TableChanges changes;
    for (const auto& [chain, rules] : seen) {
        if (chains.contains(chain)) continue;
        for (const auto& rule : rules)
            if (chains.contains({chain.table, std::string{target(rule)}}))
                changes.remove_rules.push_back({chain, rule});
    }
    changes.remove_chains = std::move(chains);
    return changes;
}

iptables::TableChanges rule_cleanup(Family family, const iptables::Chains& seen) {
    const auto ours = chains(family, {}, {});
    std::set<Chain> gone;
    for (const auto& [chain, rules] : seen)
        if (ours.contains(chain) || is_iptables_mode_chain(chain)) gone.insert(chain);
    return removal(seen, std::move(gone));
}

} // namespace

NodeChanges cleanup(const NodeSnapshot& seen) {
    NodeChanges changes;
    changes.destroy_device = seen.device.present && seen.device.kind == "dummy";
    for (const auto& [key, spec] : seen.device.addresses) // addresses go with the device
        if (key.binding == Binding::route) changes.addresses.remove.insert(key);
    for (const auto& [key, spec] : seen.services)
        if (made_by_proxy(seen, key)) changes.ipvs.services.remove.insert(key);
    for (const auto& [name, set] : seen.sets)
        changes.sets.destroy.insert(name);
    for (const auto family : families)
        changes.rules[family] = rule_cleanup(family, seen.chains[family]);
    return changes;
}

iptables::TableChanges leftovers(Family family, const iptables::Chains& seen) {
    const auto ours = chains(family, {}, {});
    std::set<Chain> gone;
    for (const auto& [chain, rules] : seen)
        if (is_iptables_mode_chain(chain) && !ours.contains(chain)) gone.insert(chain);
    auto changes = removal(seen, std::move(gone));
    for (const auto& [chain, rules] : seen)
        for (const auto& rule : rules)
            if (is_iptables_mode_jump(chain, rule)) changes.remove_rules.push_back({chain, rule});
    return changes;
}

} // namespace ipvsproxy::plan
