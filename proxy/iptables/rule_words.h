// The words of iptables-save for the numbers of the kernel, used by parser, printer and codec.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "netlink/ip.h"

namespace ipvsproxy::iptables {

/// "tcp", "icmp", "ipv6-icmp", …; the number where iptables has no name for it.
std::string protocol_word(std::uint8_t protocol);
/// A name or a number from 1 to 255.
std::optional<std::uint8_t> parse_protocol_word(std::string_view word);

/// "LOCAL", "UNICAST,LOCAL": XT_ADDRTYPE_* bits (linux/netfilter/xt_addrtype.h).
/// Nothing when a bit has no word, or none is set.
std::optional<std::string> addrtype_words(std::uint16_t bits);
std::optional<std::uint16_t> parse_addrtype_words(std::string_view words);

/// "RELATED,ESTABLISHED": XT_CONNTRACK_STATE_* bits (linux/netfilter/xt_conntrack.h).
std::optional<std::string> state_words(std::uint16_t bits);
std::optional<std::uint16_t> parse_state_words(std::string_view words);

/// "icmp-port-unreachable": ipt_reject_with or ip6t_reject_with.
std::optional<std::string_view> reject_word(Family family, std::uint32_t with);
std::optional<std::uint32_t> parse_reject_word(Family family, std::string_view word);

/// Whether a chain, set or interface may be called so: no quotes, spaces or control characters, and
/// nothing that reads as an option.
bool is_plain_name(std::string_view word) noexcept;

/// A decimal number from 0 to `most`.
std::optional<std::uint32_t> parse_number(std::string_view word, std::uint32_t most);
/// A number as C writes it: 0x4000, 16384.
std::optional<std::uint32_t> parse_c_number(std::string_view word);

} // namespace ipvsproxy::iptables
