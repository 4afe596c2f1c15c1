// Chains and rules of one IP family's tables. A rule is its text in the form iptables-save prints
// without the "-A CHAIN ": the one language that the contract, both variants and people share.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ipvsproxy::iptables {

enum class TableName : std::uint8_t { nat, filter, mangle };
inline constexpr std::array all_tables{TableName::nat, TableName::filter, TableName::mangle};
std::string_view name(TableName table) noexcept;

struct Chain {
    TableName table{};
    std::string name;
    friend auto operator<=>(const Chain&, const Chain&) = default;
};

/// `-m comment --comment "kubernetes service portals" -j KUBE-SERVICES`
using Rule = std::string;
using Rules = std::vector<Rule>;

/// Everything the tables hold, built-in chains included. A rule that the legacy reader has no
/// words for is given as `(unknown rule of N bytes, digest X)`: it equals itself, and nothing of
/// ours.
using Chains = std::map<Chain, Rules>;

struct PlacedRule {
    Chain chain;
    Rule rule;
    friend auto operator<=>(const PlacedRule&, const PlacedRule&) = default;
};

/// In this order within one table's transaction: chains are created and filled, rules inserted at
/// the head of their chain (the last one listed ends up first), rules removed, chains removed
/// (flushed before, all of them, so that they may refer to each other).
struct TableChanges {
    Chains replace{};                 ///< the whole content; created when missing
    std::vector<PlacedRule> insert{}; ///< the jumps from built-in chains
    std::vector<PlacedRule> remove_rules{};
    std::set<Chain> remove_chains{};
    bool empty() const noexcept {
        return replace.empty() && insert.empty() && remove_rules.empty() && remove_chains.empty();
    }
    friend bool operator==(const TableChanges&, const TableChanges&) = default;
};

/// Which of the two implementations in the kernel holds the rules.
enum class Backend : std::uint8_t { legacy, nft };
std::string_view name(Backend backend) noexcept;

std::ostream& operator<<(std::ostream& out, const Chain& chain);
std::ostream& operator<<(std::ostream& out, const PlacedRule& rule);

} // namespace ipvsproxy::iptables
