#include <array>
#include <catch2/catch.hpp>
#include <random>

#include "proxy/api/decode_sieve.h"
#include "tests/proxy/api/decoding.h"
#include "tests/proxy/api/recorded.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;

namespace {

std::string passed(std::string_view text, std::size_t piece) {
    Sieve sieve;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece)
        out += sieve.pass(text.substr(at, piece));
    return out;
}

/// In one piece, and in pieces of every size, which must not matter.
std::string passed(std::string_view text) {
    auto whole = passed(text, text.size() + 1);
    for (std::size_t piece = 1; piece <= text.size(); ++piece)
        REQUIRE(passed(text, piece) == whole);
    return whole;
}

/// A JSON text, and the same with what a sieve leaves out left out.
struct Texts {
    std::string all, kept;
    void add(const std::string& text, bool left_out) {
        all += text;
        if (!left_out) kept += text;
    }
};

/// Makes JSON of what is hard to tell apart.
class Maker {
public:
    explicit Maker(unsigned seed) : chance_{seed} {}
    Texts make() {
        Texts texts;
        value(texts, 0, false);
        return texts;
    }

private:
    std::size_t below(std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(chance_);
    }
    std::string string() {
        static const std::array<std::string, 12> all{R"("")",
                                                     R"("\"")",
                                                     R"("\\")",
                                                     R"("\\\"")",
                                                     R"("[")",
                                                     R"("}}]]")",
                                                     R"("a\\\\")",
                                                     R"("\"managedFields\":[")",
                                                     R"("targetRef")",
                                                     R"("x\"targetRef\":{\"")",
                                                     R"("f:[\"a\"]:{")",
                                                     R"("0123456789abcdefghij")"};
        return all.at(below(all.size()));
    }
    std::string key(bool& emptied) {
        static const std::array<std::string, 8> all{
            R"("managedFields")", R"("ownerReferences")", R"("targetRef")", R"("a")",
            R"("x\"targetRef")",  R"("managedFields\\")", R"("items")",     R"("targetRe\u0066")"};
        const auto chosen = below(all.size());
        emptied = chosen < 3;
        return all.at(chosen) + ':';
    }
    /// @param left_out inside of what a sieve leaves out.
    // NOLINTNEXTLINE(misc-no-recursion): five deep
    void value(Texts& texts, int depth, bool left_out, bool emptied = false) {
        const auto kind = below(depth > 5 ? 3 : 6);
        if (kind == 0) return texts.add(below(2) == 0 ? "null" : "-12", left_out);
        if (kind < 3) return texts.add(string(), left_out);
        const bool list = kind == 3;
        texts.add(list ? "[" : "{", left_out);
        for (std::size_t i = 0, count = below(4); i < count; ++i) {
            const bool inner = left_out || emptied;
            if (i > 0) texts.add(below(3) == 0 ? ", " : ",", inner);
            bool empties = false;
            if (!list) texts.add(key(empties), inner);
            value(texts, depth + 1, inner, empties);
        }
        texts.add(list ? "]" : "}", left_out);
    }

    std::mt19937 chance_;
};

const std::string slice =
    R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"managedFields":)"
    R"([{"fieldsV1":{"k:{\"uid\":\"9a\"}":{},"v:\"]\"":[]}}],"name":"web-1","namespace":"ns",)"
    R"("ownerReferences":[{"name":"}"}],"labels":{"kubernetes.io/service-name":"web"}},)"
    R"("addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"targetRef":{"name":"p\\"},)"
    R"("nodeName":"n1"},{"targetRef":{},"addresses":["10.0.0.2"]}],"ports":[{"name":"","port":1}]})";

} // namespace

TEST_CASE("lists and objects that are never read are emptied, all else passes", "[api]") {
    CHECK(passed(R"({"a":[1],"managedFields":[{"x":[{"y":"z"}]},2],"b":{}})") ==
          R"({"a":[1],"managedFields":[],"b":{}})");
    CHECK(passed(R"([{"ownerReferences":[{"uid":"1"}],"targetRef":{"kind":"Pod"}}])") ==
          R"([{"ownerReferences":[],"targetRef":{}}])");
    CHECK(passed(R"({"targetRef":{"a":{"b":{}},"c":{}},"managedFields":{"d":{}}})") ==
          R"({"targetRef":{},"managedFields":{}})");
    CHECK(passed("").empty());
}

TEST_CASE("brackets and quotes in strings end nothing that is left out", "[api]") {
    CHECK(passed(R"({"managedFields":["]",{"k:{\"uid\":\"9\"}":{}},"\\"],"a":1})") ==
          R"({"managedFields":[],"a":1})");
    CHECK(passed(R"({"targetRef":{"a":"}\"}","b":"\\\"}","c\\":"}"},"d":"}"})") ==
          R"({"targetRef":{},"d":"}"})");
}

TEST_CASE("what only looks like such a key passes", "[api]") {
    for (const std::string text :
         {R"({"a":"\"managedFields\":[1]"})", R"({"a\"managedFields":[1]})",
          R"({"managedFields" :[1]})", R"({"managedFields": [1]})", R"({"managedFields":null})",
          R"({"managedFields":"[x]"})", R"({"managedfields":[1]})", R"({"xtargetRef":{"a":1}})",
          R"(["targetRef",{"a":1}])", R"({"target\u0052ef":{"a":1}})", R"(managedFields":[1])",
          R"("managedFields":[1])"})
        CHECK(passed(text) == text);
}

TEST_CASE("any JSON, in pieces of any size, is sieved as it is written", "[api]") {
    for (unsigned seed = 0; seed < 300; ++seed) {
        const auto texts = Maker{seed}.make();
        INFO(texts.all);
        REQUIRE(passed(texts.all, texts.all.size() + 1) == texts.kept);
        for (const std::size_t piece : {1U, 2U, 3U, 7U, 15U, 16U, 17U, 18U, 19U, 31U, 64U})
            REQUIRE(passed(texts.all, piece) == texts.kept);
    }
}

TEST_CASE("the server's objects are decoded as if nothing had been left out", "[api]") {
    const auto compare = [](const std::string& text, const std::string& unsieved) {
        const auto left = read_json(text);
        const auto right = read_json(unsieved);
        REQUIRE_FALSE(left.problem);
        REQUIRE(left.objects.size() == right.objects.size());
        CHECK(left.list_end == right.list_end);
        for (std::size_t i = 0; i < left.objects.size(); ++i) {
            CHECK(shown(left.objects[i]) == shown(right.objects[i]));
            CHECK((left.objects[i].object == right.objects[i].object));
        }
    };
    const auto spaced = [](std::string text) { // a blank, and the sieve knows no key
        for (std::size_t at = 0; (at = text.find("\":", at)) != std::string::npos; at += 3)
            text.insert(at + 2, " ");
        return text;
    };
    compare(slice, spaced(slice));
    CHECK(as<model::EndpointSlice>(read_json(slice).objects.at(0)).endpoints.size() == 2);
    for (const auto* name : {"services-watch", "services-watchlist", "endpointslices-watchlist"}) {
        const auto text = recorded(name).body;
        REQUIRE(passed(text, 4096).size() < text.size());
        compare(text, spaced(text));
    }
}

TEST_CASE("an object cut within what is left out is incomplete", "[api]") {
    for (const auto* last : {R"("k:{\")", R"("name":"})", R"("name":"p\\)", R"("targetRef":{)"}) {
        const auto text = slice.substr(0, slice.find(last) + std::string_view{last}.size());
        const auto read = read_json(text);
        CHECK(read.objects.empty());
        REQUIRE(read.problem);
        CHECK(read.problem->reason == "not JSON: incomplete JSON");
    }
}

TEST_CASE("what is left out is not checked, what is not is", "[api]") {
    const auto around = [](const std::string& left, const std::string& value) {
        return R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"n")" + left +
               R"(,"managedFields":)" + value + "}}";
    };
    CHECK(read_json(around("", "[nothing \x01 \xff at all]")).objects.size() == 1);
    CHECK(read_json(around("", "[" + std::string(100000, '[') + std::string(100000, ']') + "]"))
              .objects.size() == 1);
    CHECK(read_json(around("x", "[1]")).problem);
    CHECK(read_json(around("", "[1]x")).problem);
    CHECK(read_json(around("", "[1]]")).problem);
    CHECK(read_json(around("", R"(1"managedFields":[2])")).problem);
}
