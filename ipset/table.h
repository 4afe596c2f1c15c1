// A narrow door to the kernel's ipsets, and the contract its twin keeps too.
#pragma once

#include <set>
#include <span>
#include <vector>

#include "ipset/types.h"
#include "netlink/change.h"

namespace ipvsproxy::ipset {

/// What is to happen to one set. In this order: created (or rebuilt), entries removed, entries
/// added.
struct SetChanges {
    /// Present: create the set so; where one of the name exists that does not serve, a set of
    /// this spec takes its place with the entries it has (built beside it and swapped in, so that
    /// rules which name it never see it half-filled, D-13).
    std::optional<SetSpec> create{};
    /// How many entries will be added to the new set, these and in later changes: what its hash is
    /// sized for. Less than `add` holds means no more than those.
    std::size_t expected{};
    SetSpec spec{};              ///< of the set the entries belong to
    std::vector<Entry> remove{}; ///< one that is missing counts as done
    std::vector<Entry> add{};    ///< one that exists counts as done
    friend bool operator==(const SetChanges&, const SetChanges&) = default;
};

struct TableChanges {
    std::map<std::string, SetChanges> sets;
    std::set<std::string> destroy; ///< one that is missing counts as done
    bool empty() const noexcept { return sets.empty() && destroy.empty(); }
};

/// Names what was refused: a whole set, or one entry of it.
struct Subject {
    std::string set;
    std::optional<Entry> entry{};
    friend bool operator==(const Subject&, const Subject&) = default;
};
std::ostream& operator<<(std::ostream& out, const Subject& subject);

struct Outcome {
    std::vector<Refusal<Subject>> refused;
    std::set<std::string> unknown; ///< sets whose batch's outcome was lost: read them again
    bool clean() const noexcept { return refused.empty() && unknown.empty(); }
};

/// ipset's own error numbers (IPSET_ERR_* of linux/netfilter/ipset/ip_set.h, from 4096) as a
/// category; below that the kernel's errno in generic_category.
const std::error_category& ipset_category() noexcept;

/// A set without its entries.
struct SetHeader {
    std::optional<SetSpec> spec{};              ///< nothing where the type is not ours
    std::optional<std::uint32_t> entry_count{}; ///< nothing where the kernel does not tell
    friend bool operator==(const SetHeader&, const SetHeader&) = default;
};
using SetHeaders = std::map<std::string, SetHeader>;

class Table {
public:
    virtual ~Table() = default;
    /// Every set of the namespace. @throws std::system_error when the kernel cannot be asked.
    virtual SetHeaders headers() = 0;
    /// The entries of one set. Nothing when there is no such set.
    /// @throws std::system_error when the kernel cannot be asked, or the set's type is not ours.
    virtual std::optional<Entries> entries(const std::string& name) = 0;
    /// Tries every change; one that is refused never holds up another.
    /// @throws std::system_error only when the socket itself is lost.
    virtual Outcome apply(const TableChanges& changes) = 0;
};

} // namespace ipvsproxy::ipset
