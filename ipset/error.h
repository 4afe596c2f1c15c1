// What the kernel answers about sets: an errno, or a number of ipset's own.
#pragma once

#include <system_error>

namespace ipvsproxy::ipset {

/// IPSET_ERR_* of linux/netfilter/ipset/ip_set.h and, from 4352, of the set types
/// (ip_set_hash.h, ip_set_bitmap.h), as far as they can meet us.
enum class Error : int {
    protocol = 4097,
    unknown_type = 4098,
    too_many_sets = 4099,
    busy = 4100,
    new_name_exists = 4101,
    type_mismatch = 4102,
    entry_state = 4103,
    invalid_prefix = 4104,
    invalid_netmask = 4105,
    invalid_family = 4106,
    no_timeout = 4107,
    referenced = 4108,
    not_ipv4 = 4109,
    not_ipv6 = 4110,
    no_counters = 4111,
    comment_too_long = 4112,
    invalid_mark_mask = 4113,
    no_skbinfo = 4114,
    full = 4352,          ///< bitmap:port has another meaning for it: outside the range
    invalid_entry = 4353, ///< such as 0.0.0.0 in hash:ip
    invalid_protocol = 4354,
    missing_protocol = 4355,
    range_unsupported = 4356,
    range_too_large = 4357,
};

/// In ipset_category().
std::error_code make_error_code(Error error) noexcept;

/// @param number positive: an errno, or from 4096 (IPSET_ERR_PRIVATE) a number of ipset's.
/// @return it in generic_category or ipset_category; success for 0.
std::error_code error_from(int number) noexcept;

} // namespace ipvsproxy::ipset

template <> struct std::is_error_code_enum<ipvsproxy::ipset::Error> : std::true_type {};
