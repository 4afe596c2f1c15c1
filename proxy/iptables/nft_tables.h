// The tables as iptables keeps them in nf_tables, through iptables-nft-save and -restore.
#pragma once

#include <optional>
#include <string_view>

#include "proxy/iptables/table.h"

namespace ipvsproxy::iptables {

/// nf_tables' own language has no match for sets: only iptables-nft knows how it wraps them
/// (nft_compat), so that program is run. Needs no lock, each run is one transaction of netlink.
class NftTables final : public Tables {
public:
    explicit NftTables(Family family) : family_(family) {}

    Family family() const override { return family_; }
    Backend backend() const override { return Backend::nft; }
    /// Every iptables with an nft variant (1.8) is younger than the option (1.6.2).
    bool random_fully() const override { return true; }
    /// @throws std::system_error, too, when the package iptables is not installed.
    Chains snapshot() override;
    /// Reads a table before it is written, and runs iptables-nft-restore only when that differs.
    std::vector<TableRefusal> apply(const TableChanges& changes) override;

private:
    Chains read(TableName table) const;
    std::optional<TableRefusal> apply_to(TableName table, const TableChanges& changes) const;

    Family family_;
};

/// Why iptables-nft-restore refused, from what it printed: the errno it names, if it is one we know
/// (else EIO), and the line it complains of.
struct RestoreFailure {
    std::error_code error;
    std::string reason;
};
RestoreFailure restore_failure(std::string_view printed, std::string_view input);

} // namespace ipvsproxy::iptables
