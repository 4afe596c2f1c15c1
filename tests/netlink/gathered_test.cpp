#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "netlink/gathered.h"
#include "netlink/sorted_map.h"

using namespace ipvsproxy;

namespace {

Address ip(const char* text) {
    return *Address::parse(text);
}

} // namespace

TEST_CASE("the leading bits of addresses are in the addresses' order", "[netlink]") {
    const std::vector all{ip("0.0.0.0"),         ip("10.0.0.1"),
                          ip("10.0.0.2"),        ip("10.0.1.0"),
                          ip("255.255.255.255"), ip("::1"),
                          ip("2001:db8::1"),     ip("2001:db8:0:1::"),
                          ip("ff00::"),          ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
    REQUIRE(std::ranges::is_sorted(all));
    CHECK(std::ranges::is_sorted(all, {}, leading_bits));
    CHECK(leading_bits(ip("10.0.0.1")) < leading_bits(ip("10.0.0.2")));
    CHECK((leading_bits(ip("255.255.255.255")) & 0x7fffffff) == 0); // free for what comes next
    CHECK(leading_bits(ip("2001:db8::1")) == leading_bits(ip("2001:db8::2")));
}

TEST_CASE("what was gathered in any order comes in the order of its keys", "[netlink]") {
    std::minstd_rand chance{7}; // NOLINT(cert-msc*,bugprone-random*): the same each time
    Gathered<Address, int> gathered;
    SortedMap<Address, int> expected;
    for (int i = 0; i < 5000; ++i) { // many of one /64, and some twice: the later one counts
        const auto number = std::to_string(chance() % 3000);
        const auto address =
            ip((i % 2 == 0 ? "2001:db8::" + number : "fd00:" + number + "::").c_str());
        gathered.put(address, i);
        expected.insert_or_assign(address, i);
    }
    CHECK(gathered.size() == 5000);
    SortedMap<Address, int> taken;
    std::vector<Address> order;
    gathered.take(leading_bits, [&](const Address& address, int value) {
        order.push_back(address);
        taken.insert_or_assign(address, value);
    });
    CHECK(std::ranges::is_sorted(order));
    CHECK(taken == expected);
    CHECK(gathered.size() == 0);
}
