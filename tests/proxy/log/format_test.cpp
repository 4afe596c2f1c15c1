#include "proxy/log/format.h"

#include <catch2/catch.hpp>
#include <ctime>

using namespace ipvsproxy::log;
using namespace std::chrono_literals;

namespace {

/// 3 July 2026, 14:05:09.000042 local time.
std::chrono::system_clock::time_point some_time() {
    std::tm parts{};
    parts.tm_year = 126;
    parts.tm_mon = 6;
    parts.tm_mday = 3;
    parts.tm_hour = 14;
    parts.tm_min = 5;
    parts.tm_sec = 9;
    parts.tm_isdst = -1;
    return std::chrono::system_clock::from_time_t(std::mktime(&parts)) + 42us;
}

std::string text(Level level, std::string_view message, Fields fields = {}) {
    return text_line({.level = level,
                      .time = some_time(),
                      .pid = 4711,
                      .where = {"proxy/sync/loop.cpp", 12},
                      .message = message,
                      .fields = {fields.begin(), fields.size()}});
}

} // namespace

TEST_CASE("a text line has klog's header, the message in quotes, and the fields", "[log]") {
    CHECK(text(Level::info, "Using ipvs Proxier") ==
          R"(I0703 14:05:09.000042    4711 loop.cpp:12] "Using ipvs Proxier")");
    CHECK(text(Level::error, "it \"broke\"", {{"err", "no such device"}}) ==
          R"(E0703 14:05:09.000042    4711 loop.cpp:12] "it \"broke\"" err="no such device")");
    CHECK(text(Level::warning, "w").starts_with("W0703 "));
}

TEST_CASE("numbers, truths and lists are not quoted like texts", "[log]") {
    const std::vector<std::string> cidrs{"10.0.0.0/8", "fd00::/8"};
    const auto line = text(Level::info, "m",
                           {{"count", 3},
                            {"big", std::uint64_t{18446744073709551615U}},
                            {"negative", std::int64_t{-5}},
                            {"ready", true},
                            {"qps", 2.5},
                            {"cidrs", cidrs}});
    CHECK(line.ends_with(R"("m" count=3 big=18446744073709551615 negative=-5 ready=true qps=2.5 )"
                         R"(cidrs=["10.0.0.0/8","fd00::/8"])"));
}

TEST_CASE("a value of several lines keeps its lines", "[log]") {
    CHECK(text(Level::error, "m", {{"input", "*nat\nCOMMIT\n"}, {"n", 1}})
              .ends_with("\"m\" input=<\n\t*nat\n\tCOMMIT\n > n=1"));
}

TEST_CASE("a JSON line is one object", "[log]") {
    const Fields fields{{"name", "a\"b"}, {"n", -1}, {"ok", false}};
    const Record record{.level = Level::info,
                        .verbosity = 4,
                        .time = std::chrono::system_clock::time_point{1580306777047us + 280us},
                        .pid = 1,
                        .where = {"proxy/a.cpp", 7},
                        .message = "hello",
                        .fields = {fields.begin(), fields.size()}};
    CHECK(
        json_line(record) ==
        R"({"ts":1580306777.327,"caller":"a.cpp:7","msg":"hello","v":4,"name":"a\"b","n":-1,"ok":false})");
    auto failed = record;
    failed.level = Level::error;
    CHECK(json_line(failed).find("\"v\"") == std::string::npos);
}

TEST_CASE("a vmodule pattern names a file by its name, or by its path when it has a slash",
          "[log]") {
    CHECK(fits("loop", "proxy/sync/loop.cpp"));
    CHECK(fits("lo*", "proxy/sync/loop.cpp"));
    CHECK(fits("l??p", "proxy/sync/loop.cpp"));
    CHECK_FALSE(fits("loo", "proxy/sync/loop.cpp"));
    CHECK_FALSE(fits("sync", "proxy/sync/loop.cpp"));
    CHECK(fits("proxy/sync/*", "proxy/sync/loop.cpp"));
    CHECK_FALSE(fits("proxy/*", "proxy/sync/loop.cpp"));
}
