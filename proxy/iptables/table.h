// A narrow door to iptables and ip6tables, and the contract its twins keep.
#pragma once

#include <string>
#include <system_error>
#include <vector>

#include "netlink/ip.h"
#include "proxy/iptables/types.h"

namespace ipvsproxy::iptables {

/// A table whose transaction the kernel did not take: nothing of it was written.
struct TableRefusal {
    TableName table{};
    std::error_code error{};
    std::string reason; ///< the object, the cause and the remedy, one line
    friend bool operator==(const TableRefusal&, const TableRefusal&) = default;
};

/// The tables nat, filter and mangle of one IP family. LegacyTables uses libiptc, NftTables runs
/// iptables-nft-save and iptables-nft-restore, MemoryTables is a map.
class Tables {
public:
    virtual ~Tables() = default;
    virtual Family family() const = 0;
    virtual Backend backend() const = 0;
    /// Whether MASQUERADE knows --random-fully here (iptables 1.6.2, kernel 3.14).
    virtual bool random_fully() const = 0;
    /// All chains of the three tables with their rules. A table the kernel does not have (its
    /// module is missing) is absent. Takes no lock and loads no module.
    /// @throws std::system_error when the kernel cannot be asked.
    virtual Chains snapshot() = 0;
    /// One transaction a table, nat first; a refused one does not hold up the next. Holds the
    /// xtables lock (legacy) while it reads and writes; waits for it five seconds at most.
    virtual std::vector<TableRefusal> apply(const TableChanges& changes) = 0;
};

} // namespace ipvsproxy::iptables
