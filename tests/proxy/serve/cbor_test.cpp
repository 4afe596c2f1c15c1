// Objects in CBOR. The expected bytes of single values are those of RFC 8949, appendix A; of texts
// and keys, which Kubernetes writes as byte strings, what section 3.1 says of major type 2.
#include "proxy/serve/cbor.h"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace ipvsproxy;

namespace {

/// What follows the tag, in hexadecimal digits.
std::string bytes_of(std::string_view json) {
    const auto written = serve::to_cbor(boost::json::parse(json));
    REQUIRE(written.substr(0, 3) == "\xd9\xd9\xf7");
    std::string out;
    for (const char each : written.substr(3)) {
        const auto byte = static_cast<unsigned char>(each);
        out += "0123456789abcdef"[byte >> 4U];
        out += "0123456789abcdef"[byte & 15U];
    }
    return out;
}

} // namespace

TEST_CASE("Numbers are as short in CBOR as they can be", "[serve]") {
    CHECK(bytes_of("0") == "00");
    CHECK(bytes_of("23") == "17");
    CHECK(bytes_of("24") == "1818");
    CHECK(bytes_of("100") == "1864");
    CHECK(bytes_of("255") == "18ff");
    CHECK(bytes_of("256") == "190100");
    CHECK(bytes_of("1000") == "1903e8");
    CHECK(bytes_of("65535") == "19ffff");
    CHECK(bytes_of("1000000") == "1a000f4240");
    CHECK(bytes_of("4294967295") == "1affffffff");
    CHECK(bytes_of("1000000000000") == "1b000000e8d4a51000");
    CHECK(bytes_of("18446744073709551615") == "1bffffffffffffffff");
    CHECK(bytes_of("-1") == "20");
    CHECK(bytes_of("-100") == "3863");
    CHECK(bytes_of("-1000") == "3903e7");
    CHECK(bytes_of("-9223372036854775808") == "3b7fffffffffffffff");
    CHECK(bytes_of("1.1") == "fb3ff199999999999a");
    CHECK(bytes_of("-4.1") == "fbc010666666666666");
}

TEST_CASE("Simple values, texts and arrays in CBOR", "[serve]") {
    CHECK(bytes_of("false") == "f4");
    CHECK(bytes_of("true") == "f5");
    CHECK(bytes_of("null") == "f6");
    CHECK(bytes_of(R"("")") == "40");
    CHECK(bytes_of(R"("IETF")") == "4449455446");
    CHECK(bytes_of(R"("ü")") == "42c3bc");
    CHECK(bytes_of('"' + std::string(24, 'a') + '"') ==
          "5818616161616161616161616161616161616161616161616161");
    CHECK(bytes_of("[]") == "80");
    CHECK(bytes_of("[1,[2,3]]") == "8201820203");
    CHECK(bytes_of("{}") == "a0");
}

TEST_CASE("The keys of a CBOR map are in the order of their bytes, the shorter first", "[serve]") {
    CHECK(bytes_of(R"({"bb":1,"c":2,"a":{"z":[],"y":null}})") == "a3"
                                                                 "4161a2"
                                                                 "4179f6"
                                                                 "417a80"
                                                                 "416302"
                                                                 "42626201");
}
