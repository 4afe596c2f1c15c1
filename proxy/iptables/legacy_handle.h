// One legacy table, read through libiptc, edited in memory and written back whole.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "netlink/ip.h"
#include "proxy/iptables/types.h"

namespace ipvsproxy::iptables {

/// Errors keep libiptc's errno. Nothing reaches the kernel before commit(); dropped uncommitted,
/// the table stays as it is. Not thread-safe: libiptc keeps a static note of its last call.
class LegacyHandle {
public:
    /// Reads the table. Opening one that was never used makes the kernel create it.
    /// Nothing, with `error` set, when it cannot be read: ENOENT or ENOPROTOOPT without its
    /// modules.
    static std::unique_ptr<LegacyHandle> open(Family family, TableName table,
                                              std::error_code& error);
    virtual ~LegacyHandle() = default;

    virtual std::vector<std::string> chains() = 0;
    virtual bool has_chain(const std::string& chain) = 0;

    /// One rule's bytes, and where its standard target leads (empty: nowhere).
    using Reader = std::function<void(std::span<const std::byte> entry, std::string_view jump)>;
    virtual void each_rule(const std::string& chain, const Reader& reader) = 0;

    virtual std::error_code create_chain(const std::string& chain) = 0;
    /// Takes all rules out; a built-in chain keeps its policy and the policy's counters.
    virtual std::error_code flush(const std::string& chain) = 0;
    /// EMLINK while a rule jumps there, ENOTEMPTY while it has rules, EINVAL when built in.
    virtual std::error_code remove_chain(const std::string& chain) = 0;
    virtual std::error_code append(const std::string& chain, std::span<const std::byte> entry) = 0;
    /// At the head of the chain.
    virtual std::error_code insert(const std::string& chain, std::span<const std::byte> entry) = 0;
    /// @param position counted from 0
    virtual std::error_code remove_rule(const std::string& chain, unsigned position) = 0;
    /// EAGAIN: somebody else has changed the table since it was read; read it anew. So with EINVAL,
    /// which may come once the rules are in: their counters are written apart
    /// (IPT_SO_SET_ADD_COUNTERS of linux/netfilter_ipv4/ip_tables.h).
    virtual std::error_code commit() = 0;
};

} // namespace ipvsproxy::iptables
