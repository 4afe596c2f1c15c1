// Sets and entries as bytes of the ipset netlink protocol, version 7
// (linux/netfilter/ipset/ip_set.h). Pure: bytes in, values out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipset/types.h"
#include "netlink/gathered.h"
#include "netlink/message.h"

namespace ipvsproxy::ipset {

inline constexpr std::size_t max_name_length = 31; ///< IPSET_MAXNAMELEN without its NUL

/// A nested length has 16 bits, and the kernel echoes a refused message whole: stay well below.
inline constexpr std::size_t max_message_bytes = 60 << 10;

/// Entries in the order in which the kernel tells them, which is that of its hashes.
using GatheredEntries = Gathered<Entry, Present>;

enum class Operation : std::uint8_t { add, remove };
enum class Detail : std::uint8_t { header, entries };

/// IPSET_CMD_CREATE that fails with EEXIST where a set of the name exists.
/// @param hash_size in buckets, a power of two; bitmap:port has none.
/// @param revision of the set type, see Revisions.
void encode_create(netlink::Messages& out, std::string_view set, const SetSpec& spec,
                   std::uint32_t hash_size, std::uint8_t revision);
/// IPSET_CMD_DESTROY. The name must not be empty: that would mean all sets.
void encode_destroy(netlink::Messages& out, std::string_view set);
/// IPSET_CMD_SWAP: the two exchange contents and references.
void encode_swap(netlink::Messages& out, std::string_view first, std::string_view second);
/// IPSET_CMD_LIST, a dump of one set, or of all when the name is empty.
void encode_list(netlink::Messages& out, std::string_view set, Detail detail);
/// IPSET_CMD_TYPE: which revisions of a type the kernel has.
void encode_type(netlink::Messages& out, Type type, Family family);

/// One IPSET_CMD_ADD or IPSET_CMD_DEL with as many entries, from the first on, as one message
/// may hold, numbered from 1 (IPSET_ATTR_LINENO). Existing and missing ones are no errors.
/// @return how many.
std::size_t encode_entries(netlink::Messages& out, Operation operation, std::string_view set,
                           const SetSpec& spec, std::span<const Entry> entries);
/// The same of a single entry, unnumbered: an error can mean no other.
void encode_entry(netlink::Messages& out, Operation operation, std::string_view set,
                  const SetSpec& spec, const Entry& entry);

/// What the first message about a set tells of it.
struct Header {
    std::optional<SetSpec> spec; ///< nothing where the type or family is not ours
    /// Created without what a SetSpec does not say: timeouts, netmask, counters, a range that does
    /// not begin at 0.
    bool plain{};
    std::optional<std::uint32_t> entry_count{}; ///< IPSET_ATTR_ELEMENTS, where the kernel tells it
    friend bool operator==(const Header&, const Header&) = default;
};

/// One message of a LIST dump.
struct Listing {
    std::string set;
    std::optional<Header> header{}; ///< only in a set's first message
    /// IPSET_ATTR_ADT, to be read with decode_entries; a view of the message.
    std::optional<netlink::AttributeReader> entries{};
};
/// Nothing when the message is no listing, or malformed.
std::optional<Listing> decode_listing(const netlink::Message& message);

/// Appends the entries of a listing. A protocol other than tcp, udp and sctp is kept as its
/// number, so that such an entry can be removed again.
/// @return false when they are malformed: some may have been appended.
bool decode_entries(const SetSpec& spec, const netlink::AttributeReader& listed,
                    GatheredEntries& out);
/// In their order.
Entries in_order(GatheredEntries entries);

/// The revisions of a set type that the kernel has, both included.
struct Revisions {
    std::uint8_t lowest{}, highest{};
    friend bool operator==(const Revisions&, const Revisions&) = default;
};
std::optional<Revisions> decode_type(const netlink::Message& message);

/// Which entry of an encode_entries() message the kernel stopped at.
/// @param request nlmsghdr and payload as echoed by its error.
/// @return its number, from 1; nothing when the message was refused as a whole.
std::optional<std::uint32_t> decode_failed_entry(netlink::Bytes request);

} // namespace ipvsproxy::ipset
