// ipset sets and their entries, as values.
#pragma once

#include <compare>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netlink/ip.h"
#include "netlink/sorted_set.h"

namespace ipvsproxy::ipset {

/// The set types used, by their kernel names (ip_set_hash_ipport.c and so on).
enum class Type : std::uint8_t {
    hash_ip,
    hash_ip_port,
    hash_ip_port_ip,
    hash_ip_port_net,
    bitmap_port
};

/// "hash:ip,port" …
std::string_view name(Type type) noexcept;
std::optional<Type> parse_type(std::string_view text) noexcept;

inline constexpr std::uint32_t default_max_entries = 65536; ///< IPSET_DEFAULT_MAXELEM
inline constexpr std::uint32_t default_hash_size = 1024;    ///< IPSET_DEFAULT_HASHSIZE

/// What a set is created with.
struct SetSpec {
    Type type{Type::hash_ip_port};
    Family family{Family::v4};                      ///< v4 for bitmap:port, which has none
    std::uint32_t max_entries{default_max_entries}; ///< bitmap:port: 65536, its range
    /// Whether a set of this spec does where `wanted` is asked for: a larger one does too.
    bool serves(const SetSpec& wanted) const noexcept {
        return type == wanted.type && family == wanted.family && max_entries >= wanted.max_entries;
    }
    friend bool operator==(const SetSpec&, const SetSpec&) = default;
};

/// An entry of any of the types; the members a type does not have stay at their defaults, so
/// that comparison is exact. Which members are meant, the set's type says.
struct Entry {
    Address address{};                ///< all hash types
    Protocol protocol{Protocol::tcp}; ///< hash:ip,port…; bitmap:port has none (stays tcp)
    Port port{};                      ///< hash:ip,port… and bitmap:port
    Prefix second{};                  ///< hash:ip,port,ip (host length) and hash:ip,port,net
    friend auto operator<=>(const Entry&, const Entry&) = default;
};

/// `10.96.0.10,tcp:80`, `10.244.0.5,tcp:80,10.244.0.5`, `203.0.113.9,tcp:80,10.0.0.0/8`,
/// `10.96.0.10`, `30080`; a host network without /32, as `ipset save` prints it.
std::string text(Type type, const Entry& entry);

using Entries = SortedSet<Entry>;

struct Set {
    SetSpec spec;
    Entries entries;
    friend bool operator==(const Set&, const Set&) = default;
};
using Sets = std::map<std::string, Set>; ///< by name (at most 31 characters, IPSET_MAXNAMELEN)

std::ostream& operator<<(std::ostream& out, const SetSpec& spec);
std::ostream& operator<<(std::ostream& out, const Entry& entry);

} // namespace ipvsproxy::ipset
