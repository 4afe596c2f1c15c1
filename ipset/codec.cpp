#include "ipset/codec.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace ipvsproxy::ipset {
namespace {

using netlink::Attribute;
using netlink::AttributeReader;
using netlink::AttributeWriter;

constexpr std::uint16_t big_endian = NLA_F_NET_BYTEORDER;
constexpr std::uint16_t attr_bitmask = 12; // IPSET_ATTR_BITMASK, from Linux 6.2 on
constexpr std::uint32_t port_count = 65536;
constexpr std::size_t widest_entry = 96; // of IPv6 with a network and a number: 88 bytes

constexpr std::uint16_t message_type(ipset_cmd command) noexcept {
    return static_cast<std::uint16_t>(NFNL_SUBSYS_IPSET << 8 | command);
}

constexpr std::uint8_t family_number(Family family) noexcept {
    return family == Family::v4 ? AF_INET : AF_INET6;
}

AttributeWriter begin(netlink::Messages& out, ipset_cmd command, std::uint16_t flags = 0) {
    const nfgenmsg header{.nfgen_family = AF_INET, .version = NFNETLINK_V0, .res_id = 0};
    auto writer = out.begin(message_type(command), flags, header);
    writer.u8(IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL);
    return writer;
}

/// The bytes of an address in a set of `family`: an IPv4-mapped one, which the kernel keeps as
/// the IPv6 address it is, reads as IPv4 and has to be found again.
std::span<const std::uint8_t> bytes_in(Family family, const Address& address,
                                       std::array<std::uint8_t, 16>& mapped) noexcept {
    const auto bytes = address.bytes();
    if (family == Family::v4 || address.family() == Family::v6) return bytes;
    mapped = {};
    mapped[10] = mapped[11] = 0xff;
    std::ranges::copy(bytes, mapped.begin() + 12);
    return mapped;
}

void put_address(AttributeWriter& out, std::uint16_t type, Family family, const Address& address) {
    std::array<std::uint8_t, 16> mapped{};
    const auto bytes = bytes_in(family, address, mapped);
    const std::uint16_t kind = bytes.size() == 4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6;
    const auto nested = out.begin_nested(type);
    out.bytes(kind, bytes, big_endian);
    out.end_nested(nested);
}

void put_entry(AttributeWriter& out, const SetSpec& spec, const Entry& entry,
               std::optional<std::uint32_t> number) {
    const auto data = out.begin_nested(IPSET_ATTR_DATA);
    if (spec.type != Type::bitmap_port) put_address(out, IPSET_ATTR_IP, spec.family, entry.address);
    if (spec.type != Type::hash_ip) out.be16(IPSET_ATTR_PORT, entry.port.value, big_endian);
    if (spec.type != Type::hash_ip && spec.type != Type::bitmap_port)
        out.u8(IPSET_ATTR_PROTO, static_cast<std::uint8_t>(entry.protocol));
    if (spec.type == Type::hash_ip_port_ip || spec.type == Type::hash_ip_port_net)
        put_address(out, IPSET_ATTR_IP2, spec.family, entry.second.address());
    if (spec.type == Type::hash_ip_port_net) {
        const bool mapped = spec.family == Family::v6 && entry.second.family() == Family::v4;
        const int length = entry.second.length() + (mapped ? 96 : 0);
        out.u8(IPSET_ATTR_CIDR2, static_cast<std::uint8_t>(length));
    }
    if (number) out.be32(IPSET_ATTR_LINENO, *number, big_endian);
    out.end_nested(data);
}

ipset_cmd command(Operation operation) noexcept {
    return operation == Operation::add ? IPSET_CMD_ADD : IPSET_CMD_DEL;
}

/// Everything that an entry may be told by.
using EntryAttributes = netlink::AttributeTable<IPSET_ATTR_CIDR2 + 1>;

std::optional<Address> read_address(const EntryAttributes& data, std::uint16_t type) {
    const auto nested = data.nested(type);
    if (!nested) return {};
    netlink::Bytes ipv4, ipv6;
    for (const Attribute& one : *nested)
        if (one.type == IPSET_ATTR_IPADDR_IPV4) ipv4 = one.payload;
        else if (one.type == IPSET_ATTR_IPADDR_IPV6) ipv6 = one.payload;
    if (ipv4.data() != nullptr) return ipv4.size() == 4 ? Address::from_bytes(ipv4) : std::nullopt;
    return ipv6.size() == 16 ? Address::from_bytes(ipv6) : std::nullopt;
}

/// @param read what the nested address of the prefix read as.
std::optional<Prefix> read_network(const EntryAttributes& data, Family family, const Address& read,
                                   Type type) {
    const std::uint8_t host = family == Family::v4 ? 32 : 128;
    const std::uint8_t length =
        type == Type::hash_ip_port_net ? data.u8(IPSET_ATTR_CIDR2).value_or(host) : host;
    const bool mapped = family == Family::v6 && read.family() == Family::v4;
    if (length > host || (mapped && length < 96)) return {};
    return Prefix{read, static_cast<std::uint8_t>(mapped ? length - 96 : length)};
}

std::optional<Entry> read_entry(const SetSpec& spec, const EntryAttributes& data) {
    Entry entry;
    if (spec.type != Type::bitmap_port) {
        const auto address = read_address(data, IPSET_ATTR_IP);
        if (!address) return {};
        entry.address = *address;
    }
    if (spec.type == Type::hash_ip) return entry;
    const auto port = data.be16(IPSET_ATTR_PORT);
    if (!port) return {};
    entry.port = Port{*port};
    if (spec.type == Type::bitmap_port) return entry;
    const auto protocol = data.u8(IPSET_ATTR_PROTO);
    if (!protocol) return {};
    entry.protocol = static_cast<Protocol>(*protocol);
    if (spec.type == Type::hash_ip_port) return entry;
    const auto second = read_address(data, IPSET_ATTR_IP2);
    if (!second) return {};
    const auto network = read_network(data, spec.family, *second, spec.type);
    if (!network) return {};
    entry.second = *network;
    return entry;
}

std::optional<Family> read_family(std::optional<std::uint8_t> number, Type type) noexcept {
    if (type == Type::bitmap_port) return Family::v4;
    if (number == AF_INET) return Family::v4;
    if (number == AF_INET6) return Family::v6;
    return {};
}

Header read_bitmap_header(const AttributeReader& data, Header header) {
    const auto first = data.be16(IPSET_ATTR_PORT);
    const auto last = data.be16(IPSET_ATTR_PORT_TO);
    if (!first || !last || *first > *last) return {};
    header.spec->max_entries = static_cast<std::uint32_t>(*last - *first) + 1;
    header.plain = header.plain && *first == 0;
    return header;
}

Header read_hash_header(const AttributeReader& data, Header header) {
    const auto most = data.be32(IPSET_ATTR_MAXELEM);
    if (!most) return {};
    header.spec->max_entries = *most;
    const std::uint8_t host = header.spec->family == Family::v4 ? 32 : 128;
    header.plain = header.plain && data.u8(IPSET_ATTR_NETMASK).value_or(host) == host;
    return header;
}

Header read_header(const AttributeReader& attributes, std::string_view type_name) {
    const auto type = parse_type(type_name);
    const auto data = attributes.nested(IPSET_ATTR_DATA);
    if (!type || !data) return {};
    const auto family = read_family(attributes.u8(IPSET_ATTR_FAMILY), *type);
    if (!family) return {};
    Header header{.spec = SetSpec{*type, *family, 0}};
    header.plain = !data->find(IPSET_ATTR_TIMEOUT) && !data->find(attr_bitmask) &&
                   data->be32(IPSET_ATTR_CADT_FLAGS).value_or(0) == 0;
    header.entry_count = data->be32(IPSET_ATTR_ELEMENTS);
    return *type == Type::bitmap_port ? read_bitmap_header(*data, header)
                                      : read_hash_header(*data, header);
}

} // namespace

void encode_create(netlink::Messages& out, std::string_view set, const SetSpec& spec,
                   std::uint32_t hash_size, std::uint8_t revision) {
    auto writer = begin(out, IPSET_CMD_CREATE, NLM_F_CREATE | NLM_F_EXCL);
    const bool bitmap = spec.type == Type::bitmap_port;
    writer.string(IPSET_ATTR_SETNAME, set);
    writer.string(IPSET_ATTR_TYPENAME, name(spec.type));
    writer.u8(IPSET_ATTR_REVISION, revision);
    writer.u8(IPSET_ATTR_FAMILY, bitmap ? std::uint8_t{AF_UNSPEC} : family_number(spec.family));
    const auto data = writer.begin_nested(IPSET_ATTR_DATA);
    if (bitmap) {
        const auto last = std::clamp(spec.max_entries, 1U, port_count) - 1;
        writer.be16(IPSET_ATTR_PORT, 0, big_endian);
        writer.be16(IPSET_ATTR_PORT_TO, static_cast<std::uint16_t>(last), big_endian);
    } else {
        writer.be32(IPSET_ATTR_HASHSIZE, hash_size, big_endian);
        writer.be32(IPSET_ATTR_MAXELEM, spec.max_entries, big_endian);
    }
    writer.end_nested(data);
    out.finish();
}

void encode_destroy(netlink::Messages& out, std::string_view set) {
    assert(!set.empty()); // without a name, the kernel destroys every set it can
    auto writer = begin(out, IPSET_CMD_DESTROY);
    writer.string(IPSET_ATTR_SETNAME, set);
    out.finish();
}

void encode_swap(netlink::Messages& out, std::string_view first, std::string_view second) {
    auto writer = begin(out, IPSET_CMD_SWAP);
    writer.string(IPSET_ATTR_SETNAME, first);
    writer.string(IPSET_ATTR_SETNAME2, second);
    out.finish();
}

void encode_list(netlink::Messages& out, std::string_view set, Detail detail) {
    auto writer = begin(out, IPSET_CMD_LIST);
    if (!set.empty()) writer.string(IPSET_ATTR_SETNAME, set);
    if (detail == Detail::header) writer.be32(IPSET_ATTR_FLAGS, IPSET_FLAG_LIST_HEADER, big_endian);
    out.finish();
}

void encode_type(netlink::Messages& out, Type type, Family family) {
    auto writer = begin(out, IPSET_CMD_TYPE);
    const bool bitmap = type == Type::bitmap_port;
    writer.string(IPSET_ATTR_TYPENAME, name(type));
    writer.u8(IPSET_ATTR_FAMILY, bitmap ? std::uint8_t{AF_UNSPEC} : family_number(family));
    out.finish();
}

std::size_t encode_entries(netlink::Messages& out, Operation operation, std::string_view set,
                           const SetSpec& spec, std::span<const Entry> entries) {
    const std::size_t start = out.bytes().size();
    auto writer = begin(out, command(operation));
    writer.string(IPSET_ATTR_SETNAME, set);
    // Its presence makes the kernel report the number of the entry it stops at, in this place.
    writer.be32(IPSET_ATTR_LINENO, 0, big_endian);
    const auto list = writer.begin_nested(IPSET_ATTR_ADT);
    std::uint32_t count = 0;
    for (const auto& entry : entries) {
        if (writer.size() - start > max_message_bytes - widest_entry) break;
        put_entry(writer, spec, entry, ++count);
    }
    writer.end_nested(list);
    out.finish();
    return count;
}

void encode_entry(netlink::Messages& out, Operation operation, std::string_view set,
                  const SetSpec& spec, const Entry& entry) {
    auto writer = begin(out, command(operation));
    writer.string(IPSET_ATTR_SETNAME, set);
    put_entry(writer, spec, entry, {});
    out.finish();
}

std::optional<Listing> decode_listing(const netlink::Message& message) {
    if (message.type != message_type(IPSET_CMD_LIST) || !message.header<nfgenmsg>()) return {};
    const auto attributes = message.attributes<nfgenmsg>();
    const auto set = attributes.string(IPSET_ATTR_SETNAME);
    if (!attributes.whole() || !set || set->empty()) return {};
    Listing listing{.set = std::string{*set}};
    if (const auto type_name = attributes.string(IPSET_ATTR_TYPENAME))
        listing.header = read_header(attributes, *type_name);
    listing.entries = attributes.nested(IPSET_ATTR_ADT);
    return listing;
}

bool decode_entries(const SetSpec& spec, const AttributeReader& listed, GatheredEntries& out) {
    auto at = listed.begin();
    for (; at != listed.end(); ++at) {
        const Attribute attribute = *at;
        if (attribute.type != IPSET_ATTR_DATA) return false;
        const auto entry = read_entry(spec, EntryAttributes{AttributeReader{attribute.payload}});
        if (!entry) return false;
        out.put(*entry, {});
    }
    return at.rest().empty();
}

Entries in_order(GatheredEntries entries) {
    Entries all;
    const auto leading = [](const Entry& entry) {
        const auto bits = leading_bits(entry.address);
        if (entry.address.family() == Family::v6) return bits;
        return bits | static_cast<std::uint64_t>(entry.protocol) << 23 | entry.port.value;
    };
    entries.take(leading, [&all](const Entry& entry, Present) { all.insert(entry); });
    return all;
}

std::optional<Revisions> decode_type(const netlink::Message& message) {
    if (message.type != message_type(IPSET_CMD_TYPE) || !message.header<nfgenmsg>()) return {};
    const auto attributes = message.attributes<nfgenmsg>();
    const auto highest = attributes.u8(IPSET_ATTR_REVISION);
    if (!highest) return {};
    const auto lowest = attributes.u8(IPSET_ATTR_REVISION_MIN).value_or(*highest);
    return Revisions{lowest, *highest};
}

std::optional<std::uint32_t> decode_failed_entry(netlink::Bytes request) {
    constexpr auto front = netlink::aligned(sizeof(nlmsghdr)) + netlink::aligned(sizeof(nfgenmsg));
    if (request.size() < front) return {};
    const auto number = AttributeReader{request.subspan(front)}.be32(IPSET_ATTR_LINENO);
    return number.value_or(0) == 0 ? std::nullopt : number;
}

} // namespace ipvsproxy::ipset
