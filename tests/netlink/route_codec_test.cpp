#include "netlink/route_codec.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

using namespace ipvsproxy;
using namespace ipvsproxy::netlink;

namespace {

Buffer bytes_of_all(const Messages& messages) {
    return {messages.bytes().begin(), messages.bytes().end()};
}

std::optional<Address> decoded(std::uint16_t type, const Buffer& payload) {
    return decode_route({.type = type, .flags = 0, .sequence = 0, .payload = payload});
}

const Address v4 = *Address::parse("10.96.0.10");
const Address v6 = *Address::parse("fd00:96::10");

// clang-format off
const Buffer new_v4{
    44, 0, 0, 0, 24, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, // RTM_NEWROUTE REQUEST|CREATE
    2, 32, 0, 0, 255, 155, 254, 2, 0, 0, 0, 0,        // AF_INET /32, table local, 155, scope host, local
    8, 0, 1, 0, 10, 96, 0, 10,                        // RTA_DST
    8, 0, 4, 0, 1, 0, 0, 0,                           // RTA_OIF lo
};
const Buffer delete_v6{
    56, 0, 0, 0, 25, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, // RTM_DELROUTE
    10, 128, 0, 0, 255, 155, 254, 2, 0, 0, 0, 0,
    20, 0, 1, 0, 0xfd, 0, 0, 0x96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    8, 0, 4, 0, 1, 0, 0, 0,
};
/// As a 6.1 kernel tells one.
const Buffer told_v6{
    10, 128, 0, 0, 255, 155, 0, 2, 0, 0, 0, 0,
    8, 0, 15, 0, 255, 0, 0, 0,                        // RTA_TABLE
    20, 0, 1, 0, 0xfd, 0, 0, 0x96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    8, 0, 6, 0, 0, 4, 0, 0,                           // RTA_PRIORITY 1024
    8, 0, 4, 0, 1, 0, 0, 0,
};
// clang-format on

} // namespace

TEST_CASE("a local route is written as the kernel reads it") {
    Messages out;
    put_new_route(out, v4);
    CHECK(bytes_of_all(out) == new_v4);
    Messages removal;
    put_delete_route(removal, v6);
    CHECK(bytes_of_all(removal) == delete_v6);
}

TEST_CASE("an IPv6 route is refused where there is one; an IPv4 route stands beside an address's") {
    const auto flags = [](const Address& address) {
        Messages out;
        put_new_route(out, address);
        std::uint16_t seen{};
        for_each_message(out.bytes(), [&](const Message& message) { seen = message.flags; });
        return seen;
    };
    CHECK(flags(v6) == (NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL));
    CHECK(flags(v4) == (NLM_F_REQUEST | NLM_F_CREATE));
}

TEST_CASE("a local route is read as the kernel tells it") {
    CHECK(decoded(RTM_NEWROUTE, told_v6) == v6);
    const Buffer own{new_v4.begin() + 16, new_v4.end()};
    CHECK(decoded(RTM_NEWROUTE, own) == v4);
}

TEST_CASE("what is no route of ours to one address is passed over") {
    CHECK(decoded(RTM_DELROUTE, told_v6) == std::nullopt);
    struct Change {
        std::size_t at;
        std::uint8_t value;
    };
    // Family, prefix length, table, protocol, type.
    for (const auto& [at, value] :
         {Change{0, 2}, Change{1, 64}, Change{4, 254}, Change{5, 2}, Change{7, 6}}) {
        CAPTURE(at);
        auto other = told_v6;
        other.at(at) = value;
        CHECK(decoded(RTM_NEWROUTE, other) == std::nullopt);
    }
    for (std::size_t length = 0; length < 40; ++length) {
        CAPTURE(length);
        const auto end = told_v6.begin() + static_cast<std::ptrdiff_t>(length);
        CHECK(decoded(RTM_NEWROUTE, {told_v6.begin(), end}) == std::nullopt);
    }
}

TEST_CASE("the kernel is asked for our routes of one family only") {
    auto request = routes_request(Family::v6);
    for_each_message(request.bytes(), [](const Message& message) {
        CHECK(message.type == RTM_GETROUTE);
        const auto header = message.header<rtmsg>();
        REQUIRE(header);
        CHECK(header->rtm_family == AF_INET6);
        CHECK(header->rtm_table == RT_TABLE_LOCAL);
        CHECK(header->rtm_protocol == route_protocol);
        CHECK(header->rtm_dst_len == 0);
    });
}
