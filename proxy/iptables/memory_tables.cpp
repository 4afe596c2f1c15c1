#include "proxy/iptables/memory_tables.h"

#include <array>
#include <optional>
#include <utility>

#include "proxy/iptables/rule_text.h"
#include "proxy/iptables/table_edit.h"

namespace ipvsproxy::iptables {

namespace {

constexpr std::array builtin_chains{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};

bool is_verdict(std::string_view name) {
    return name == "ACCEPT" || name == "DROP" || name == "RETURN";
}

/// What the kernel would answer to these chains, all of one table; empty when it takes them.
std::string inconsistency(TableName table, const Chains& chains) {
    for (const auto& [chain, rules] : chains) {
        if (chain.table != table) continue;
        for (const Rule& rule : rules) {
            const auto parsed = parse_rule(rule);
            if (!parsed) continue; // someone else's
            const Jump* const jump = std::get_if<Jump>(&parsed->target);
            if (jump != nullptr && !is_verdict(jump->to) && !chains.contains({table, jump->to}))
                return chain.name + ": \"" + rule + "\" jumps to a chain that is missing";
        }
    }
    return {};
}

TableRefusal refusal(TableName table, std::errc error, const Chain& chain, std::string reason) {
    return {table, make_error_code(error),
            std::string(name(table)) + ", chain " + chain.name + ": " + std::move(reason)};
}

/// What cannot even be put into words for the kernel.
std::optional<TableRefusal> refuse_unwritable(TableName table, const Chains& observed,
                                              const TableChanges& changes) {
    for (const auto& [chain, rules] : changes.replace)
        for (const Rule& rule : rules)
            if (const auto parsed = parse_rule(rule); !parsed)
                return refusal(table, std::errc::invalid_argument, chain, parsed.error().text());
    for (const PlacedRule& placed : changes.insert) {
        if (const auto parsed = parse_rule(placed.rule); !parsed)
            return refusal(table, std::errc::invalid_argument, placed.chain, parsed.error().text());
        if (!is_builtin(placed.chain) && !observed.contains(placed.chain) &&
            !changes.replace.contains(placed.chain))
            return refusal(table, std::errc::no_such_file_or_directory, placed.chain,
                           "does not exist");
    }
    for (const Chain& chain : changes.remove_chains)
        if (is_builtin(chain))
            return refusal(table, std::errc::invalid_argument, chain,
                           "is built in and cannot be removed");
    return std::nullopt;
}

} // namespace

Chains MemoryTables::snapshot() {
    return chains_;
}

std::vector<TableRefusal> MemoryTables::apply(const TableChanges& changes) {
    std::vector<TableRefusal> refusals;
    for (const TableName table : all_tables)
        if (auto refusal = apply_to(table, changes)) refusals.push_back(*std::move(refusal));
    return refusals;
}

std::optional<TableRefusal> MemoryTables::apply_to(TableName table, const TableChanges& changes) {
    TableEdit edit = edit_for(table, chains_, changes);
    if (edit.changes.empty()) return std::nullopt;
    if (const auto refused = refused_.find(table); refused != refused_.end())
        return TableRefusal{table, refused->second,
                            std::string(name(table)) + ": " + refused->second.message()};
    for (const char* chain : builtin_chains)
        if (is_builtin({table, chain})) edit.after.try_emplace({table, chain});
    if (auto refusal = refuse_unwritable(table, chains_, edit.changes)) return refusal;
    if (const auto reason = inconsistency(table, edit.after); !reason.empty())
        return TableRefusal{table, make_error_code(std::errc::no_such_file_or_directory),
                            std::string(name(table)) + ", chain " + reason};
    chains_ = std::move(edit.after);
    ++writes_;
    return std::nullopt;
}

void MemoryTables::refuse(TableName table, std::error_code error) {
    if (error) refused_[table] = error;
    else refused_.erase(table);
}

void MemoryTables::tamper(const Chain& chain, Rules rules) {
    chains_.insert_or_assign(chain, std::move(rules));
}

} // namespace ipvsproxy::iptables
