#include "netlink/conntrack_codec.h"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace ipvsproxy;
using namespace ipvsproxy::netlink;

namespace {

Buffer bytes_of_all(const Messages& messages) {
    return {messages.bytes().begin(), messages.bytes().end()};
}

Message message(const Buffer& payload) {
    return {.type = 0x0100, .flags = 0, .sequence = 0, .payload = payload};
}

// clang-format off
const Buffer tuple_original{
    20, 0, 1, 0x80, 8, 0, 1, 0, 10, 0, 0, 5, 8, 0, 2, 0, 10, 96, 0, 10,          // CTA_TUPLE_IP
    28, 0, 2, 0x80, 5, 0, 1, 0, 17, 0, 0, 0, 6, 0, 2, 0, 0x9c, 0x40, 0, 0,       // UDP 40000
    6, 0, 3, 0, 0, 53, 0, 0,                                                     // to 53
};
const Buffer tuple_reply{
    20, 0, 1, 0x80, 8, 0, 1, 0, 10, 244, 0, 7, 8, 0, 2, 0, 10, 0, 0, 5,
    28, 0, 2, 0x80, 5, 0, 1, 0, 17, 0, 0, 0, 6, 0, 2, 0, 0, 53, 0, 0, 6, 0, 3, 0, 0x9c, 0x40, 0, 0,
};
// clang-format on

Buffer told(bool with_zone) {
    GrowingBytes written;
    std::ranges::copy(Buffer{2, 0, 0, 0}, written.extend(4)); // nfgenmsg
    AttributeWriter out{written};
    out.bytes(1, tuple_original, NLA_F_NESTED); // CTA_TUPLE_ORIG
    out.bytes(2, tuple_reply, NLA_F_NESTED);    // CTA_TUPLE_REPLY
    out.be32(3, 0x18e);                         // CTA_STATUS
    out.be32(12, 0x01020304);                   // CTA_ID
    if (with_zone) out.be16(18, 9);             // CTA_ZONE
    const Bytes payload = written;
    return {payload.begin(), payload.end()};
}

AddressPort at(const char* address, std::uint16_t port) {
    return {*Address::parse(address), {port}};
}

} // namespace

TEST_CASE("a flow is read") {
    const Buffer payload = told(false);
    const auto tracked = decode_flow(message(payload));
    REQUIRE(tracked);
    CHECK(tracked->flow == Flow{at("10.0.0.5", 40000), at("10.96.0.10", 53), at("10.244.0.7", 53)});
    CHECK(tracked->reply_destination == at("10.0.0.5", 40000));
    CHECK(tracked->protocol == 17);
    CHECK_FALSE(tracked->zone);
    const Buffer zoned = told(true);
    CHECK(decode_flow(message(zoned))->zone == 9);
}

TEST_CASE("a flow is deleted by its whole tuple and its id") {
    const Buffer payload = told(true);
    Messages out;
    put_delete_flow(out, *decode_flow(message(payload)));
    Buffer expected{88, 0, 0, 0, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 52, 0, 1, 0x80};
    expected.insert(expected.end(), tuple_original.begin(), tuple_original.end());
    const Buffer rest{8, 0, 12, 0, 1, 2, 3, 4, 6, 0, 18, 0, 0, 9, 0, 0};
    expected.insert(expected.end(), rest.begin(), rest.end());
    CHECK(bytes_of_all(out) == expected);
}

TEST_CASE("a flow that lacks an address, a port or its id is not one") {
    const Buffer payload = told(false);
    for (std::size_t length = 0; length < payload.size(); ++length) {
        const Buffer cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(length));
        CAPTURE(length);
        CHECK_FALSE(decode_flow(message(cut)));
    }
    for (const std::size_t position : {10U, 14U, 22U, 30U, 34U, 42U, 50U}) {
        Buffer unknown = payload; // the type of one nested attribute becomes an unknown one
        unknown[position] = 99;
        CAPTURE(position);
        CHECK_FALSE(decode_flow(message(unknown)));
    }
    CHECK_FALSE(decode_flow({.type = 0x0102, .flags = 0, .sequence = 0, .payload = payload}));
}

TEST_CASE("the kernel is asked to filter by protocol, and by destination where one is given") {
    CHECK(bytes_of_all(udp_flows_request(Family::v4, {})) ==
          Buffer{48, 0, 0,  0,    1,  1, 1, 0,    0, 0, 0, 0, 0,  0, 0, 0, 2, 0, 0, 0, // nfgenmsg
                 16, 0, 1,  0x80, 12, 0, 2, 0x80, 5, 0, 1, 0, 17, 0, 0, 0, // protocol UDP
                 12, 0, 25, 0x80, 8,  0, 1, 0,    8, 0, 0, 0});            // CTA_FILTER
    CHECK(bytes_of_all(udp_flows_request(
              Family::v4, {.destination = Address::parse("10.96.0.10"), .port = Port{53}})) ==
          Buffer{68, 0,  0,  0,  1, 1,    1,    0,  0,    0, 0,    0, 0, 0,    0, 0,  2,
                 0,  0,  0,  36, 0, 1,    0x80, 12, 0,    1, 0x80, 8, 0, 2,    0, 10, 96,
                 0,  10, 20, 0,  2, 0x80, 5,    0,  1,    0, 17,   0, 0, 0,    6, 0,  3,
                 0,  0,  53, 0,  0, 12,   0,    25, 0x80, 8, 0,    1, 0, 0x2a, 0, 0,  0});
    CHECK(bytes_of_all(udp_flows_request(Family::v6, {.destination = {}, .port = Port{53}})) ==
          Buffer{56, 0,  0, 0,  1,    1,  1,  0, 0,    0,    0, 0, 0, 0,  0,    0, 10, 0, 0,
                 0,  24, 0, 1,  0x80, 20, 0,  2, 0x80, 5,    0, 1, 0, 17, 0,    0, 0,  6, 0,
                 3,  0,  0, 53, 0,    0,  12, 0, 25,   0x80, 8, 0, 1, 0,  0x28, 0, 0,  0});
}
