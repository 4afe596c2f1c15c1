#include "proxy/https/base64.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy::https;

TEST_CASE("base64 is written and read as RFC 4648 has it", "[https]") {
    for (const auto& [plain, coded] : {std::pair{"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foobar", "Zm9vYmFy"}}) {
        CHECK(to_base64(plain) == coded);
        CHECK(from_base64(coded) == plain);
    }
    CHECK(from_base64("Zm9v\nYmFy\n") == "foobar");
}

TEST_CASE("What is no base64 gives nothing", "[https]") {
    for (const auto* const text : {"Zg", "Z", "Zm9v!mFy", "Zg==Zg==", "=Zm9", "Zm=v"}) {
        CAPTURE(text);
        CHECK(from_base64(text) == std::nullopt);
    }
}
