#include "proxy/iptables/save_text.h"

#include <algorithm>
#include <optional>

#include "proxy/iptables/rule_text.h"
#include "proxy/iptables/rule_words.h"
#include "proxy/iptables/table_edit.h"

namespace ipvsproxy::iptables {

namespace {

std::optional<TableName> table_called(std::string_view text) {
    for (const TableName table : {TableName::nat, TableName::filter, TableName::mangle})
        if (text == name(table)) return table;
    return std::nullopt;
}

/// Cuts the text up to `end` off, the separator too.
std::string_view cut(std::string_view& text, char end) {
    const auto at = std::min(text.find(end), text.size());
    const auto head = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return head;
}

bool is_line(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

void add_line(std::string& out, std::string_view command, const Chain& chain,
              std::string_view rest = {}) {
    out.append(command).append(" ").append(chain.name);
    if (!rest.empty()) out.append(" ").append(rest);
    out += '\n';
}

} // namespace

Chains parse_save(std::string_view text) {
    Chains chains;
    std::optional<TableName> table;
    while (!text.empty()) {
        std::string_view line = cut(text, '\n');
        if (line.starts_with('*')) table = table_called(line.substr(1));
        if (!table || line.empty()) continue;
        if (line.starts_with(':')) {
            line.remove_prefix(1);
            chains.try_emplace({*table, std::string(cut(line, ' '))});
            continue;
        }
        if (line.starts_with('[')) cut(line, ' '); // "[packets:bytes] " of iptables-save -c
        if (!line.starts_with("-A ")) continue;
        line.remove_prefix(3);
        const Chain chain{*table, std::string(cut(line, ' '))};
        chains[chain].push_back(canonical(line));
    }
    return chains;
}

std::string restore_text(TableName table, const TableChanges& changes) {
    std::string out{'*'};
    out.append(name(table)).append("\n");
    for (const auto& [chain, rules] : changes.replace)
        if (is_builtin(chain)) add_line(out, "-F", chain); // a declaration would set its policy
        else out.append(":").append(chain.name).append(" - [0:0]\n");
    for (const auto& [chain, rules] : changes.replace)
        for (const Rule& rule : rules)
            add_line(out, "-A", chain, rule);
    for (const PlacedRule& placed : changes.insert)
        add_line(out, "-I", placed.chain, placed.rule);
    for (const PlacedRule& placed : changes.remove_rules)
        add_line(out, "-D", placed.chain, placed.rule);
    for (const Chain& chain : changes.remove_chains)
        add_line(out, "-F", chain);
    for (const Chain& chain : changes.remove_chains)
        add_line(out, "-X", chain);
    return out + "COMMIT\n";
}

bool writable(const TableChanges& changes) {
    const auto chain_ok = [](const Chain& chain) { return is_plain_name(chain.name); };
    const auto placed_ok = [&](const PlacedRule& placed) {
        return chain_ok(placed.chain) && is_line(placed.rule);
    };
    return std::ranges::all_of(changes.replace,
                               [&](const auto& one) {
                                   return chain_ok(one.first) &&
                                          std::ranges::all_of(one.second, is_line);
                               }) &&
           std::ranges::all_of(changes.insert, placed_ok) &&
           std::ranges::all_of(changes.remove_rules, placed_ok) &&
           std::ranges::all_of(changes.remove_chains, chain_ok);
}

} // namespace ipvsproxy::iptables
