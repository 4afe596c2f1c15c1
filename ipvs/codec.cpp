#include "ipvs/codec.h"

#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace ipvsproxy::ipvs {

using netlink::AttributeReader;
using netlink::AttributeTable;
using netlink::AttributeWriter;
using netlink::Bytes;
using netlink::Messages;

static_assert(static_cast<int>(Command::new_service) == IPVS_CMD_NEW_SERVICE);
static_assert(static_cast<int>(Command::set_service) == IPVS_CMD_SET_SERVICE);
static_assert(static_cast<int>(Command::del_service) == IPVS_CMD_DEL_SERVICE);
static_assert(static_cast<int>(Command::new_destination) == IPVS_CMD_NEW_DEST);
static_assert(static_cast<int>(Command::set_destination) == IPVS_CMD_SET_DEST);
static_assert(static_cast<int>(Command::del_destination) == IPVS_CMD_DEL_DEST);
static_assert(flag_persistent == IP_VS_SVC_F_PERSISTENT);
static_assert(flag_one_packet == IP_VS_SVC_F_ONEPACKET);
static_assert(flag_scheduler_1 == IP_VS_SVC_F_SCHED1);
static_assert(flag_scheduler_2 == IP_VS_SVC_F_SCHED2);
static_assert(flag_scheduler_3 == IP_VS_SVC_F_SCHED3);

namespace {

AttributeWriter begin(Messages& out, std::uint16_t family, int command) {
    return out.begin(family, 0,
                     genlmsghdr{.cmd = static_cast<std::uint8_t>(command),
                                .version = IPVS_GENL_VERSION,
                                .reserved = 0});
}

std::uint16_t address_family(Family family) noexcept {
    return family == Family::v4 ? AF_INET : AF_INET6;
}

std::optional<Family> known_family(std::uint16_t number) noexcept {
    if (number == AF_INET) return Family::v4;
    if (number == AF_INET6) return Family::v6;
    return {};
}

/// How many of the first bits of a client's address name the client: for IPv4 the mask itself
/// (__be32), for IPv6 its length.
std::uint32_t netmask(Family family, std::uint8_t prefix) noexcept {
    if (family == Family::v6) return prefix;
    const std::uint32_t bits = std::min<std::uint32_t>(prefix, 32);
    return bits == 0 ? 0 : htonl(std::numeric_limits<std::uint32_t>::max() << (32 - bits));
}

std::uint8_t persistence_prefix(Family family, std::uint32_t netmask) noexcept {
    if (family == Family::v4) return static_cast<std::uint8_t>(std::popcount(netmask));
    return static_cast<std::uint8_t>(std::min<std::uint32_t>(netmask, 128));
}

/// Where the value of the attribute stands that is written next, in a message that begins there.
std::size_t next_value(const AttributeWriter& out, std::size_t start) noexcept {
    return out.size() - start + netlink::aligned(sizeof(nlattr));
}

/// @param start of the message
KeyPlaces put_service_key(AttributeWriter& out, std::size_t start, const ServiceKey& key) {
    KeyPlaces places;
    out.u16(IPVS_SVC_ATTR_AF, address_family(key.address.family()));
    places.protocol = next_value(out, start);
    out.u16(IPVS_SVC_ATTR_PROTOCOL, static_cast<std::uint16_t>(key.protocol));
    places.address = next_value(out, start);
    out.bytes(IPVS_SVC_ATTR_ADDR, key.address.bytes());
    places.port = next_value(out, start);
    out.be16(IPVS_SVC_ATTR_PORT, key.port.value);
    return places;
}

KeyPlaces put_named_service(AttributeWriter& out, std::size_t start, const ServiceKey& key) {
    const std::size_t nested = out.begin_nested(IPVS_CMD_ATTR_SERVICE);
    const KeyPlaces places = put_service_key(out, start, key);
    out.end_nested(nested);
    return places;
}

void put_service_spec(AttributeWriter& out, const ServiceOperation& operation) {
    const ServiceSpec& spec = *operation.spec;
    out.string(IPVS_SVC_ATTR_SCHED_NAME, operation.scheduler);
    if (!spec.persistence_engine.empty())
        out.string(IPVS_SVC_ATTR_PE_NAME, spec.persistence_engine.view());
    // With every bit in the mask, flags that are not wanted are cleared.
    const ip_vs_flags flags{.flags = spec.flags, .mask = ~std::uint32_t{}};
    out.bytes(IPVS_SVC_ATTR_FLAGS, netlink::bytes_of(flags));
    out.u32(IPVS_SVC_ATTR_TIMEOUT, spec.timeout_seconds);
    out.u32(IPVS_SVC_ATTR_NETMASK,
            netmask(operation.key->address.family(), spec.persistence_prefix));
}

KeyPlaces put(Messages& messages, std::uint16_t family, const ServiceOperation& operation) {
    const std::size_t start = messages.bytes().size();
    AttributeWriter out = begin(messages, family, static_cast<int>(operation.command));
    const std::size_t nested = out.begin_nested(IPVS_CMD_ATTR_SERVICE);
    const KeyPlaces places = put_service_key(out, start, *operation.key);
    if (operation.spec != nullptr) put_service_spec(out, operation);
    out.end_nested(nested);
    messages.finish();
    return places;
}

KeyPlaces put(Messages& messages, std::uint16_t family, const DestinationOperation& operation) {
    const DestinationKey& key = *operation.key;
    const std::size_t start = messages.bytes().size();
    AttributeWriter out = begin(messages, family, static_cast<int>(operation.command));
    KeyPlaces places = put_named_service(out, start, key.service);
    const std::size_t nested = out.begin_nested(IPVS_CMD_ATTR_DEST);
    places.server_address = next_value(out, start);
    out.bytes(IPVS_DEST_ATTR_ADDR, key.address.bytes());
    places.server_port = next_value(out, start);
    out.be16(IPVS_DEST_ATTR_PORT, key.port.value);
    out.u16(IPVS_DEST_ATTR_ADDR_FAMILY, address_family(key.address.family()));
    if (operation.spec != nullptr) {
        const DestinationSpec& spec = *operation.spec;
        out.u32(IPVS_DEST_ATTR_FWD_METHOD, static_cast<std::uint32_t>(spec.forward));
        out.u32(IPVS_DEST_ATTR_WEIGHT, static_cast<std::uint32_t>(spec.weight));
        out.u32(IPVS_DEST_ATTR_U_THRESH, spec.upper_threshold);
        out.u32(IPVS_DEST_ATTR_L_THRESH, spec.lower_threshold);
    }
    out.end_nested(nested);
    messages.finish();
    return places;
}

template <class Spec> bool same(const Spec* one, const Spec* other) {
    return one == nullptr || other == nullptr ? one == other : *one == *other;
}

/// Whether the requests differ in what KeyPlaces names alone.
bool alike(const ServiceOperation& one, const ServiceOperation& other) {
    return one.command == other.command && same(one.spec, other.spec) &&
           one.scheduler == other.scheduler &&
           one.key->address.family() == other.key->address.family();
}
bool alike(const DestinationOperation& one, const DestinationOperation& other) {
    return one.command == other.command && same(one.spec, other.spec) &&
           one.key->service.address.family() == other.key->service.address.family() &&
           one.key->address.family() == other.key->address.family();
}

void set_address(std::uint8_t* at, const Address& address) noexcept {
    const auto bytes = address.bytes();
    if (address.family() == Family::v4) std::memcpy(at, bytes.data(), 4);
    else std::memcpy(at, bytes.data(), 16);
}

void set_u16(std::uint8_t* at, std::uint16_t value) noexcept {
    std::memcpy(at, &value, sizeof value);
}

void set_key(std::uint8_t* message, const KeyPlaces& places, const ServiceKey& key) noexcept {
    set_u16(message + places.protocol, static_cast<std::uint16_t>(key.protocol));
    set_address(message + places.address, key.address);
    set_u16(message + places.port, htons(key.port.value));
}

using ServiceAttributes = AttributeTable<IPVS_SVC_ATTR_MAX + 1>;
using DestinationAttributes = AttributeTable<IPVS_DEST_ATTR_MAX + 1>;

/// The attributes below one attribute of the first level; nothing when something is cut off.
template <class Table> std::optional<Table> nested(Bytes payload, std::uint16_t type) {
    if (payload.size() < sizeof(genlmsghdr)) return {};
    const AttributeReader all{payload.subspan(sizeof(genlmsghdr))};
    std::optional<AttributeReader> inner;
    auto at = all.begin();
    for (; at != all.end(); ++at)
        if (const auto one = *at; one.type == type) inner.emplace(one.payload);
    if (!inner || !at.rest().empty()) return {};
    std::optional<Table> table{*inner};
    if (!table->whole()) return {};
    return table;
}

/// The kernel answers with 16 bytes for IPv4 too, of which the first 4 count.
template <class Table>
std::optional<Address> address(const Table& in, std::uint16_t type, Family family) {
    const auto bytes = in.bytes(type);
    const std::size_t size = family == Family::v4 ? 4 : 16;
    if (!bytes || bytes->size() < size) return {};
    return Address::from_bytes(bytes->first(size));
}

std::optional<ServiceSpec> decode_service_spec(const ServiceAttributes& in, Family family) {
    const auto scheduler = in.string(IPVS_SVC_ATTR_SCHED_NAME);
    const auto flag_bytes = in.bytes(IPVS_SVC_ATTR_FLAGS);
    const auto flags = flag_bytes ? netlink::structure<ip_vs_flags>(*flag_bytes) : std::nullopt;
    const auto timeout = in.u32(IPVS_SVC_ATTR_TIMEOUT);
    const auto mask = in.u32(IPVS_SVC_ATTR_NETMASK);
    if (!scheduler || !flags || !timeout || !mask) return {};
    if ((flags->flags & IP_VS_SVC_F_HASHED) == 0) return {};
    return ServiceSpec{.scheduler = *scheduler,
                       .flags = flags->flags & ~std::uint32_t{IP_VS_SVC_F_HASHED},
                       .timeout_seconds = *timeout,
                       .persistence_prefix = persistence_prefix(family, *mask),
                       .persistence_engine = in.string(IPVS_SVC_ATTR_PE_NAME).value_or("")};
}

std::optional<DestinationSpec> decode_destination_spec(const DestinationAttributes& in) {
    const auto forward = in.u32(IPVS_DEST_ATTR_FWD_METHOD);
    const auto weight = in.u32(IPVS_DEST_ATTR_WEIGHT);
    const auto upper = in.u32(IPVS_DEST_ATTR_U_THRESH);
    const auto lower = in.u32(IPVS_DEST_ATTR_L_THRESH);
    if (!forward || !weight || !upper || !lower) return {};
    return DestinationSpec{.forward = static_cast<Forward>(*forward & IP_VS_CONN_F_FWD_MASK),
                           .weight = static_cast<std::int32_t>(*weight),
                           .upper_threshold = *upper,
                           .lower_threshold = *lower};
}

} // namespace

std::optional<Protocol> known_protocol(std::uint16_t number) noexcept {
    for (const Protocol each : {Protocol::tcp, Protocol::udp, Protocol::sctp})
        if (static_cast<std::uint16_t>(each) == number) return each;
    return {};
}

void put_operation(Messages& out, std::uint16_t family, const Operation& operation) {
    std::visit([&](const auto& each) { put(out, family, each); }, operation);
}

void OperationEncoder::put(const Operation& operation) {
    if (out_.empty()) {
        service_ = nullptr;
        destination_ = nullptr;
    }
    std::visit([this](const auto& each) { put(each); }, operation);
}

void OperationEncoder::put(const ServiceOperation& operation) {
    if (service_ != nullptr && alike(*service_, operation))
        set_key(out_.repeat().data(), places_, *operation.key);
    else places_ = ipvs::put(out_, family_, operation);
    service_ = &operation;
    destination_ = nullptr;
}

void OperationEncoder::put(const DestinationOperation& operation) {
    if (destination_ != nullptr && alike(*destination_, operation)) {
        auto* const message = out_.repeat().data();
        const DestinationKey& key = *operation.key;
        set_key(message, places_, key.service);
        set_address(message + places_.server_address, key.address);
        set_u16(message + places_.server_port, htons(key.port.value));
    } else {
        places_ = ipvs::put(out_, family_, operation);
    }
    destination_ = &operation;
    service_ = nullptr;
}

void put_services_query(Messages& out, std::uint16_t family) {
    begin(out, family, IPVS_CMD_GET_SERVICE);
    out.finish();
}

void put_destinations_query(Messages& out, std::uint16_t family, const ServiceKey& service) {
    AttributeWriter writer = begin(out, family, IPVS_CMD_GET_DEST);
    put_named_service(writer, 0, service);
    out.finish();
}

void put_timeouts_query(Messages& out, std::uint16_t family) {
    begin(out, family, IPVS_CMD_GET_CONFIG);
    out.finish();
}

void put_timeouts(Messages& out, std::uint16_t family, const Timeouts& timeouts) {
    const auto seconds = [](std::chrono::seconds value) {
        constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value.count(), 0, most));
    };
    AttributeWriter writer = begin(out, family, IPVS_CMD_SET_CONFIG);
    writer.u32(IPVS_CMD_ATTR_TIMEOUT_TCP, seconds(timeouts.tcp));
    writer.u32(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, seconds(timeouts.tcp_fin));
    writer.u32(IPVS_CMD_ATTR_TIMEOUT_UDP, seconds(timeouts.udp));
    out.finish();
}

bool decode_service(Bytes payload, GatheredServices& out) {
    const auto in = nested<ServiceAttributes>(payload, IPVS_CMD_ATTR_SERVICE);
    if (!in) return false;
    const auto number = in->u16(IPVS_SVC_ATTR_AF);
    const auto family = number ? known_family(*number) : std::nullopt;
    if (!family) return false;
    if (in->u32(IPVS_SVC_ATTR_FWMARK)) return true;
    const auto protocol_number = in->u16(IPVS_SVC_ATTR_PROTOCOL);
    const auto protocol = protocol_number ? known_protocol(*protocol_number) : std::nullopt;
    const auto vip = address(*in, IPVS_SVC_ATTR_ADDR, *family);
    const auto port = in->be16(IPVS_SVC_ATTR_PORT);
    const auto spec = decode_service_spec(*in, *family);
    if (!protocol || !vip || !port || !spec) return false;
    if (vip->family() == *family) out.put(ServiceKey{*vip, Port{*port}, *protocol}, *spec);
    return true;
}

Services in_order(GatheredServices services) {
    Services all;
    const auto leading = [](const ServiceKey& key) {
        const auto bits = leading_bits(key.address);
        return key.address.family() == Family::v4 ? bits | std::uint64_t{key.port.value} << 15
                                                  : bits;
    };
    services.take(leading, [&all](const ServiceKey& key, const ServiceSpec& spec) {
        const auto [at, added] = all.try_emplace(key, spec);
        if (!added) at->second = spec;
    });
    return all;
}

bool decode_destination(Bytes payload, const ServiceKey& service, ObservedDestinations& out) {
    const auto in = nested<DestinationAttributes>(payload, IPVS_CMD_ATTR_DEST);
    if (!in) return false;
    // Kernels before 3.18 do not say the family: it is the virtual server's.
    const auto family = known_family(
        in->u16(IPVS_DEST_ATTR_ADDR_FAMILY).value_or(address_family(service.address.family())));
    if (!family) return false;
    const auto server = address(*in, IPVS_DEST_ATTR_ADDR, *family);
    const auto port = in->be16(IPVS_DEST_ATTR_PORT);
    const auto spec = decode_destination_spec(*in);
    if (!server || !port || !spec) return false;
    if (server->family() != *family) return true;
    const DestinationStatus status{
        .active_connections = in->u32(IPVS_DEST_ATTR_ACTIVE_CONNS).value_or(0),
        .inactive_connections = in->u32(IPVS_DEST_ATTR_INACT_CONNS).value_or(0),
        .persistent_connections = in->u32(IPVS_DEST_ATTR_PERSIST_CONNS).value_or(0)};
    add_destination(out, {service, *server, Port{*port}}, *spec, status);
    return true;
}

std::optional<Timeouts> decode_timeouts(Bytes payload) {
    if (payload.size() < sizeof(genlmsghdr)) return {};
    const AttributeReader in{payload.subspan(sizeof(genlmsghdr))};
    if (!in.whole()) return {};
    const auto seconds = [&in](std::uint16_t type) {
        return std::chrono::seconds{in.u32(type).value_or(0)};
    };
    return Timeouts{.tcp = seconds(IPVS_CMD_ATTR_TIMEOUT_TCP),
                    .tcp_fin = seconds(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN),
                    .udp = seconds(IPVS_CMD_ATTR_TIMEOUT_UDP)};
}

void add_destination(ObservedDestinations& out, const DestinationKey& key,
                     const DestinationSpec& spec, const DestinationStatus& status) {
    const auto [at, added] = out.specs.try_emplace(key, spec);
    if (!added) at->second = spec;
    if (!(status == DestinationStatus{})) out.busy.insert_or_assign(key, status);
    else if (!added) out.busy.erase(key);
}

} // namespace ipvsproxy::ipvs
