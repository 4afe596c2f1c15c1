// The bytes of a rule in a legacy table: struct ipt_entry and ip6t_entry with their matches and
// target (linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/system/result.hpp>

#include "netlink/ip.h"
#include "proxy/iptables/rule_text.h"

namespace ipvsproxy::iptables {

/// Sets have names in text and numbers in rules. Asked once for each `-m set`.
class SetNames {
public:
    virtual ~SetNames() = default;
    /// Nothing when no set has this name.
    virtual std::optional<std::uint16_t> index(std::string_view name) = 0;
    virtual std::optional<std::string> name(std::uint16_t index) = 0;
};

/// One whole entry. A standard target carries the chain's name, as libiptc wants it: it turns the
/// name into a verdict or an offset. Refuses what the structures cannot hold: an address of the
/// other family, a set that does not exist, a match of somebody else.
boost::system::result<std::vector<std::byte>, RuleProblem>
encode_entry(Family family, const ParsedRule& rule, SetNames& sets);

/// Reads what encode_entry() writes, and some matches of other people's rules.
/// @param jump where a standard target leads, as libiptc says; empty when it leads nowhere.
/// Nothing when any part is not understood, or the bytes are cut off or inconsistent.
std::optional<ParsedRule> decode_entry(Family family, std::span<const std::byte> entry,
                                       std::string_view jump, SetNames& sets);

/// The text of an entry, or `(unknown rule of N bytes, digest X)`. The digest leaves out counters
/// and the offset of a jump, so it stays the same while the rule does.
std::string entry_text(Family family, std::span<const std::byte> entry, std::string_view jump,
                       SetNames& sets);

} // namespace ipvsproxy::iptables
