#include "proxy/config/flag_types.h"

#include <catch2/catch.hpp>
#include <limits>
#include <optional>

using namespace ipvsproxy::config;

namespace {

/// What `text` comes to; nothing when it is refused.
template <class Value> std::optional<Value> value(std::string_view text) {
    Value field{};
    const auto reason = read(text, field);
    return reason.empty() ? std::optional{field} : std::nullopt;
}

template <class Value> std::string reason(std::string_view text) {
    Value field{};
    return read(text, field);
}

using Number = std::int32_t;
using List = std::vector<std::string>;
using Gates = std::map<std::string, bool>;

} // namespace

TEST_CASE("a number may be written in every base that Go knows", "[config]") {
    CHECK(value<Number>("14") == 14);
    CHECK(value<Number>("+14") == 14);
    CHECK(value<Number>("-998") == -998);
    CHECK(value<Number>("0") == 0);
    CHECK(value<Number>("0x1F") == 31);
    CHECK(value<Number>("0b101") == 5);
    CHECK(value<Number>("0o17") == 15);
    CHECK(value<Number>("017") == 15);
    CHECK(value<Number>("1_000") == 1000);
    CHECK(value<Number>("0x_f") == 15);
    CHECK(value<Number>("2147483647") == std::numeric_limits<Number>::max());
    CHECK(value<Number>("-2147483648") == std::numeric_limits<Number>::min());
}

TEST_CASE("what is no number is told from what is too large", "[config]") {
    for (const char* text : {"", "-", "+", "x", "1.5", "--1", "+-1", "1 ", "08", "0x", "0xg", "_1",
                             "1_", "1__0", "1e3"}) {
        CAPTURE(text);
        CHECK_THAT(reason<Number>(text), Catch::StartsWith("strconv.ParseInt: parsing \"") &&
                                             Catch::EndsWith("\": invalid syntax"));
    }
    CHECK(reason<Number>("2147483648") ==
          R"(strconv.ParseInt: parsing "2147483648": value out of range)");
    CHECK(reason<Number>("-0x80000001") ==
          R"(strconv.ParseInt: parsing "-0x80000001": value out of range)");
}

TEST_CASE("a rate is a finite number", "[config]") {
    CHECK(value<float>("1.5") == 1.5F);
    CHECK(value<float>("-1") == -1.0F);
    CHECK(value<float>("1e3") == 1000.0F);
    CHECK(reason<float>("fast") == R"(strconv.ParseFloat: parsing "fast": invalid syntax)");
    CHECK(reason<float>("1e99") == R"(strconv.ParseFloat: parsing "1e99": value out of range)");
    CHECK_FALSE(reason<float>("inf").empty());
    CHECK_FALSE(reason<float>("nan").empty());
}

TEST_CASE("a verbosity has 31 bits and no sign", "[config]") {
    std::uint32_t level{};
    CHECK(read_level("2147483647", level).empty());
    CHECK(level == 2147483647);
    CHECK(read_level("2147483648", level) ==
          R"(strconv.ParseUint: parsing "2147483648": value out of range)");
    for (const char* text : {"", "-1", "+1", "0x1", "x"}) {
        CAPTURE(text);
        CHECK_THAT(read_level(text, level), Catch::EndsWith("\": invalid syntax"));
    }
}

TEST_CASE("a list is a line of CSV", "[config]") {
    CHECK(value<List>("") == List{});
    CHECK(value<List>("a") == List{"a"});
    CHECK(value<List>("a,b,,c,") == List{"a", "b", "", "c", ""});
    CHECK(value<List>(" a, b") == List{" a", " b"});
    CHECK(value<List>(R"("a,b",c)") == List{"a,b", "c"});
    CHECK(value<List>(R"(a,"")") == List{"a", ""});
    CHECK(value<List>(R"("say ""a""")") == List{R"(say "a")"});
    CHECK(reason<List>(R"(a,b"c)") ==
          R"(parse error on line 1, column 4: bare " in non-quoted field)");
    CHECK(reason<List>(R"("a"b)") ==
          R"(parse error on line 1, column 3: extraneous or missing " in quoted-field)");
    CHECK(reason<List>(R"("a)") ==
          R"(parse error on line 1, column 3: extraneous or missing " in quoted-field)");
    List added{"first"};
    CHECK(read("second", added).empty());
    CHECK(added == List{"first", "second"});
}

TEST_CASE("gates are pairs of a name and a truth", "[config]") {
    CHECK(value<Gates>("A=true,B=0") == Gates{{"A", true}, {"B", false}});
    CHECK(value<Gates>(" A = true ,,B=f,") == Gates{{"A", true}, {"B", false}});
    CHECK(value<Gates>("A=true,A=false") == Gates{{"A", false}});
    CHECK(reason<Gates>("A") == "malformed pair, expect string=bool");
    CHECK(reason<Gates>("A=maybe") ==
          R"(invalid value of A: maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax)");
}

TEST_CASE("patterns have a verbosity each", "[config]") {
    std::vector<VmoduleItem> items;
    CHECK(read_vmodule("a=1,b*=22,", items).empty());
    CHECK(items == std::vector<VmoduleItem>{{"a", 1}, {"b*", 22}});
    CHECK(read_vmodule("a", items) == R"("a" does not have the pattern=N format)");
    CHECK(read_vmodule("=1", items) == R"("=1" does not have the pattern=N format)");
    CHECK(read_vmodule("a=1=2", items) == R"("a=1=2" does not have the pattern=N format)");
    CHECK(read_vmodule("a=x", items) ==
          R"(parsing verbosity in "a=x": strconv.ParseUint: parsing "x": invalid syntax)");
}

TEST_CASE("P-252 an address to serve on has a port or none, and both are judged", "[config]") {
    std::string field{"kept"};
    CHECK(read_ip_port("", field).empty());
    CHECK(field == "kept");
    for (const char* good : {"1.2.3.4", "::1", "1.2.3.4:80", "[::1]:80", "1.2.3.4:0"}) {
        CAPTURE(good);
        CHECK(read_ip_port(good, field).empty());
        CHECK(field == good);
    }
    CHECK(read_ip_port("host", field) == R"("host" is not in a valid format (ip or ip:port): )"
                                         "address host: missing port in address");
    CHECK(read_ip_port("[::1]", field) == R"("[::1]" is not in a valid format (ip or ip:port): )"
                                          "address [::1]: missing port in address");
    CHECK(read_ip_port("host:80", field) == R"("host" is not a valid IP address)");
    CHECK(read_ip_port("1.2.3.4:http", field) == R"("http" is not a valid number)");
    CHECK(read_ip_port("1.2.3.4:65536", field) == R"("65536" is not a valid number)");
    CHECK(read_ip("1.2.3.4:80", field) == R"("1.2.3.4:80" is not a valid IP address)");
}
