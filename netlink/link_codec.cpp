#include "netlink/link_codec.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <limits>

namespace ipvsproxy::netlink {

namespace {

constexpr std::uint32_t forever = std::numeric_limits<std::uint32_t>::max(); // seconds

ifinfomsg any_link() {
    return {AF_UNSPEC, 0, 0, 0, 0, 0};
}

ifaddrmsg address_header(int link_index, const DeviceAddress& key) {
    const int family = key.address.family() == Family::v4 ? AF_INET : AF_INET6;
    return {.ifa_family = static_cast<std::uint8_t>(family),
            .ifa_prefixlen = key.prefix_length,
            .ifa_flags = 0,
            .ifa_scope = RT_SCOPE_UNIVERSE,
            .ifa_index = static_cast<std::uint32_t>(link_index)};
}

/// IPv4 marks a permanent address that is never preferred by its flag only: there the kernel
/// reports endless lifetimes for all permanent ones (inet_fill_ifaddr of net/ipv4/devinet.c).
bool deprecated(const ifaddrmsg& header, const AttributeTable<IFA_MAX + 1>& attributes) {
    const std::uint32_t flags = attributes.u32(IFA_FLAGS).value_or(header.ifa_flags);
    if ((flags & IFA_F_DEPRECATED) != 0) return true;
    const auto lifetimes = attributes.bytes(IFA_CACHEINFO);
    const auto cache = lifetimes ? structure<ifa_cacheinfo>(*lifetimes) : std::nullopt;
    return cache && cache->ifa_prefered == 0;
}

} // namespace

std::optional<Link> decode_link(const Message& message) {
    const auto header = message.header<ifinfomsg>();
    if (!header || (message.type != RTM_NEWLINK && message.type != RTM_DELLINK)) return {};
    const AttributeReader attributes = message.attributes<ifinfomsg>();
    const auto name = attributes.string(IFLA_IFNAME);
    if (!name || name->empty()) return {};
    Link link{.index = header->ifi_index,
              .name = std::string{*name},
              .kind = {},
              .up = (header->ifi_flags & IFF_UP) != 0};
    if (const auto about = attributes.nested(IFLA_LINKINFO))
        link.kind = about->string(IFLA_INFO_KIND).value_or(std::string_view{});
    return link;
}

std::optional<LinkAddress> decode_address(const Message& message) {
    const auto header = message.header<ifaddrmsg>();
    if (!header || (message.type != RTM_NEWADDR && message.type != RTM_DELADDR)) return {};
    if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6) return {};
    const AttributeTable<IFA_MAX + 1> attributes{message.attributes<ifaddrmsg>()};
    auto bytes = attributes.bytes(IFA_LOCAL);
    if (!bytes) bytes = attributes.bytes(IFA_ADDRESS); // IPv6 without a peer has only this one
    const std::size_t length = header->ifa_family == AF_INET ? 4 : 16;
    if (!bytes || bytes->size() != length || header->ifa_prefixlen > length * 8) return {};
    const auto address = Address::from_bytes(*bytes);
    if (!address) return {};
    return LinkAddress{.link_index = static_cast<int>(header->ifa_index),
                       .key = {*address, header->ifa_prefixlen},
                       .spec = {.deprecated = deprecated(*header, attributes)}};
}

Messages links_request() {
    Messages messages;
    auto out = messages.begin(RTM_GETLINK, 0, any_link());
    out.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    messages.finish();
    return messages;
}

Messages link_request(const std::string& name) {
    Messages messages;
    auto out = messages.begin(RTM_GETLINK, 0, any_link());
    out.string(IFLA_IFNAME, name);
    out.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    messages.finish();
    return messages;
}

Messages addresses_request() {
    Messages messages;
    messages.begin(RTM_GETADDR, 0, ifaddrmsg{AF_UNSPEC, 0, 0, 0, 0});
    messages.finish();
    return messages;
}

Messages create_dummy_request(const std::string& name) {
    Messages messages;
    auto out = messages.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, any_link());
    out.string(IFLA_IFNAME, name);
    out.u32(IFLA_TXQLEN, 0);
    const auto about = out.begin_nested(IFLA_LINKINFO);
    out.string(IFLA_INFO_KIND, "dummy");
    out.end_nested(about);
    messages.finish();
    return messages;
}

Messages delete_link_request(const std::string& name) {
    Messages messages;
    auto out = messages.begin(RTM_DELLINK, 0, any_link());
    out.string(IFLA_IFNAME, name);
    messages.finish();
    return messages;
}

void put_new_address(Messages& out, int link_index, const DeviceAddress& key,
                     const DeviceAddressSpec& spec, Write write) {
    const std::uint16_t flags =
        write == Write::create ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_CREATE | NLM_F_REPLACE;
    auto attributes = out.begin(RTM_NEWADDR, flags, address_header(link_index, key));
    attributes.bytes(IFA_LOCAL, key.address.bytes());
    attributes.bytes(IFA_ADDRESS, key.address.bytes());
    if (spec.deprecated) { // without lifetimes the kernel takes both for endless
        const ifa_cacheinfo lifetimes{
            .ifa_prefered = 0, .ifa_valid = forever, .cstamp = 0, .tstamp = 0};
        attributes.bytes(IFA_CACHEINFO, bytes_of(lifetimes));
    }
    out.finish();
}

void NewAddressEncoder::put(Messages& out, int link_index, const DeviceAddress& key,
                            const DeviceAddressSpec& spec, Write write) {
    constexpr auto local = aligned(sizeof(nlmsghdr)) + aligned(sizeof(ifaddrmsg)) + sizeof(nlattr);
    const bool alike = count_ > 0 && count_ == out.count() && last_.link_index == link_index &&
                       last_.key.address.family() == key.address.family() &&
                       last_.key.prefix_length == key.prefix_length && last_.spec == spec &&
                       last_.write == write;
    if (alike) {
        auto* const message = out.repeat().data();
        const auto bytes = key.address.bytes();
        const auto other = local + bytes.size() + sizeof(nlattr); // IFA_ADDRESS follows IFA_LOCAL
        for (const auto place : {local, other})
            if (key.address.family() == Family::v4) std::memcpy(message + place, bytes.data(), 4);
            else std::memcpy(message + place, bytes.data(), 16);
    } else {
        put_new_address(out, link_index, key, spec, write);
        last_ = {link_index, key, spec, write};
    }
    count_ = out.count();
}

void put_delete_address(Messages& out, int link_index, const DeviceAddress& key) {
    auto attributes = out.begin(RTM_DELADDR, 0, address_header(link_index, key));
    attributes.bytes(IFA_LOCAL, key.address.bytes());
    attributes.bytes(IFA_ADDRESS, key.address.bytes());
    out.finish();
}

} // namespace ipvsproxy::netlink
