// The twin of KernelTable: the kernel's rules for sets, kept in a map.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "ipset/table.h"

namespace ipvsproxy::ipset {

/// Refuses what the kernel refuses, with its errors: too many entries (Error::full), an entry the
/// type cannot hold, a missing set (ENOENT), another type under a name that is in use, the
/// destruction of a set in use (Error::busy).
class MemoryTable final : public Table {
public:
    SetHeaders headers() override;
    std::optional<Entries> entries(const std::string& name) override;
    Outcome apply(const TableChanges& changes) override;

    /// Every set of a type of ours, and what is in it.
    const Sets& sets() const noexcept { return sets_; }
    /// Behind the back of whoever applies changes: what a test calls drift.
    Sets& tamper() noexcept { return sets_; }
    /// A set of a type that is not ours; its name cannot be created before it is destroyed.
    void add_foreign(const std::string& name) { foreign_.insert(name); }

    /// As if a rule named the set, until release().
    void use(const std::string& name) { used_.insert(name); }
    void release(const std::string& name) { used_.erase(name); }

    /// Refuses to create or destroy the subject's set, or to add or remove its entry, with this
    /// error, until accept().
    void refuse(const Subject& subject, std::error_code error);
    void accept(const Subject& subject);
    /// The next apply() with changes for the set does them, but does not know it: the set is
    /// `unknown`, and what was refused is not told.
    void lose_outcome(const std::string& name) { lost_.insert(name); }
    /// headers(), entries() and apply() throw this until it is lifted by an empty code.
    void break_with(std::error_code error) { broken_ = error; }

    /// Sets created, rebuilt or destroyed, and entries added or removed, whether it was needed or
    /// not: an unchanged node must cost none.
    std::size_t writes() const noexcept { return writes_; }

private:
    using Key = std::pair<std::string, std::optional<Entry>>;

    void check() const;
    std::error_code planned(const Key& key) const;
    std::error_code ensure(const std::string& name, const SetSpec& wanted);
    std::error_code destroy(const std::string& name);
    void change_entries(const std::string& name, const SetChanges& changes, Outcome& outcome);
    static std::error_code add(Set& set, const Entry& entry);

    Sets sets_;
    std::set<std::string> foreign_, used_, lost_;
    std::map<Key, std::error_code> refusals_;
    std::error_code broken_;
    std::size_t writes_{};
};

} // namespace ipvsproxy::ipset
