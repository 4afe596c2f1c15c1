#include "netlink/route_codec.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace ipvsproxy::netlink {

namespace {

constexpr std::uint32_t loopback = 1; ///< its ifindex in every namespace (include/net/flow.h)

std::uint8_t number(Family family) {
    return family == Family::v4 ? AF_INET : AF_INET6;
}

rtmsg route_header(Family family, std::uint8_t length, std::uint8_t scope) {
    return {.rtm_family = number(family),
            .rtm_dst_len = length,
            .rtm_src_len = 0,
            .rtm_tos = 0,
            .rtm_table = RT_TABLE_LOCAL,
            .rtm_protocol = route_protocol,
            .rtm_scope = scope,
            .rtm_type = RTN_LOCAL,
            .rtm_flags = 0};
}

void put_route(Messages& out, std::uint16_t type, std::uint16_t flags, const Address& address) {
    const auto header = route_header(address.family(), address.bits(), RT_SCOPE_HOST);
    auto attributes = out.begin(type, flags, header);
    attributes.bytes(RTA_DST, address.bytes());
    attributes.u32(RTA_OIF, loopback);
    out.finish();
}

} // namespace

Messages routes_request(Family family) {
    Messages messages;
    messages.begin(RTM_GETROUTE, 0, route_header(family, 0, RT_SCOPE_UNIVERSE));
    messages.finish();
    return messages;
}

std::optional<Address> decode_route(const Message& message) {
    const auto header = message.header<rtmsg>();
    if (!header || message.type != RTM_NEWROUTE) return {};
    if (header->rtm_table != RT_TABLE_LOCAL || header->rtm_type != RTN_LOCAL ||
        header->rtm_protocol != route_protocol)
        return {};
    const auto bytes = message.attributes<rtmsg>().bytes(RTA_DST);
    if (!bytes) return {};
    const auto address = Address::from_bytes(*bytes);
    if (!address || number(address->family()) != header->rtm_family ||
        header->rtm_dst_len != address->bits())
        return {};
    return address;
}

/// Without NLM_F_EXCL: that would refuse an IPv4 route beside the one that an address has.
void put_new_route(Messages& out, const Address& address) {
    const std::uint16_t exclusive = address.family() == Family::v6 ? NLM_F_EXCL : 0;
    put_route(out, RTM_NEWROUTE, static_cast<std::uint16_t>(NLM_F_CREATE | exclusive), address);
}

void put_delete_route(Messages& out, const Address& address) {
    put_route(out, RTM_DELROUTE, 0, address);
}

} // namespace ipvsproxy::netlink
