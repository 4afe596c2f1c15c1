#include "proxy/sync/leftovers.h"

#include <algorithm>

#include "proxy/iptables/nft_raw.h"
#include "proxy/plan/cleanup.h"
#include "proxy/sync/real_kernel.h"

namespace ipvsproxy::sync {
namespace {

iptables::Backend other(iptables::Backend chosen) {
    return chosen == iptables::Backend::legacy ? iptables::Backend::nft : iptables::Backend::legacy;
}

/// Whether iptables' nft variant has any table here: reading them all starts programs.
bool has_nft_variant(const std::vector<std::string>& tables, Family family) {
    return std::ranges::any_of(tables, [=](const std::string& name) {
        const std::string of = family == Family::v4 ? "ip " : "ip6 ";
        return name == of + "nat" || name == of + "filter" || name == of + "mangle";
    });
}

iptables::TableChanges all_rules_of_proxies(Family family, const iptables::Chains& seen) {
    plan::NodeSnapshot node;
    node.chains[family] = seen;
    return plan::cleanup(node).rules[family];
}

void add_names(std::vector<std::string>& names, iptables::Backend backend, Family family,
               const iptables::TableChanges& changes) {
    const std::string tool = family == Family::v4 ? "iptables" : "ip6tables";
    const auto in = [&](iptables::TableName table) {
        auto text = tool;
        text.append(" (").append(iptables::name(backend)).append(") ");
        return text.append(iptables::name(table));
    };
    for (const auto& chain : changes.remove_chains)
        names.push_back(in(chain.table).append(1, ' ').append(chain.name));
    for (const auto& [chain, rule] : changes.remove_rules)
        names.push_back(
            in(chain.table).append(" -D ").append(chain.name).append(1, ' ').append(rule));
}

void remove_rules(iptables::Backend backend, Family family, const iptables::TableChanges& changes,
                  std::vector<std::string>& refused) {
    if (changes.empty()) return;
    for (const auto& refusal : open_tables(backend, family)->apply(changes))
        refused.push_back((family == Family::v4 ? "iptables" : "ip6tables") +
                          (" table " + std::string{iptables::name(refusal.table)}) + ": " +
                          refusal.reason);
}

} // namespace

bool Leftovers::empty() const {
    return std::ranges::all_of(families, [&](Family family) {
        return beside[family].empty() && elsewhere[family].empty() && !nft_mode[family];
    });
}

std::vector<std::string> Leftovers::names() const {
    std::vector<std::string> all;
    for (const auto family : families) {
        add_names(all, chosen, family, beside[family]);
        add_names(all, other(chosen), family, elsewhere[family]);
        if (nft_mode[family]) all.push_back("table " + iptables::nft_mode_table(family));
    }
    return all;
}

Leftovers find_leftovers(iptables::Backend chosen, const PerFamily<bool>& enabled) {
    Leftovers found{.chosen = chosen};
    const auto tables = iptables::nft_table_names();
    for (const auto family : families) {
        found.nft_mode[family] =
            std::ranges::find(tables, iptables::nft_mode_table(family)) != tables.end();
        if (!enabled[family]) continue;
        found.beside[family] = plan::leftovers(family, open_tables(chosen, family)->snapshot());
        if (chosen == iptables::Backend::legacy && !has_nft_variant(tables, family)) continue;
        found.elsewhere[family] =
            all_rules_of_proxies(family, open_tables(other(chosen), family)->snapshot());
    }
    return found;
}

std::vector<std::string> remove(const Leftovers& leftovers) {
    std::vector<std::string> refused;
    for (const auto family : families) {
        remove_rules(leftovers.chosen, family, leftovers.beside[family], refused);
        remove_rules(other(leftovers.chosen), family, leftovers.elsewhere[family], refused);
        if (!leftovers.nft_mode[family]) continue;
        const auto error = iptables::delete_nft_mode_table(family);
        if (error && error != std::errc::no_such_file_or_directory)
            refused.push_back("table " + iptables::nft_mode_table(family) + ": " + error.message());
    }
    return refused;
}

} // namespace ipvsproxy::sync
