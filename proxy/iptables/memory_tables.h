// The twin of the kernel's tables, for tests and for trying things out.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "proxy/iptables/table.h"

namespace ipvsproxy::iptables {

/// Keeps the chains in a map, by the rules of the kernel: a table appears with its built-in chains
/// when it is first written; a jump needs its chain; a chain that is jumped to stays.
class MemoryTables final : public Tables {
public:
    explicit MemoryTables(Family family, Backend backend = Backend::legacy)
        : family_(family), backend_(backend) {}

    Family family() const override { return family_; }
    Backend backend() const override { return backend_; }
    bool random_fully() const override { return random_fully_; }
    Chains snapshot() override;
    std::vector<TableRefusal> apply(const TableChanges& changes) override;

    /// From now on each transaction of `table` is refused with `error`; no error: taken again.
    void refuse(TableName table, std::error_code error);
    void set_random_fully(bool known) noexcept { random_fully_ = known; }
    /// Writes what somebody else might: the chain's content, or a new chain.
    void tamper(const Chain& chain, Rules rules);
    /// Transactions that changed something.
    int writes() const noexcept { return writes_; }

private:
    std::optional<TableRefusal> apply_to(TableName table, const TableChanges& changes);

    Family family_;
    Backend backend_;
    bool random_fully_{true};
    Chains chains_;
    std::map<TableName, std::error_code> refused_;
    int writes_{};
};

} // namespace ipvsproxy::iptables
