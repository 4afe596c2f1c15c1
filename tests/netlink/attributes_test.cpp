#include "netlink/attributes.h"

#include <catch2/catch.hpp>

#include <map>

#include "netlink/attribute_writer.h"

using namespace ipvsproxy::netlink;

namespace {

/// Little-endian machines only: the numbers of netlink's own headers are in host order.
const Buffer golden{
    5,  0, 1, 0,    0x7f, 0,    0, 0,             // u8, padded
    6,  0, 2, 0,    0x34, 0x12, 0, 0,             // u16
    8,  0, 3, 0,    4,    3,    2, 1,             // u32
    6,  0, 4, 0x40, 0x12, 0x34, 0, 0,             // be16, NLA_F_NET_BYTEORDER
    8,  0, 5, 0,    1,    2,    3, 4,             // be32
    7,  0, 6, 0,    'l',  'o',  0, 0,             // string
    12, 0, 7, 0x80, 8,    0,    1, 0, 9, 8, 7, 6, // nested, NLA_F_NESTED
};

Buffer all_of(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}

Buffer written() {
    GrowingBytes buffer;
    std::fill_n(buffer.extend(200), 200, std::uint8_t{0xff}); // shows in no padding
    buffer.clear();
    AttributeWriter out{buffer};
    out.u8(1, 0x7f);
    out.u16(2, 0x1234);
    out.u32(3, 0x01020304);
    out.be16(4, 0x1234, NLA_F_NET_BYTEORDER);
    out.be32(5, 0x01020304);
    out.string(6, "lo");
    const auto nest = out.begin_nested(7);
    out.bytes(1, Buffer{9, 8, 7, 6});
    out.end_nested(nest);
    return all_of(buffer);
}

} // namespace

TEST_CASE("attributes are written as the kernel lays them out") {
    CHECK(written() == golden);
}

TEST_CASE("attributes are read as they were written") {
    const AttributeReader reader{golden};
    CHECK(reader.whole());
    CHECK(reader.u8(1) == 0x7f);
    CHECK(reader.u16(2) == 0x1234);
    CHECK(reader.u32(3) == 0x01020304U);
    CHECK(reader.be16(4) == 0x1234);
    CHECK(reader.be32(5) == 0x01020304U);
    CHECK(reader.string(6) == "lo");
    REQUIRE(reader.nested(7));
    CHECK(reader.nested(7)->u32(1) == 0x06070809U);
    CHECK(reader.nested(7)->bytes(1)->size() == 4);
    CHECK_FALSE(reader.find(8));
    CHECK_FALSE(reader.u32(8));
    CHECK_FALSE(reader.nested(8));
}

TEST_CASE("a 64-bit number is read from eight bytes") {
    GrowingBytes buffer;
    AttributeWriter{buffer}.u64(1, 0x0102030405060708);
    CHECK(AttributeReader{buffer}.u64(1) == 0x0102030405060708U);
    CHECK_FALSE(AttributeReader{buffer}.u32(1));
}

TEST_CASE("a number is not read from a payload of another size") {
    const AttributeReader reader{golden};
    CHECK_FALSE(reader.u16(1));
    CHECK_FALSE(reader.u32(2));
    CHECK_FALSE(reader.be16(3));
    CHECK_FALSE(reader.u8(3));
    CHECK_FALSE(reader.u64(3));
}

TEST_CASE("a string ends at its NUL or at the end of its attribute") {
    GrowingBytes buffer;
    AttributeWriter out{buffer};
    out.bytes(1, Buffer{'a', 0, 'b'});
    out.bytes(2, Buffer{'a', 'b', 'c'});
    out.bytes(3, {});
    CHECK(AttributeReader{buffer}.string(1) == "a");
    CHECK(AttributeReader{buffer}.string(2) == "abc");
    CHECK(AttributeReader{buffer}.string(3) == "");
}

TEST_CASE("of two attributes of a type the last one counts") {
    GrowingBytes buffer;
    AttributeWriter out{buffer};
    out.u8(1, 1);
    out.u8(1, 2);
    CHECK(AttributeReader{buffer}.u8(1) == 2);
}

TEST_CASE("a table has the attributes of its types, as they are found one by one") {
    const AttributeTable<8> table{AttributeReader{golden}};
    CHECK(table.whole());
    CHECK(table.u8(1) == 0x7f);
    CHECK(table.u16(2) == 0x1234);
    CHECK(table.u32(3) == 0x01020304U);
    CHECK(table.be16(4) == 0x1234);
    CHECK(table.be32(5) == 0x01020304U);
    CHECK(table.string(6) == "lo");
    REQUIRE(table.nested(7));
    CHECK(table.nested(7)->u32(1) == 0x06070809U);
    CHECK_FALSE(table.u16(1));
    CHECK_FALSE(table.find(0));

    const AttributeTable<4> fewer{AttributeReader{golden}}; // types from 4 on are unknown to it
    CHECK(fewer.whole());
    CHECK(fewer.u32(3) == 0x01020304U);

    const Bytes cut = Bytes{golden}.first(golden.size() - 1);
    const AttributeTable<8> rest{AttributeReader{cut}};
    CHECK_FALSE(rest.whole());
    CHECK(rest.string(6) == "lo");
    CHECK_FALSE(rest.nested(7));

    GrowingBytes twice;
    AttributeWriter out{twice};
    out.u8(1, 1);
    out.u8(1, 2);
    out.bytes(2, {});
    const AttributeTable<3> last{AttributeReader{twice}};
    CHECK(last.u8(1) == 2);
    CHECK(last.bytes(2)->empty()); // there, without a payload
}

TEST_CASE("attributes cut anywhere are read up to the cut and no further") {
    const std::map<std::size_t, int> ends{{8, 1}, {16, 2}, {24, 3}, {32, 4}, {40, 5}, {48, 6}};
    for (std::size_t length = 0; length < golden.size(); ++length) {
        // A copy of exactly this length, so that the address sanitizer sees any read past it.
        const Buffer cut(golden.begin(), golden.begin() + static_cast<std::ptrdiff_t>(length));
        const AttributeReader reader{cut};
        int count = 0;
        for (const Attribute& attribute : reader) {
            ++count;
            CHECK(attribute.payload.size() <= length);
        }
        CAPTURE(length);
        if (const auto end = ends.find(length); end != ends.end()) {
            CHECK(count == end->second);
            CHECK(reader.whole());
        }
        CHECK(count <= static_cast<int>(length / 4));
    }
}

TEST_CASE("the last attribute may come without its padding") {
    const Buffer bytes{5, 0, 1, 0, 0x7f};
    CHECK(AttributeReader{bytes}.u8(1) == 0x7f);
    CHECK(AttributeReader{bytes}.whole());
}

TEST_CASE("an attribute whose length lies ends the walk") {
    const Buffer too_long{9, 0, 1, 0, 1, 2, 3, 4};
    const Buffer too_short{3, 0, 1, 0, 1, 2, 3, 4};
    const Buffer zero(8, 0);
    for (const Buffer& bytes : {too_long, too_short, zero}) {
        const AttributeReader reader{bytes};
        CHECK(reader.begin() == reader.end());
        CHECK_FALSE(reader.whole());
    }
    CHECK(AttributeReader{Bytes{}}.whole());
}

TEST_CASE("bytes grow by any amount and keep what was written") {
    GrowingBytes bytes;
    Buffer expected;
    CHECK(Bytes{bytes}.empty());
    for (const std::size_t count : {0U, 1U, 3U, 64U, 5000U, 1U}) {
        const auto mark = static_cast<std::uint8_t>(count + 1);
        std::fill_n(bytes.extend(count), count, mark);
        expected.insert(expected.end(), count, mark);
        CHECK(all_of(bytes) == expected);
    }
    GrowingBytes other = std::move(bytes);
    CHECK(all_of(other) == expected);
    CHECK(bytes.size() == 0); // NOLINT(bugprone-use-after-move): that is what it promises
    *bytes.extend(1) = 7;
    other = std::move(bytes);
    CHECK(all_of(other) == Buffer{7});
    other.clear();
    CHECK(other.size() == 0);
}
