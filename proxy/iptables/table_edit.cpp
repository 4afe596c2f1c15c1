#include "proxy/iptables/table_edit.h"

#include <algorithm>
#include <utility>

#include "proxy/iptables/rule_text.h"

namespace ipvsproxy::iptables {

namespace {

Rules canonical_rules(const Rules& rules) {
    Rules out;
    out.reserve(rules.size());
    for (const Rule& rule : rules)
        out.push_back(canonical(rule));
    return out;
}

void replace(TableEdit& edit, const Chain& chain, const Rules& rules) {
    auto content = canonical_rules(rules);
    const auto found = edit.after.find(chain);
    if (found != edit.after.end() && found->second == content) return;
    edit.changes.replace.emplace(chain, content);
    edit.after.insert_or_assign(chain, std::move(content));
}

void insert(TableEdit& edit, const PlacedRule& placed) {
    Rules& rules = edit.after[placed.chain];
    auto rule = canonical(placed.rule);
    if (std::ranges::find(rules, rule) != rules.end()) return;
    rules.push_back(rule);
    // Not insert() at the head, where g++ 12 sees a null pointer.
    std::rotate(rules.begin(), rules.end() - 1, rules.end());
    edit.changes.insert.push_back({placed.chain, std::move(rule)});
}

void remove_rule(TableEdit& edit, const PlacedRule& placed) {
    const auto chain = edit.after.find(placed.chain);
    if (chain == edit.after.end()) return;
    auto rule = canonical(placed.rule);
    const auto found = std::ranges::find(chain->second, rule);
    if (found == chain->second.end()) return;
    chain->second.erase(found);
    edit.changes.remove_rules.push_back({placed.chain, std::move(rule)});
}

} // namespace

TableEdit edit_for(TableName table, const Chains& observed, const TableChanges& wanted) {
    TableEdit edit{{}, observed};
    for (const auto& [chain, rules] : wanted.replace)
        if (chain.table == table) replace(edit, chain, rules);
    for (const PlacedRule& placed : wanted.insert)
        if (placed.chain.table == table) insert(edit, placed);
    for (const PlacedRule& placed : wanted.remove_rules)
        if (placed.chain.table == table) remove_rule(edit, placed);
    for (const Chain& chain : wanted.remove_chains)
        if (chain.table == table && edit.after.erase(chain) > 0)
            edit.changes.remove_chains.insert(chain);
    return edit;
}

std::set<Chain> named_chains(TableName table, const TableChanges& wanted) {
    std::set<Chain> named = wanted.remove_chains;
    for (const auto& [chain, rules] : wanted.replace)
        named.insert(chain);
    for (const PlacedRule& placed : wanted.insert)
        named.insert(placed.chain);
    for (const PlacedRule& placed : wanted.remove_rules)
        named.insert(placed.chain);
    std::erase_if(named, [=](const Chain& chain) { return chain.table != table; });
    return named;
}

bool is_builtin(const Chain& chain) noexcept {
    const auto any_of = [&](auto... names) { return ((chain.name == names) || ...); };
    switch (chain.table) {
    case TableName::nat:
        return any_of("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING");
    case TableName::filter:
        return any_of("INPUT", "FORWARD", "OUTPUT");
    case TableName::mangle:
        return any_of("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING");
    }
    return false;
}

} // namespace ipvsproxy::iptables
