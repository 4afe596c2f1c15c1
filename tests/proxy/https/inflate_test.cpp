#include "proxy/https/inflate.h"

#include <zlib.h>

#include <catch2/catch.hpp>

using ipvsproxy::https::Inflater;

namespace {

std::string gzip(std::string text) {
    z_stream state{};
    deflateInit2(&state, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string packed(deflateBound(&state, text.size()), '\0');
    state.next_in = reinterpret_cast<Bytef*>(text.data());
    state.avail_in = static_cast<uInt>(text.size());
    state.next_out = reinterpret_cast<Bytef*>(packed.data());
    state.avail_out = static_cast<uInt>(packed.size());
    deflate(&state, Z_FINISH);
    packed.resize(state.total_out);
    deflateEnd(&state);
    return packed;
}

std::string noise(std::size_t size) {
    std::string text;
    for (unsigned state = 1; text.size() < size; state = state * 1103515245U + 12345U)
        text += static_cast<char>('a' + (state >> 16U) % 26);
    return text;
}

} // namespace

TEST_CASE("gzip unpacks to the same text however it is cut", "[https]") {
    const auto text = noise(300'000);
    const auto packed = gzip(text);
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{4096}, packed.size()}) {
        Inflater inflater;
        std::string out;
        for (std::size_t at = 0; at < packed.size(); at += piece) {
            CHECK(!inflater.whole());
            inflater.feed(std::string_view{packed}.substr(at, piece), out);
        }
        CHECK(out == text);
        CHECK(inflater.whole());
    }
}

TEST_CASE("What unpacks to more than fits at once comes whole", "[https]") {
    const std::string text(5'000'000, 'x'); // some 5 KiB packed
    Inflater inflater;
    std::string out;
    inflater.feed(gzip(text), out);
    CHECK(out == text);
    CHECK(inflater.whole());
}

TEST_CASE("Members of a gzip stream follow one another", "[https]") {
    Inflater inflater;
    std::string out;
    inflater.feed(gzip("one ") + gzip("two"), out);
    CHECK(out == "one two");
    CHECK(inflater.whole());
}

TEST_CASE("Damage is told, and so is an end that comes too early", "[https]") {
    auto packed = gzip(noise(10'000));
    std::string out;
    SECTION("no gzip at all") {
        CHECK_THROWS_WITH(Inflater{}.feed("{\"kind\":\"List\"}", out),
                          Catch::Contains("gzip is damaged"));
    }
    SECTION("a byte has changed: the sum at the end does not fit") {
        packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 1);
        CHECK_THROWS_WITH(Inflater{}.feed(packed, out), Catch::Contains("gzip is damaged"));
    }
    SECTION("the end is missing") {
        Inflater inflater;
        inflater.feed(std::string_view{packed}.substr(0, packed.size() - 1), out);
        CHECK(!inflater.whole());
    }
}
