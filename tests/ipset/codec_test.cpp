#include "ipset/codec.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>

#include <catch2/catch.hpp>

#include <algorithm>

#include "tests/ipset/entries.h"

namespace ipvsproxy::ipset::test {
namespace {

using netlink::Buffer;
using netlink::Messages;

Buffer hex(std::string_view text) {
    Buffer bytes;
    std::string pair;
    for (const char character : text) {
        if (character == ' ') continue;
        pair += character;
        if (pair.size() == 2) {
            bytes.push_back(static_cast<std::uint8_t>(std::stoul(pair, nullptr, 16)));
            pair.clear();
        }
    }
    return bytes;
}

/// The attributes of the only message, after nlmsghdr and nfgenmsg.
Buffer attributes_of(const Messages& messages) {
    const auto bytes = messages.bytes().subspan(20);
    return {bytes.begin(), bytes.end()};
}

Entry parse(const char* ip, Protocol protocol, std::uint16_t port, const char* net = "") {
    Entry entry{.address = *Address::parse(ip), .protocol = protocol, .port = {port}};
    if (const auto prefix = Prefix::parse(net)) entry.second = *prefix;
    return entry;
}

/// A received message of these attributes.
struct Received {
    Received(ipset_cmd command, const Buffer& attributes) : payload{2, 0, 0, 0} {
        payload.insert(payload.end(), attributes.begin(), attributes.end());
        message.type = static_cast<std::uint16_t>(NFNL_SUBSYS_IPSET << 8 | command);
        message.payload = payload;
    }
    Buffer payload;
    netlink::Message message;
};

// The bytes below are those that ipset 7.17 and Linux exchanged for the same sets and entries.

TEST_CASE("sets are created in the bytes the ipset command uses", "[ipset]") {
    Messages out;
    SECTION("hash:ip,port") {
        encode_create(out, "a", {}, 1024, 7);
        CHECK(attributes_of(out) == hex("0500 0100 07 000000 0600 0200 6100 0000"
                                        "1100 0300 686173683a69702c706f727400 000000"
                                        "0500 0400 07 000000 0500 0500 02 000000"
                                        "1400 0780 0800 1240 00000400 0800 1340 00010000"));
        const auto header = netlink::structure<nlmsghdr>(out.bytes());
        CHECK(header->nlmsg_type == 0x602);
        CHECK(header->nlmsg_flags == (NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL));
    }
    SECTION("bitmap:port") {
        encode_create(out, "p", {.type = Type::bitmap_port}, 1024, 3);
        CHECK(attributes_of(out) == hex("0500 0100 07 000000 0600 0200 7000 0000"
                                        "1000 0300 6269746d61703a706f727400"
                                        "0500 0400 03 000000 0500 0500 00 000000"
                                        "1400 0780 0600 0440 0000 0000 0600 0540 ffff 0000"));
    }
    SECTION("inet6") {
        encode_create(out, "n6", {.type = Type::hash_ip_port_net, .family = Family::v6}, 1024, 8);
        const auto bytes = attributes_of(out);
        const auto family = hex("0500 0500 0a 000000");
        CHECK(std::search(bytes.begin(), bytes.end(), family.begin(), family.end()) != bytes.end());
    }
}

TEST_CASE("sets are destroyed, swapped and listed by name", "[ipset]") {
    Messages out;
    SECTION("destroy") {
        encode_destroy(out, "a");
        CHECK(attributes_of(out) == hex("0500 0100 07 000000 0600 0200 6100 0000"));
    }
    SECTION("swap") {
        encode_swap(out, "a", "b");
        CHECK(attributes_of(out) ==
              hex("0500 0100 07 000000 0600 0200 6100 0000 0600 0300 6200 0000"));
    }
    SECTION("headers of all") {
        encode_list(out, "", Detail::header);
        CHECK(attributes_of(out) == hex("0500 0100 07 000000 0800 0640 00000004"));
    }
    SECTION("entries of one") {
        encode_list(out, "a", Detail::entries);
        CHECK(attributes_of(out) == hex("0500 0100 07 000000 0600 0200 6100 0000"));
    }
    SECTION("revisions of a type") {
        encode_type(out, Type::hash_ip_port, Family::v4);
        CHECK(attributes_of(out) == hex("0500 0100 07 000000 1100 0300"
                                        "686173683a69702c706f727400 000000 0500 0500 02 000000"));
    }
}

TEST_CASE("entries are written in the bytes the ipset command uses", "[ipset]") {
    Messages out;
    SECTION("hash:ip,port,net") {
        const SetSpec spec{.type = Type::hash_ip_port_net};
        encode_entry(out, Operation::add, "n", spec,
                     parse("203.0.113.9", Protocol::tcp, 80, "10.0.0.0/8"));
        CHECK(attributes_of(out) ==
              hex("0500 0100 07 000000 0600 0200 6e00 0000 3400 0780"
                  "0c00 0180 0800 0140 cb007109 0600 0440 0050 0000 0500 0700 06 000000"
                  "0c00 1480 0800 0140 0a000000 0500 1500 08 000000"));
    }
    SECTION("hash:ip,port,net of IPv6") {
        const SetSpec spec{.type = Type::hash_ip_port_net, .family = Family::v6};
        encode_entry(out, Operation::add, "n6", spec,
                     parse("2001:db8::1", Protocol::udp, 53, "2001:db8:1::/48"));
        CHECK(attributes_of(out) ==
              hex("0500 0100 07 000000 0700 0200 6e3600 00 4c00 0780"
                  "1800 0180 1400 0240 20010db8000000000000000000000001 0600 0440 0035 0000"
                  "0500 0700 11 000000 1800 1480 1400 0240 20010db8000100000000000000000000"
                  "0500 1500 30 000000"));
    }
    SECTION("hash:ip") {
        encode_entry(out, Operation::remove, "i", {.type = Type::hash_ip},
                     {.address = *Address::parse("10.96.0.10")});
        CHECK(attributes_of(out) == hex("0500 0100 07 000000 0600 0200 6900 0000 1000 0780"
                                        "0c00 0180 0800 0140 0a60000a"));
        CHECK(netlink::structure<nlmsghdr>(out.bytes())->nlmsg_type == 0x60a);
    }
    SECTION("bitmap:port") {
        encode_entry(out, Operation::add, "p", {.type = Type::bitmap_port}, {.port = {30080}});
        CHECK(attributes_of(out) ==
              hex("0500 0100 07 000000 0600 0200 7000 0000 0c00 0780 0600 0440 7580 0000"));
    }
    SECTION("many are numbered, behind an outer number") {
        const SetSpec spec{.type = Type::bitmap_port};
        CHECK(encode_entries(out, Operation::add, "p", spec, entries(spec, 2, 80)) == 2);
        CHECK(attributes_of(out) ==
              hex("0500 0100 07 000000 0600 0200 7000 0000 0800 0940 00000000 2c00 0880"
                  "1400 0780 0600 0440 0050 0000 0800 0940 00000001"
                  "1400 0780 0600 0440 0051 0000 0800 0940 00000002"));
    }
}

TEST_CASE("a message of many entries stays below 60 KiB", "[ipset]") {
    const auto spec = GENERATE(from_range(all_specs()));
    const auto list = entries(spec, 4000);
    Messages out;
    std::size_t taken = 0;
    while (taken < list.size()) {
        const auto before = out.bytes().size();
        const auto more =
            encode_entries(out, Operation::add, "set", spec, std::span{list}.subspan(taken));
        REQUIRE(more > 0);
        REQUIRE(out.bytes().size() - before <= max_message_bytes);
        taken += more;
    }
    CHECK(taken == list.size());
    CHECK(out.count() <= 7);
}

const char* const listed_net6 =
    "0500 0100 07 000000 0700 0200 6e3600 00 1500 0300 686173683a69702c706f72742c6e657400 000000"
    "0500 0500 0a 000000 0500 0400 08 000000 0600 0b40 0001 0000"
    "3c00 0780 0800 1240 00000400 0800 1340 00010000 0500 1500 0c 000000 0800 1140 854d1862"
    "0800 1940 00000000 0800 1a40 00000550 0800 1840 00000001"
    "5000 0880 4c00 0780 1800 0180 1400 0200 20010db8000000000000000000000001"
    "1800 1480 1400 0200 20010db8000100000000000000000000 0600 0440 0035 0000"
    "0500 1500 30 000000 0500 0700 11 000000";
const char* const listed_ports =
    "0500 0100 07 000000 0600 0200 7000 0000 1000 0300 6269746d61703a706f727400"
    "0500 0500 00 000000 0500 0400 03 000000 0600 0b40 0000 0000"
    "2c00 0780 0600 0440 0000 0000 0600 0540 ffff 0000 0800 1940 00000000 0800 1a40 00002048"
    "0800 1840 00000001 1000 0880 0c00 0780 0600 0440 7580 0000";

/// @return false when they cannot be read
bool read_entries(const SetSpec& spec, const netlink::AttributeReader& listed, Entries& out) {
    GatheredEntries all;
    const bool readable = decode_entries(spec, listed, all);
    out = in_order(std::move(all));
    return readable;
}

TEST_CASE("what the kernel lists is read", "[ipset]") {
    Entries entries;
    SECTION("hash:ip,port,net of IPv6") {
        const Received received{IPSET_CMD_LIST, hex(listed_net6)};
        const auto listing = decode_listing(received.message);
        REQUIRE(listing);
        CHECK(listing->set == "n6");
        const SetSpec spec{.type = Type::hash_ip_port_net, .family = Family::v6};
        CHECK(listing->header == Header{.spec = spec, .plain = true, .entry_count = 1});
        REQUIRE(listing->entries);
        CHECK(read_entries(spec, *listing->entries, entries));
        CHECK(entries == Entries{parse("2001:db8::1", Protocol::udp, 53, "2001:db8:1::/48")});
    }
    SECTION("bitmap:port") {
        const Received received{IPSET_CMD_LIST, hex(listed_ports)};
        const auto listing = decode_listing(received.message);
        REQUIRE(listing);
        const SetSpec spec{.type = Type::bitmap_port};
        CHECK(listing->header == Header{.spec = spec, .plain = true, .entry_count = 1});
        CHECK(read_entries(spec, *listing->entries, entries));
        CHECK(entries == Entries{{.port = {30080}}});
    }
    SECTION("a later message of a set has no header") {
        const Received received{IPSET_CMD_LIST, hex("0500 0100 07 000000 0600 0200 7000 0000"
                                                    "1000 0880 0c00 0780 0600 0440 7580 0000")};
        const auto listing = decode_listing(received.message);
        REQUIRE(listing);
        CHECK_FALSE(listing->header);
        CHECK(listing->entries);
    }
    SECTION("a type that is not ours keeps its name") {
        const Received received{IPSET_CMD_LIST,
                                hex("0500 0100 07 000000 0600 0200 7000 0000"
                                    "0d00 0300 686173683a6d616300 000000 0400 0780")};
        const auto listing = decode_listing(received.message);
        REQUIRE(listing);
        CHECK(listing->header == Header{});
    }
}

TEST_CASE("D-05 a host network reads the same with its length and without", "[ipset]") {
    const SetSpec spec{.type = Type::hash_ip_port_net};
    const auto entry = parse("203.0.113.9", Protocol::tcp, 80, "10.1.2.3/32");
    Messages out;
    encode_entry(out, Operation::add, "n", spec, entry);
    auto bytes = attributes_of(out);
    auto data = Buffer(bytes.begin() + 16, bytes.end()); // the DATA
    if (GENERATE(false, true)) {                         // without CIDR2
        data.resize(data.size() - 8);
        data[0] = static_cast<std::uint8_t>(data.size());
    }
    Entries read;
    CHECK(read_entries(spec, netlink::AttributeReader{data}, read));
    CHECK(read == Entries{entry});
    CHECK(text(spec.type, entry) == "203.0.113.9,tcp:80,10.1.2.3");
}

TEST_CASE("what is written is what is read, for every kind of set", "[ipset]") {
    const auto spec = GENERATE(from_range(all_specs()));
    const auto list = entries(spec, 50, 1);
    Messages out;
    CHECK(encode_entries(out, Operation::add, "set", spec, list) == list.size());
    const auto bytes = attributes_of(out);
    const auto data = netlink::AttributeReader{bytes}.nested(IPSET_ATTR_ADT);
    REQUIRE(data);
    Entries read;
    CHECK(read_entries(spec, *data, read));
    CHECK(read == as_set(list));
}

TEST_CASE("options beyond a SetSpec are noticed", "[ipset]") {
    const auto with = [](std::string_view options) {
        const auto data = hex(options);
        auto bytes = hex("0500 0100 07 000000 0600 0200 6100 0000 0500 0500 02 000000"
                         "1100 0300 686173683a69702c706f727400 000000");
        bytes.insert(bytes.end(), {static_cast<std::uint8_t>(data.size() + 12), 0, 7, 0x80});
        const auto most = hex("0800 1340 00010000");
        bytes.insert(bytes.end(), most.begin(), most.end());
        bytes.insert(bytes.end(), data.begin(), data.end());
        const Received received{IPSET_CMD_LIST, bytes};
        return decode_listing(received.message).value().header.value();
    };
    const Header plain{.spec = SetSpec{}, .plain = true};
    const Header other{.spec = SetSpec{}, .plain = false};
    CHECK(with("") == plain);
    CHECK(with("0800 0640 0000003c") == other);           // timeout 60
    CHECK(with("0800 0840 00000008") == other);           // counters
    CHECK(with("0800 0840 00000000") == plain);           // no flags
    CHECK(with("0500 1400 18 000000") == other);          // netmask 24
    CHECK(with("0500 1400 20 000000") == plain);          // netmask 32
    CHECK(with("0c00 0c80 0800 0140 ffffff00") == other); // bitmask
}

TEST_CASE("a range of ports that does not begin at 0 is noticed", "[ipset]") {
    auto bytes = hex(listed_ports);
    const auto range = hex("0600 0440 0000 0000 0600 0540 ffff");
    const auto at = std::search(bytes.begin(), bytes.end(), range.begin(), range.end());
    REQUIRE(at != bytes.end());
    at[5] = 1;
    const Received received{IPSET_CMD_LIST, bytes};
    const auto listing = decode_listing(received.message);
    REQUIRE(listing);
    CHECK(listing->header ==
          Header{.spec = SetSpec{.type = Type::bitmap_port, .max_entries = 65535},
                 .plain = false,
                 .entry_count = 1});
}

TEST_CASE("a listing that is cut off anywhere is refused or read without harm", "[ipset]") {
    const auto whole = hex(GENERATE(listed_net6, listed_ports));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Received received{
            IPSET_CMD_LIST,
            Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))};
        const auto listing = decode_listing(received.message);
        if (!listing || !listing->header || !listing->header->spec || !listing->entries) continue;
        Entries read;
        CHECK_FALSE(read_entries(*listing->header->spec, *listing->entries, read));
        CHECK(read.empty());
    }
}

TEST_CASE("malformed entries are refused", "[ipset]") {
    const auto data = hex(GENERATE("0800 0780 0000 0000",                           // no address
                                   "1000 0780 0c00 0180 0800 0140 0a60000a",        // no port
                                   "0c00 0680 0800 0140 0a60000a",                  // no DATA
                                   "1400 0780 1000 0180 0c00 0140 0a60000a00000000" // 8 bytes
                                   ));
    Entries read;
    CHECK_FALSE(read_entries({}, netlink::AttributeReader{data}, read));
    CHECK(read.empty());
}

TEST_CASE("the revisions of a type and the number of a failed entry are read", "[ipset]") {
    const Received received{IPSET_CMD_TYPE, hex("0500 0100 07 000000 0500 0400 07 000000"
                                                "0500 0a00 01 000000")};
    CHECK(decode_type(received.message) == Revisions{1, 7});
    const Received other{IPSET_CMD_LIST, received.payload};
    CHECK(decode_type(other.message) == std::nullopt);

    const auto front = hex("00000000000000000000000000000000 02000000 0500 0100 07 000000");
    auto failed = front;
    const auto number = hex("0800 0940 00000102");
    failed.insert(failed.end(), number.begin(), number.end());
    CHECK(decode_failed_entry(failed) == 258U);
    CHECK(decode_failed_entry(front) == std::nullopt);
    failed[failed.size() - 1] = failed[failed.size() - 2] = 0;
    CHECK(decode_failed_entry(failed) == std::nullopt);
    CHECK(decode_failed_entry({}) == std::nullopt);
}

} // namespace
} // namespace ipvsproxy::ipset::test
