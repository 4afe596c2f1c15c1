#include "netlink/conntrack_codec.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

namespace ipvsproxy::netlink {

namespace {

// The fields that CTA_FILTER_ORIG_FLAGS can name (net/netfilter/nf_conntrack_netlink.c; no header
// of the kernel's interface has them).
constexpr std::uint32_t filter_destination = 1U << 1;
constexpr std::uint32_t filter_protocol = 1U << 3;
constexpr std::uint32_t filter_destination_port = 1U << 5;

constexpr std::uint16_t message_type(std::uint8_t command) {
    return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | command);
}

nfgenmsg family_header(Family family) {
    const int number = family == Family::v4 ? AF_INET : AF_INET6;
    return {
        .nfgen_family = static_cast<std::uint8_t>(number), .version = NFNETLINK_V0, .res_id = 0};
}

struct Tuple {
    AddressPort source, destination;
    std::uint8_t protocol{};
};

std::optional<Address> address(const AttributeReader& ip, std::uint16_t v4, std::uint16_t v6) {
    if (const auto bytes = ip.bytes(v4); bytes && bytes->size() == 4)
        return Address::from_bytes(*bytes);
    if (const auto bytes = ip.bytes(v6); bytes && bytes->size() == 16)
        return Address::from_bytes(*bytes);
    return {};
}

std::optional<Tuple> decode_tuple(const AttributeReader& tuple) {
    const auto ip = tuple.nested(CTA_TUPLE_IP);
    const auto transport = tuple.nested(CTA_TUPLE_PROTO);
    if (!ip || !transport) return {};
    const auto source = address(*ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
    const auto destination = address(*ip, CTA_IP_V4_DST, CTA_IP_V6_DST);
    const auto protocol = transport->u8(CTA_PROTO_NUM);
    const auto source_port = transport->be16(CTA_PROTO_SRC_PORT);
    const auto destination_port = transport->be16(CTA_PROTO_DST_PORT);
    if (!source || !destination || !protocol || !source_port || !destination_port) return {};
    return Tuple{.source = {*source, Port{*source_port}},
                 .destination = {*destination, Port{*destination_port}},
                 .protocol = *protocol};
}

} // namespace

std::optional<TrackedFlow> decode_flow(const Message& message) {
    const auto header = message.header<nfgenmsg>();
    if (!header || message.type != message_type(IPCTNL_MSG_CT_NEW)) return {};
    const AttributeReader attributes = message.attributes<nfgenmsg>();
    const auto original = attributes.nested(CTA_TUPLE_ORIG);
    const auto reply = attributes.nested(CTA_TUPLE_REPLY);
    const auto id = attributes.u32(CTA_ID);
    if (!original || !reply || !id) return {};
    const auto sent = decode_tuple(*original);
    const auto answered = decode_tuple(*reply);
    if (!sent || !answered) return {};
    return TrackedFlow{.flow = {sent->source, sent->destination, answered->source},
                       .protocol = sent->protocol,
                       .reply_destination = answered->destination,
                       .id = *id,
                       .original = *attributes.bytes(CTA_TUPLE_ORIG),
                       .zone = attributes.be16(CTA_ZONE)};
}

Messages flows_request(Family family) {
    Messages messages;
    messages.begin(message_type(IPCTNL_MSG_CT_GET), 0, family_header(family));
    messages.finish();
    return messages;
}

Messages udp_flows_request(Family family, const FlowFilter& filter) {
    Messages messages;
    auto out = messages.begin(message_type(IPCTNL_MSG_CT_GET), 0, family_header(family));
    std::uint32_t fields = filter_protocol;
    const auto tuple = out.begin_nested(CTA_TUPLE_ORIG);
    if (filter.destination) {
        fields |= filter_destination;
        const auto ip = out.begin_nested(CTA_TUPLE_IP);
        out.bytes(family == Family::v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST,
                  filter.destination->bytes());
        out.end_nested(ip);
    }
    const auto transport = out.begin_nested(CTA_TUPLE_PROTO);
    out.u8(CTA_PROTO_NUM, IPPROTO_UDP);
    if (filter.port) {
        fields |= filter_destination_port;
        out.be16(CTA_PROTO_DST_PORT, filter.port->value);
    }
    out.end_nested(transport);
    out.end_nested(tuple);
    const auto wish = out.begin_nested(CTA_FILTER);
    out.u32(CTA_FILTER_ORIG_FLAGS, fields);
    out.end_nested(wish);
    messages.finish();
    return messages;
}

void put_delete_flow(Messages& out, const TrackedFlow& flow) {
    auto attributes = out.begin(message_type(IPCTNL_MSG_CT_DELETE), 0,
                                family_header(flow.flow.destination.address.family()));
    attributes.bytes(CTA_TUPLE_ORIG, flow.original, NLA_F_NESTED);
    attributes.u32(CTA_ID, flow.id);
    if (flow.zone) attributes.be16(CTA_ZONE, *flow.zone);
    out.finish();
}

} // namespace ipvsproxy::netlink
