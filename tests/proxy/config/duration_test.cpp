#include "proxy/config/duration.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace ipvsproxy::config;
using namespace std::chrono_literals;

TEST_CASE("a duration is read in every unit that Go knows", "[config]") {
    CHECK(parse_duration("0") == 0ns);
    CHECK(parse_duration("5ns") == 5ns);
    CHECK(parse_duration("5us") == 5us);
    CHECK(parse_duration("5\u00b5s") == 5us);
    CHECK(parse_duration("5\u03bcs") == 5us);
    CHECK(parse_duration("5ms") == 5ms);
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("2h22m") == 142min);
    CHECK(parse_duration("1h30m0.5s") == 90min + 500ms);
    CHECK(parse_duration("1.5h") == 90min);
    CHECK(parse_duration(".5s") == 500ms);
    CHECK(parse_duration("1.s") == 1s);
    CHECK(parse_duration("-1s") == -1s);
    CHECK(parse_duration("+1s") == 1s);
    CHECK(parse_duration("0s") == 0ns);
}

TEST_CASE("what is no duration is refused", "[config]") {
    for (const char* text :
         {"", "5", "-", "+", ".s", "s", "1x", "1s1", "1 s", "1S", "--1s", "1h-1m", "3000000h",
          "9223372036854775808ns", "99999999999999999999s", "1.2.3s"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_duration(text));
    }
}

TEST_CASE("what is wrong with a duration is said in Go's words", "[config]") {
    const auto why = [](const char* text) { return read_duration(text).error(); };
    CHECK(why("") == "time: invalid duration \"\"");
    CHECK(why("soon") == "time: invalid duration \"soon\"");
    CHECK(why("30") == "time: missing unit in duration \"30\"");
    CHECK(why("1s1") == "time: missing unit in duration \"1s1\"");
    CHECK(why("1d") == "time: unknown unit \"d\" in duration \"1d\"");
    CHECK(why("1h2 m") == "time: unknown unit \" m\" in duration \"1h2 m\"");
    CHECK(why("3000000h") == "time: invalid duration \"3000000h\"");
}

TEST_CASE("the longest durations are read exactly", "[config]") {
    constexpr auto most = std::chrono::nanoseconds{std::numeric_limits<std::int64_t>::max()};
    constexpr auto least = std::chrono::nanoseconds{std::numeric_limits<std::int64_t>::min()};
    CHECK(parse_duration("9223372036854775807ns") == most);
    CHECK(parse_duration("-9223372036854775808ns") == least);
    CHECK(parse_duration("0.3333333333333333333h") == 20min);
}

TEST_CASE("a duration prints as Go prints it, and is read back", "[config]") {
    const std::pair<std::chrono::nanoseconds, const char*> cases[]{
        {0s, "0s"},        {15min, "15m0s"},
        {24h, "24h0m0s"},  {90s, "1m30s"},
        {1500ms, "1.5s"},  {100ms, "100ms"},
        {1500us, "1.5ms"}, {5us, "5\u00b5s"},
        {7ns, "7ns"},      {3723s + 4ns, "1h2m3.000000004s"},
        {-90s, "-1m30s"}};
    for (const auto& [duration, text] : cases) {
        CHECK(duration_text(duration) == text);
        CHECK(parse_duration(text) == duration);
    }
    constexpr auto least = std::chrono::nanoseconds{std::numeric_limits<std::int64_t>::min()};
    CHECK(parse_duration(duration_text(least)) == least);
}
