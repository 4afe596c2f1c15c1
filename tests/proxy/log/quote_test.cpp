#include "proxy/log/quote.h"

#include <catch2/catch.hpp>

using ipvsproxy::log::is_utf8;
using ipvsproxy::log::json_quoted;
using ipvsproxy::log::quoted;

TEST_CASE("a quoted text reads as Go's %q would write it", "[log]") {
    CHECK(quoted("plain") == R"("plain")");
    CHECK(quoted("") == R"("")");
    CHECK(quoted("say \"a\\b\"") == R"("say \"a\\b\"")");
    CHECK(quoted("tab\tline\nbell\a") == R"("tab\tline\nbell\a")");
    CHECK(quoted(std::string_view{"\0\x1f\x7f", 3}) == R"("\x00\x1f\x7f")");
    CHECK(quoted("grün 漢字 🐙") == "\"grün 漢字 🐙\"");
    CHECK(quoted("\u200b\ufeff") == R"("\u200b\ufeff")");
}

TEST_CASE("bytes that are not UTF-8 are shown one by one", "[log]") {
    CHECK(quoted("a\xff\xfe") == R"("a\xff\xfe")");
    CHECK(quoted("\xe2\x82") == R"("\xe2\x82")");                 // cut off
    CHECK(quoted("\xc0\xaf") == R"("\xc0\xaf")");                 // overlong
    CHECK(quoted("\xed\xa0\x80") == R"("\xed\xa0\x80")");         // a surrogate
    CHECK(quoted("\xf5\x80\x80\x80") == R"("\xf5\x80\x80\x80")"); // beyond Unicode
}

TEST_CASE("UTF-8 is told from other bytes", "[log]") {
    CHECK(is_utf8(""));
    CHECK(is_utf8("grün 🐙"));
    CHECK_FALSE(is_utf8("gr\xfcn"));
    CHECK_FALSE(is_utf8("\xe2\x82"));
}

TEST_CASE("a JSON string escapes what RFC 8259 asks for", "[log]") {
    CHECK(json_quoted("a\"\\\n\x01") == R"("a\"\\\n\u0001")");
    CHECK(json_quoted("\a\v") == R"("\u0007\u000b")");
    CHECK(json_quoted("x\xff") == R"("x\ufffd")");
    CHECK(json_quoted("é") == "\"é\"");
}
