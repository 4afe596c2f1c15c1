#include "proxy/iptables/legacy_extensions.h"

#include <fstream>
#include <optional>
#include <set>
#include <variant>

#include "proxy/iptables/rule_text.h"

namespace ipvsproxy::iptables {

namespace {

/// By the name the kernel knows it by, and the module it comes with.
struct Extension {
    std::string name, module;
    friend auto operator<=>(const Extension&, const Extension&) = default;
};
using Extensions = std::set<Extension>;

template <class... Cases> struct Overloaded : Cases... { using Cases::operator()...; };
template <class... Cases> Overloaded(Cases...) -> Overloaded<Cases...>;

std::optional<Extension> extension(const Match& match) {
    using Found = std::optional<Extension>;
    return std::visit(
        Overloaded{[](const CommentMatch&) -> Found {
                       return Extension{"comment", "xt_comment"};
                   },
                   [](const SetMatch&) -> Found {
                       return Extension{"set", "xt_set"};
                   },
                   [](const MarkMatch&) -> Found {
                       return Extension{"mark", "xt_mark"};
                   },
                   [](const AddrtypeMatch&) -> Found {
                       return Extension{"addrtype", "xt_addrtype"};
                   },
                   [](const PhysdevMatch&) -> Found {
                       return Extension{"physdev", "xt_physdev"};
                   },
                   [](const ConntrackMatch&) -> Found {
                       return Extension{"conntrack", "xt_conntrack"};
                   },
                   [](const IpvsMatch&) -> Found {
                       return Extension{"ipvs", "xt_ipvs"};
                   },
                   [](const auto&) -> Found { return std::nullopt; }}, // icmp is ip_tables' own
        match);
}

std::optional<Extension> extension(Family family, const Target& target) {
    if (std::holds_alternative<Masquerade>(target)) return Extension{"MASQUERADE", "xt_MASQUERADE"};
    if (std::holds_alternative<SetMark>(target)) return Extension{"MARK", "xt_mark"};
    if (std::holds_alternative<Reject>(target))
        return Extension{"REJECT", family == Family::v4 ? "ipt_REJECT" : "ip6t_REJECT"};
    return std::nullopt;
}

void collect(Family family, const Rule& rule, Extensions& matches, Extensions& targets) {
    const auto parsed = parse_rule(rule);
    if (!parsed) return;
    for (const auto& match : parsed->matches)
        if (auto found = extension(match)) matches.insert(*std::move(found));
    if (auto found = extension(family, parsed->target)) targets.insert(*std::move(found));
}

/// The modules of those that the file does not name.
std::set<std::string> missing(const Extensions& wanted, const std::string& file) {
    std::set<std::string> modules;
    std::ifstream in{file};
    if (!in) return modules;
    std::set<std::string> known;
    for (std::string line; std::getline(in, line);)
        known.insert(line);
    for (const auto& [name, module] : wanted)
        if (!known.contains(name)) modules.insert(module);
    return modules;
}

} // namespace

std::string missing_extensions(Family family, const TableChanges& changes) {
    Extensions matches;
    Extensions targets;
    for (const auto& [chain, rules] : changes.replace)
        for (const auto& rule : rules)
            collect(family, rule, matches, targets);
    for (const auto& placed : changes.insert)
        collect(family, placed.rule, matches, targets);
    const std::string files =
        std::string{"/proc/thread-self/net/"} + (family == Family::v4 ? "ip" : "ip6") + "_tables_";
    auto modules = missing(matches, files + "matches");
    modules.merge(missing(targets, files + "targets"));
    if (modules.empty()) return {};
    std::string all;
    for (const auto& module : modules)
        all += ' ' + module;
    return "the kernel lacks" + all + ": modprobe" + all;
}

} // namespace ipvsproxy::iptables
