// How the parts of a legacy rule follow one another in memory; shared by both directions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

// The UAPI headers of the tables lean on libc's network types.
#include <climits>
#include <net/if.h>
#include <netinet/in.h>

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

namespace ipvsproxy::iptables {

using Bytes = std::span<const std::byte>;

/// XT_ALIGN: the kernel wants every part at a multiple of the largest scalar's alignment.
constexpr std::size_t aligned(std::size_t size) {
    constexpr std::size_t step = alignof(_xt_align);
    return (size + step - 1) / step * step;
}

/// A kernel structure at the head of `bytes`; nothing when they are too few.
template <class T>
requires std::is_trivially_copyable_v<T> std::optional<T> read(Bytes bytes) {
    if (bytes.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
}

/// Makes all bytes zero, padding included, which value-initialization and copies need not do.
template <class T>
requires std::is_trivially_copyable_v<T>
void clear(T& value) {
    std::memset(&value, 0, sizeof(T));
}

inline bool all_zero(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{}; });
}

/// The head of struct ipt_entry and ip6t_entry, without the flexible array that follows.
template <class Ip> struct EntryHead {
    Ip ip;
    unsigned nfcache;
    std::uint16_t target_offset, next_offset;
    unsigned comefrom;
    xt_counters counters;
};
using EntryHead4 = EntryHead<ipt_ip>;
using EntryHead6 = EntryHead<ip6t_ip6>;
static_assert(sizeof(EntryHead4) == sizeof(ipt_entry) && sizeof(EntryHead6) == sizeof(ip6t_entry));
static_assert(offsetof(EntryHead4, next_offset) == offsetof(ipt_entry, next_offset) &&
              offsetof(EntryHead6, next_offset) == offsetof(ip6t_entry, next_offset));

/// The head of a match or a target: xt_entry_match and xt_entry_target have one layout.
struct PartHead {
    std::uint16_t size;                 ///< of head and data, aligned
    char name[XT_EXTENSION_MAXNAMELEN]; // NOLINT(modernize-avoid-c-arrays) as in the kernel
    std::uint8_t revision;
};
static_assert(sizeof(PartHead) == sizeof(xt_entry_match) &&
              sizeof(PartHead) == sizeof(xt_entry_target));

/// A match or target of an entry: what it is called, and its data.
struct Part {
    std::string_view name; ///< points into the entry
    std::uint8_t revision{};
    Bytes data{};
};

/// The text in a fixed array of chars up to its zero; nothing when there is none.
template <std::size_t Size> std::optional<std::string_view>
text_in(const char (&chars)[Size]) { // NOLINT(modernize-avoid-c-arrays) UAPI
    const auto length = strnlen(static_cast<const char*>(chars), Size);
    if (length == Size) return std::nullopt;
    return std::string_view(static_cast<const char*>(chars), length);
}

} // namespace ipvsproxy::iptables
