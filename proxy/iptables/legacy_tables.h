// The legacy tables of one IP family, through libiptc.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "proxy/iptables/legacy_lock.h"
#include "proxy/iptables/table.h"

namespace ipvsproxy::iptables {

class LegacyHandle;

/// Reads each table whole, edits it in memory and replaces it in the kernel at one stroke; writes
/// nothing when the content is right already. Works in the calling thread's network namespace;
/// keeps nothing between two calls, so that one thread may read while another writes.
class LegacyTables final : public Tables {
public:
    explicit LegacyTables(Family family, std::string lock_file = xtables_lock_file(),
                          std::chrono::milliseconds lock_wait = std::chrono::seconds{5});

    Family family() const override { return family_; }
    Backend backend() const override { return Backend::legacy; }
    /// Whether the kernel is 3.14 or newer.
    bool random_fully() const override { return random_fully_; }
    /// Of the tables listed in /proc/net/ip_tables_names (ip6_…): merely asking the kernel for
    /// another one would create it, and its hooks would cost every packet.
    Chains snapshot() override;
    std::vector<TableRefusal> apply(const TableChanges& changes) override;

private:
    std::optional<TableRefusal> apply_to(TableName table, const TableChanges& changes);
    std::unique_ptr<LegacyHandle> open(TableName table, std::error_code& error,
                                       std::string& remedy) const;

    Family family_;
    std::string lock_file_;
    std::chrono::milliseconds lock_wait_;
    bool random_fully_;
};

/// Loads the modules of the tables nat and filter where these do not exist yet. Needs
/// CAP_SYS_MODULE, which writing the rules later does not.
/// @return what is left to do by hand; empty when nothing is.
std::string load_legacy_modules(Family family);

/// Whether a kernel of this release ("6.1.0-56-cloud-amd64") can pick SNAT ports fully at random:
/// NF_NAT_RANGE_PROTO_RANDOM_FULLY came with Linux 3.14. True for what is no release.
bool kernel_knows_random_fully(std::string_view release) noexcept;

} // namespace ipvsproxy::iptables
