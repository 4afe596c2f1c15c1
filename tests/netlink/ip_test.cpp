#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "netlink/ip.h"

using namespace ipvsproxy;

TEST_CASE("an address is read the way Kubernetes reads it", "[netlink]") {
    CHECK(Address::parse("10.0.0.1")->text() == "10.0.0.1");
    CHECK(Address::parse("010.000.0.01")->text() == "10.0.0.1");
    CHECK(Address::parse("2001:DB8:0:0::1")->text() == "2001:db8::1");
    CHECK(Address::parse("::ffff:192.0.2.1") == Address::parse("192.0.2.1"));
    for (const auto* bad : {"", "web", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ",
                            "fe80::1%eth0", "[::1]", "1.2.3.", ".1.2.3", "1..2.3",
                            "1.2.3.99999999999", "1.2.3.4.", "+1.2.3.4", "::1::", "1.2.3.4/32"})
        CHECK_FALSE(Address::parse(bad).has_value());
}

TEST_CASE("addresses are ordered by family, then byte by byte", "[netlink]") {
    std::mt19937 random{11};
    std::vector<std::array<std::uint8_t, 16>> all;
    for (int i = 0; i < 200; ++i) { // most differ in one byte only, so that every byte decides once
        auto bytes = all.empty() || i % 40 == 0 ? std::array<std::uint8_t, 16>{0x20} : all.back();
        bytes.at(random() % 15 + 1) = static_cast<std::uint8_t>(random());
        all.push_back(bytes);
    }
    for (const auto& one : all)
        for (const auto& other : all) {
            CHECK((*Address::from_bytes(one) <=> *Address::from_bytes(other)) == (one <=> other));
            CHECK((*Address::from_bytes(one) == *Address::from_bytes(other)) == (one == other));
            const auto low = std::span{one}.last(4), high = std::span{other}.last(4);
            CHECK((*Address::from_bytes(low) < *Address::from_bytes(high)) ==
                  std::ranges::lexicographical_compare(low, high));
        }
    CHECK(*Address::parse("255.255.255.255") < *Address::parse("::"));
    CHECK(*Address::parse("0.0.0.0") != *Address::parse("::"));
}

TEST_CASE("a prefix masks host bits away and contains only its own family", "[netlink]") {
    const auto net = Prefix::parse("10.20.30.40/16").value();
    CHECK(net.text() == "10.20.0.0/16");
    CHECK(net.contains(*Address::parse("10.20.255.1")));
    CHECK_FALSE(net.contains(*Address::parse("10.21.0.1")));
    CHECK(Prefix::parse("2001:db8:1:2::9/61")->text() == "2001:db8:1::/61");
    CHECK(Prefix::parse("::ffff:10.20.30.40/112")->text() == "10.20.0.0/16");
    CHECK(Prefix::parse("::ffff:0.0.0.0/96")->text() == "0.0.0.0/0");
    CHECK(Prefix::parse("::ffff:192.0.2.1/128")->text() == "192.0.2.1/32");
    CHECK(Prefix::parse("0.0.0.0/0")->contains(*Address::parse("255.1.2.3")));
    CHECK_FALSE(Prefix::parse("0.0.0.0/0")->contains(*Address::parse("::1")));
    for (const auto* bad : {"10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "/8",
                            "10.0.0.0/8 ", "::ffff:10.0.0.0/95", "::ffff:10.0.0.0/129"})
        CHECK_FALSE(Prefix::parse(bad).has_value());
}

TEST_CASE("P-009 P-010 which addresses are loopback or IPv6 link-local", "[netlink]") {
    CHECK(Address::parse("127.9.9.9")->is_loopback());
    CHECK(Address::parse("::1")->is_loopback());
    CHECK_FALSE(Address::parse("8.8.4.4")->is_loopback());
    CHECK_FALSE(Address::parse("2001:db8::")->is_loopback());
    CHECK(Address::parse("fe80::9")->is_ipv6_link_local());
    CHECK(Address::parse("febf::9")->is_ipv6_link_local());
    CHECK_FALSE(Address::parse("fec0::9")->is_ipv6_link_local());
    CHECK_FALSE(Address::parse("169.254.0.9")->is_ipv6_link_local());
    CHECK(Address::parse("::")->is_unspecified());
}

TEST_CASE("an address and port print with brackets only for IPv6", "[netlink]") {
    CHECK(AddressPort{*Address::parse("10.0.0.1"), Port{80}}.text() == "10.0.0.1:80");
    CHECK(AddressPort{*Address::parse("2001:db8::1"), Port{53}}.text() == "[2001:db8::1]:53");
}
