#include "netlink/link_codec.h"

#include <linux/rtnetlink.h>

#include <array>
#include <catch2/catch.hpp>
#include <random>

using namespace ipvsproxy;
using namespace ipvsproxy::netlink;

namespace {

Buffer bytes_of_all(const Messages& messages) {
    return {messages.bytes().begin(), messages.bytes().end()};
}

Message message(std::uint16_t type, const Buffer& payload) {
    return {.type = type, .flags = 0, .sequence = 0, .payload = payload};
}

const DeviceAddress v4{*Address::parse("10.96.0.10"), 32};
const DeviceAddress v6{*Address::parse("2001:db8::10"), 128};

// clang-format off
const Buffer new_v4{
    40, 0, 0, 0, 20, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0,  // RTM_NEWADDR REQUEST|CREATE|EXCL
    2, 32, 0, 0, 7, 0, 0, 0,                           // AF_INET /32 scope global, index 7
    8, 0, 2, 0, 10, 96, 0, 10,                         // IFA_LOCAL
    8, 0, 1, 0, 10, 96, 0, 10,                         // IFA_ADDRESS
};
const Buffer replace_v6{
    84, 0, 0, 0, 20, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0,  // RTM_NEWADDR REQUEST|CREATE|REPLACE
    10, 128, 0, 0, 7, 0, 0, 0,                         // AF_INET6 /128
    20, 0, 2, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    20, 0, 1, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    20, 0, 6, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, // preferred 0, valid ever
};
const Buffer delete_v4{
    40, 0, 0, 0, 21, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // RTM_DELADDR
    2, 32, 0, 0, 7, 0, 0, 0,
    8, 0, 2, 0, 10, 96, 0, 10,
    8, 0, 1, 0, 10, 96, 0, 10,
};
const Buffer create_dummy{
    72, 0, 0, 0, 16, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0,  // RTM_NEWLINK REQUEST|CREATE|EXCL
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    15, 0, 3, 0, 'k', 'u', 'b', 'e', '-', 'i', 'p', 'v', 's', '0', 0, 0, // IFLA_IFNAME
    8, 0, 13, 0, 0, 0, 0, 0,                           // IFLA_TXQLEN 0
    16, 0, 18, 0x80, 10, 0, 1, 0, 'd', 'u', 'm', 'm', 'y', 0, 0, 0, // IFLA_LINKINFO
};

/// As a 6.1 kernel tells a dummy that is down, without what is of no interest here.
const Buffer told_link{
    0, 0, 1, 0, 7, 0, 0, 0, 0x82, 0, 0, 0, 0, 0, 0, 0, // index 7, BROADCAST|NOARP
    15, 0, 3, 0, 'k', 'u', 'b', 'e', '-', 'i', 'p', 'v', 's', '0', 0, 0,
    8, 0, 4, 0, 0xdc, 5, 0, 0,                         // IFLA_MTU
    16, 0, 18, 0, 10, 0, 1, 0, 'd', 'u', 'm', 'm', 'y', 0, 0, 0,
};
/// … and an address with a label and lifetimes.
const Buffer told_v4{
    2, 24, 0x80, 0, 3, 0, 0, 0,                        // /24 PERMANENT, index 3
    8, 0, 1, 0, 192, 0, 2, 10,
    8, 0, 2, 0, 192, 0, 2, 10,
    9, 0, 3, 0, 'e', 't', 'h', '0', 0, 0, 0, 0,
    8, 0, 8, 0, 0x80, 0, 0, 0,                         // IFA_FLAGS
    20, 0, 6, 0, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 1, 0, 0, 0,
};
// clang-format on

} // namespace

TEST_CASE("addresses and the device are asked for as the kernel wants it") {
    Messages out;
    put_new_address(out, 7, v4, {.deprecated = false}, Write::create);
    CHECK(bytes_of_all(out) == new_v4);
    out.clear();
    put_new_address(out, 7, v6, {.deprecated = true}, Write::replace);
    CHECK(bytes_of_all(out) == replace_v6);
    out.clear();
    put_delete_address(out, 7, v4);
    CHECK(bytes_of_all(out) == delete_v4);
    CHECK(bytes_of_all(create_dummy_request("kube-ipvs0")) == create_dummy);
}

TEST_CASE("new addresses put one after the other are those put one by one") {
    const DeviceAddress other4{*Address::parse("10.96.7.8"), 32};
    const DeviceAddress wide4{*Address::parse("10.96.7.8"), 24};
    const DeviceAddress other6{*Address::parse("2001:db8::7:8"), 128};
    std::mt19937 random{7}; // NOLINT(*-msc51-cpp): the same addresses each time
    const auto below = [&](std::size_t count) { return random() % count; };
    Messages together;
    NewAddressEncoder encoder;
    for (int i = 0; i < 5000; ++i) {
        CAPTURE(i);
        const std::array keys{v4, other4, v6, other6, wide4};
        const auto key = keys.at(i / 20 % 2 == 0 ? below(2) : below(keys.size()));
        const DeviceAddressSpec spec{.deprecated = below(10) == 0};
        const auto write = below(10) == 0 ? Write::replace : Write::create;
        const int link = below(10) == 0 ? 8 : 7;
        if (below(100) == 0) put_delete_address(together, link, key);
        if (below(100) == 0) together.clear();
        encoder.put(together, link, key, spec, write);
        Messages alone;
        put_new_address(alone, link, key, spec, write);
        const auto last = together.bytes(together.count() - 1, together.count());
        REQUIRE(Buffer(last.begin(), last.end()) == bytes_of_all(alone));
    }
}

TEST_CASE("a link is read") {
    CHECK(decode_link(message(RTM_NEWLINK, told_link)) ==
          Link{.index = 7, .name = "kube-ipvs0", .kind = "dummy", .up = false});
    Buffer up = told_link;
    up[8] |= 1;
    CHECK(decode_link(message(RTM_DELLINK, up))->up);
    CHECK_FALSE(decode_link(message(RTM_NEWADDR, told_link)));
}

TEST_CASE("a link without a kind is a link, one without a name is not") {
    Buffer plain(told_link.begin(), told_link.begin() + 32);
    CHECK(decode_link(message(RTM_NEWLINK, plain))->kind.empty());
    plain.resize(16);
    CHECK_FALSE(decode_link(message(RTM_NEWLINK, plain)));
}

TEST_CASE("an address is read") {
    CHECK(decode_address(message(RTM_NEWADDR, told_v4)) ==
          LinkAddress{.link_index = 3,
                      .key = {*Address::parse("192.0.2.10"), 24},
                      .spec = {.deprecated = false}});
    CHECK_FALSE(decode_address(message(RTM_NEWLINK, told_v4)));
}

TEST_CASE("what is written as a request is read back as an address") {
    for (const auto& [wire, key, deprecated] :
         {std::tuple{new_v4, v4, false}, std::tuple{replace_v6, v6, true}}) {
        const Buffer payload(wire.begin() + 16, wire.end());
        CHECK(decode_address(message(RTM_NEWADDR, payload)) ==
              LinkAddress{.link_index = 7, .key = key, .spec = {deprecated}});
    }
}

TEST_CASE("the link's own address counts, not its peer's") {
    Buffer peer = told_v4;
    peer[15] = 99; // IFA_ADDRESS 192.0.2.99
    CHECK(decode_address(message(RTM_NEWADDR, peer))->key.address == *Address::parse("192.0.2.10"));
}

TEST_CASE("an IPv6 address without a peer is told by IFA_ADDRESS alone") {
    Buffer payload(replace_v6.begin() + 16, replace_v6.begin() + 24);
    payload.insert(payload.end(), replace_v6.begin() + 44, replace_v6.begin() + 64);
    CHECK(decode_address(message(RTM_NEWADDR, payload))->key == v6);
}

TEST_CASE("deprecated is told by the flag or by the lifetime") {
    Buffer flag = told_v4;
    flag[40] = 0xa0; // IFA_FLAGS: PERMANENT|DEPRECATED
    CHECK(decode_address(message(RTM_NEWADDR, flag))->spec.deprecated);
    Buffer lifetime = told_v4;
    for (std::size_t i = 48; i < 52; ++i)
        lifetime[i] = 0;
    CHECK(decode_address(message(RTM_NEWADDR, lifetime))->spec.deprecated);
    Buffer header_only(told_v4.begin(), told_v4.begin() + 16);
    header_only[2] = 0x20;
    CHECK(decode_address(message(RTM_NEWADDR, header_only))->spec.deprecated);
}

TEST_CASE("addresses of other families, sizes and impossible prefixes are not read") {
    Buffer bridge = told_v4;
    bridge[0] = 7;
    CHECK_FALSE(decode_address(message(RTM_NEWADDR, bridge)));
    Buffer as_v6 = told_v4;
    as_v6[0] = 10;
    CHECK_FALSE(decode_address(message(RTM_NEWADDR, as_v6)));
    Buffer prefix = told_v4;
    prefix[1] = 33;
    CHECK_FALSE(decode_address(message(RTM_NEWADDR, prefix)));
}

TEST_CASE("links and addresses cut anywhere are read in part or not at all") {
    for (std::size_t length = 0; length < told_link.size(); ++length) {
        const Buffer cut(told_link.begin(),
                         told_link.begin() + static_cast<std::ptrdiff_t>(length));
        const auto link = decode_link(message(RTM_NEWLINK, cut));
        CHECK(link.has_value() == (length >= 31));
    }
    for (std::size_t length = 0; length < told_v4.size(); ++length) {
        const Buffer cut(told_v4.begin(), told_v4.begin() + static_cast<std::ptrdiff_t>(length));
        const auto address = decode_address(message(RTM_NEWADDR, cut));
        CHECK(address.has_value() == (length >= 16));
    }
}
