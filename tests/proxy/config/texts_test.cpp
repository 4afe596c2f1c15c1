#include "proxy/config/texts.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy::config;
using Parts = std::vector<std::string>;
using HostPort = std::pair<std::string, std::string>;

TEST_CASE("a list is split at its commas and nothing is trimmed", "[config]") {
    CHECK(split("a, b,,c") == Parts{"a", " b", "", "c"});
    CHECK(split("") == Parts{""});
}

TEST_CASE("several errors print as one list", "[config]") {
    CHECK(aggregate({"a"}) == "a");
    CHECK(aggregate({"a", "b"}) == "[a, b]");
}

TEST_CASE("a host and a port are told apart as Go does it", "[config]") {
    CHECK(*split_host_port("1.2.3.4:80") == HostPort{"1.2.3.4", "80"});
    CHECK(*split_host_port("[::1]:80") == HostPort{"::1", "80"});
    CHECK(*split_host_port(":0") == HostPort{"", "0"});
    const auto why = [](const char* text) { return split_host_port(text).error(); };
    CHECK(why("") == "missing port in address");
    CHECK(why("1.2.3.4") == "address 1.2.3.4: missing port in address");
    CHECK(why("[::1]") == "address [::1]: missing port in address");
    CHECK(why("::1") == "address ::1: too many colons in address");
    CHECK(why("[::1]:8:9") == "address [::1]:8:9: too many colons in address");
    CHECK(why("[::1:80") == "address [::1:80: missing ']' in address");
    CHECK(why("a[b:80") == "address a[b:80: unexpected '[' in address");
    CHECK(why("a:80]") == "address a:80]: unexpected ']' in address");
    for (const char* text :
         {"", "1.2.3.4", "::1", "[::1]", "[::1]80", "[::1", "a]:80", "[a]b:80", "a:[80]"}) {
        CAPTURE(text);
        CHECK_FALSE(split_host_port(text).has_value());
    }
}

TEST_CASE("P-252 a port is appended to an address that stands alone", "[config]") {
    CHECK(with_port("1.2.3.4", 80) == "1.2.3.4:80");
    CHECK(with_port("::1", 80) == "[::1]:80");
    CHECK(with_port("1.2.3.4:99", 80) == "1.2.3.4:99");
    CHECK(with_port("[::1]", 80) == "[::1]");
    CHECK(with_port("", 80).empty());
}

TEST_CASE("a quantity of bytes has decimal and binary suffixes", "[config]") {
    CHECK(parse_quantity("0") == 0);
    CHECK(parse_quantity("512") == 512);
    CHECK(parse_quantity("1k") == 1000);
    CHECK(parse_quantity("1K") == 1000);
    CHECK(parse_quantity("2Ki") == 2048);
    CHECK(parse_quantity("3M") == 3'000'000);
    CHECK(parse_quantity("1Ei") == 1ULL << 60U);
    for (const char* text : {"", "Ki", "1i", "1KiB", "-1", "1.5", "9999999E"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_quantity(text));
    }
}

TEST_CASE("numbers are read whole and within their range", "[config]") {
    CHECK(parse_int32("-2147483648") == std::numeric_limits<std::int32_t>::min());
    CHECK(parse_int32("+7") == 7);
    CHECK_FALSE(parse_int32("2147483648"));
    CHECK_FALSE(parse_int32("+-7"));
    CHECK_FALSE(parse_int32("7x"));
    CHECK_FALSE(parse_uint32("-1"));
    CHECK(parse_float("2.5") == 2.5F);
    CHECK(parse_bool("T") == true);
    CHECK(parse_bool("FALSE") == false);
    CHECK_FALSE(parse_bool("yes"));
}
