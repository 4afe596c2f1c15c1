#include "proxy/iptables/legacy_tables.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <mutex>
#include <set>
#include <utility>

#include <sys/utsname.h>

#include "netlink/modules.h"
#include "proxy/iptables/legacy_codec.h"
#include "proxy/iptables/legacy_extensions.h"
#include "proxy/iptables/legacy_handle.h"
#include "proxy/iptables/legacy_sets.h"
#include "proxy/iptables/rule_text.h"
#include "proxy/iptables/table_edit.h"

namespace ipvsproxy::iptables {

namespace {

/// libiptc keeps a static note of its last call, and one thread may read while another writes.
std::mutex& turn_with_libiptc() {
    static std::mutex turn;
    return turn;
}

/// The tables that exist in this thread's network namespace. No file: no ip_tables, no table.
std::set<TableName> existing_tables(Family family) {
    const std::string file = family == Family::v4 ? "/proc/thread-self/net/ip_tables_names"
                                                  : "/proc/thread-self/net/ip6_tables_names";
    std::set<TableName> existing;
    errno = 0;
    std::ifstream in(file);
    if (!in) {
        if (errno == ENOENT) return existing;
        throw std::system_error(errno, std::generic_category(), "iptables: read " + file);
    }
    for (std::string line; std::getline(in, line);)
        for (const TableName table : all_tables)
            if (line == name(table)) existing.insert(table);
    return existing;
}

bool module_is_missing(std::error_code error) {
    return error == std::errc::no_such_file_or_directory || error == std::errc::no_protocol_option;
}

std::string module_of(Family family, TableName table) {
    return (family == Family::v4 ? "iptable_" : "ip6table_") + std::string(name(table));
}

/// libiptc loads nothing, and the kernel nothing before ip_tables is there.
/// @return what is left to do by hand; empty when nothing is.
std::string load_modules(Family family, TableName table) {
    std::string remedy;
    for (const auto& module :
         {std::string(family == Family::v4 ? "ip_tables" : "ip6_tables"), module_of(family, table)})
        if (const auto failure = load_module(module))
            remedy +=
                (remedy.empty() ? "load module " : ", ") + module + " (" + failure.message() + ")";
    return remedy;
}

/// Whether the table has to exist for these changes.
bool adds(TableName table, const TableChanges& changes) {
    return std::ranges::any_of(changes.replace,
                               [=](const auto& one) { return one.first.table == table; }) ||
           std::ranges::any_of(changes.insert, [=](const PlacedRule& placed) {
               return placed.chain.table == table;
           });
}

/// Says what failed in the words of a refusal.
class Teller {
public:
    Teller(Family family, TableName table) : family_(family), table_(table) {}
    TableRefusal refusal(std::error_code error, std::string_view what,
                         std::string_view remedy = {}) const {
        std::string reason = family_ == Family::v4 ? "iptables" : "ip6tables";
        reason.append(" (legacy) table ").append(name(table_)).append(": ").append(what);
        reason.append(": ").append(error.message());
        if (!remedy.empty()) reason.append("; ").append(remedy);
        return {table_, error, std::move(reason)};
    }

private:
    Family family_;
    TableName table_;
};

Rules read_rules(LegacyHandle& handle, Family family, const std::string& chain, SetNames& sets) {
    Rules rules;
    handle.each_rule(chain, [&](std::span<const std::byte> entry, std::string_view jump) {
        rules.push_back(entry_text(family, entry, jump, sets));
    });
    return rules;
}

Chains read_chains(LegacyHandle& handle, Family family, const std::set<Chain>& chains) {
    KernelSetNames sets(family);
    Chains read;
    for (const Chain& chain : chains)
        if (handle.has_chain(chain.name))
            read.emplace(chain, read_rules(handle, family, chain.name, sets));
    return read;
}

/// Carries an edit out on the table in memory. The first failure ends it: nothing is committed.
class Editor {
public:
    Editor(LegacyHandle& handle, Family family, const Teller& teller)
        : handle_(handle), family_(family), sets_(family), teller_(teller) {}

    std::optional<TableRefusal> run(const Chains& observed, const TableChanges& changes) {
        for (const auto& [chain, rules] : changes.replace) // all, before a rule jumps to one
            if (!handle_.has_chain(chain.name))
                check(handle_.create_chain(chain.name), "create chain " + chain.name);
        for (const auto& [chain, rules] : changes.replace) {
            check(handle_.flush(chain.name), "empty chain " + chain.name);
            for (const Rule& rule : rules)
                append(chain, rule);
        }
        for (const PlacedRule& placed : changes.insert)
            insert(placed);
        remove_rules(observed, changes);
        for (const Chain& chain : changes.remove_chains) // all, for they may refer to each other
            check(handle_.flush(chain.name), "empty chain " + chain.name);
        for (const Chain& chain : changes.remove_chains)
            check(handle_.remove_chain(chain.name), "remove chain " + chain.name,
                  "a rule of another chain still leads there");
        return std::move(refusal_);
    }

private:
    void append(const Chain& chain, const Rule& rule) {
        const std::string what = "chain " + chain.name + ", rule \"" + rule + "\"";
        if (const auto entry = encode(rule, what)) check(handle_.append(chain.name, *entry), what);
    }
    void insert(const PlacedRule& placed) {
        const std::string what = "chain " + placed.chain.name + ", insert \"" + placed.rule + "\"";
        if (const auto entry = encode(placed.rule, what))
            check(handle_.insert(placed.chain.name, *entry), what);
    }
    /// The rules go by position, so that also those without words can be told apart.
    void remove_rules(const Chains& observed, const TableChanges& changes) {
        for (const PlacedRule& placed : changes.remove_rules) {
            if (refusal_) return;
            auto& rules = texts_of(placed.chain, observed, changes);
            const auto found = std::ranges::find(rules, placed.rule);
            if (found == rules.end()) continue;
            check(handle_.remove_rule(placed.chain.name,
                                      static_cast<unsigned>(found - rules.begin())),
                  "chain " + placed.chain.name + ", remove \"" + placed.rule + "\"");
            rules.erase(found);
        }
    }
    /// A chain's rules as they stand in memory after replacements and insertions.
    Rules& texts_of(const Chain& chain, const Chains& observed, const TableChanges& changes) {
        const auto [known, is_new] = texts_.try_emplace(chain);
        if (!is_new) return known->second;
        if (const auto replaced = changes.replace.find(chain); replaced != changes.replace.end())
            known->second = replaced->second;
        else if (const auto seen = observed.find(chain); seen != observed.end())
            known->second = seen->second;
        for (const PlacedRule& placed : changes.insert)
            if (placed.chain == chain) known->second.insert(known->second.begin(), placed.rule);
        return known->second;
    }

    std::optional<std::vector<std::byte>> encode(const Rule& rule, std::string_view what) {
        if (refusal_) return std::nullopt;
        const auto parsed = parse_rule(rule);
        if (!parsed) return refuse(parsed.error(), what);
        if (const Jump* const jump = std::get_if<Jump>(&parsed->target)) {
            const bool verdict = jump->to == "ACCEPT" || jump->to == "DROP" || jump->to == "RETURN";
            if (!verdict && !handle_.has_chain(jump->to))
                return refuse({jump->to, "is a chain that does not exist",
                               std::errc::no_such_file_or_directory},
                              what);
        }
        auto entry = encode_entry(family_, *parsed, sets_);
        if (!entry) return refuse(entry.error(), what);
        return *std::move(entry);
    }
    std::nullopt_t refuse(const RuleProblem& problem, std::string_view what) {
        refusal_ = teller_.refusal(make_error_code(problem.error), what, problem.text());
        return std::nullopt;
    }
    void check(std::error_code error, std::string_view what, std::string_view if_linked = {}) {
        if (!error || refusal_) return;
        const bool linked = error == std::errc::too_many_links;
        refusal_ = teller_.refusal(error, what, linked ? if_linked : std::string_view());
    }

    LegacyHandle& handle_;
    Family family_;
    KernelSetNames sets_;
    Teller teller_;
    Chains texts_;
    std::optional<TableRefusal> refusal_;
};

} // namespace

bool kernel_knows_random_fully(std::string_view release) noexcept {
    unsigned major = 0;
    unsigned minor = 0;
    const char* const end = release.data() + release.size();
    const auto dot = std::from_chars(release.data(), end, major);
    if (dot.ec != std::errc{} || dot.ptr == end || *dot.ptr != '.') return true;
    if (std::from_chars(dot.ptr + 1, end, minor).ec != std::errc{}) return true;
    return std::pair(major, minor) >= std::pair(3U, 14U);
}

std::string load_legacy_modules(Family family) {
    const auto existing = existing_tables(family);
    std::string remedy;
    for (const TableName table : {TableName::nat, TableName::filter})
        if (!existing.contains(table)) remedy += load_modules(family, table);
    return remedy;
}

LegacyTables::LegacyTables(Family family, std::string lock_file,
                           std::chrono::milliseconds lock_wait)
    : family_(family), lock_file_(std::move(lock_file)), lock_wait_(lock_wait) {
    utsname system{};
    random_fully_ = ::uname(&system) != 0 ||
                    kernel_knows_random_fully(static_cast<const char*>(system.release));
}

Chains LegacyTables::snapshot() {
    const std::lock_guard turn{turn_with_libiptc()};
    Chains chains;
    for (const TableName table : existing_tables(family_)) {
        std::error_code error;
        const auto handle = LegacyHandle::open(family_, table, error);
        if (module_is_missing(error)) continue; // unloaded just now
        if (!handle)
            throw std::system_error(error, "iptables: read table " + std::string(name(table)));
        std::set<Chain> all;
        for (auto& chain : handle->chains())
            all.insert({table, std::move(chain)});
        chains.merge(read_chains(*handle, family_, all));
    }
    return chains;
}

std::vector<TableRefusal> LegacyTables::apply(const TableChanges& changes) {
    std::vector<TableRefusal> refusals;
    if (changes.empty()) return refusals;
    const LegacyLock lock(lock_file_, lock_wait_);
    const std::lock_guard turn{turn_with_libiptc()};
    for (const TableName table : all_tables) {
        if (named_chains(table, changes).empty()) continue;
        std::optional<TableRefusal> refusal;
        if (lock.error() == std::errc::operation_would_block)
            refusal = Teller(family_, table)
                          .refusal(lock.error(), "lock " + lock_file_,
                                   "another program held it for all of " +
                                       std::to_string(lock_wait_.count()) + " ms; see who: fuser " +
                                       lock_file_);
        else if (lock.error())
            refusal = Teller(family_, table).refusal(lock.error(), "lock " + lock_file_);
        else refusal = apply_to(table, changes);
        if (refusal) refusals.push_back(*std::move(refusal));
    }
    return refusals;
}

std::unique_ptr<LegacyHandle> LegacyTables::open(TableName table, std::error_code& error,
                                                 std::string& remedy) const {
    auto handle = LegacyHandle::open(family_, table, error);
    if (handle || !module_is_missing(error)) return handle;
    remedy = load_modules(family_, table);
    return LegacyHandle::open(family_, table, error);
}

std::optional<TableRefusal> LegacyTables::apply_to(TableName table, const TableChanges& changes) {
    constexpr int most_attempts = 5;
    const Teller teller(family_, table);
    if (!adds(table, changes) && !existing_tables(family_).contains(table)) return std::nullopt;

    for (int attempt = 1;; ++attempt) {
        std::error_code error;
        std::string remedy;
        const auto handle = open(table, error, remedy);
        if (!handle) return teller.refusal(error, "read", remedy);
        const Chains observed = read_chains(*handle, family_, named_chains(table, changes));
        const TableEdit edit = edit_for(table, observed, changes);
        if (edit.changes.empty()) return std::nullopt;
        if (auto refusal = Editor(*handle, family_, teller).run(observed, edit.changes))
            return refusal;
        error = handle->commit();
        if (!error) return std::nullopt;
        // EINVAL says so too where the table became another between libiptc's two steps, the rules
        // and then their counters: the rules are in by then, which reading them anew tells.
        const bool changed_underneath = error == std::errc::resource_unavailable_try_again ||
                                        error == std::errc::invalid_argument;
        if (changed_underneath && attempt < most_attempts) continue;
        const bool lacks = error == std::errc::no_such_file_or_directory;
        return teller.refusal(error, "commit",
                              lacks ? missing_extensions(family_, edit.changes) : std::string{});
    }
}

} // namespace ipvsproxy::iptables
