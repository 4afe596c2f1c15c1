#include <catch2/catch.hpp>
#include <initializer_list>

#include "proxy/files/reading.h"

using namespace ipvsproxy;
using namespace ipvsproxy::files;

namespace {

Reading read(const std::string& file, std::initializer_list<std::string_view> pieces) {
    ManifestReader reader{file};
    for (const auto piece : pieces)
        reader.feed(piece);
    return reader.finish();
}

std::vector<std::string> names(const Reading& reading) {
    std::vector<std::string> all;
    for (const auto& [name, object] : reading.objects.services)
        all.push_back("Service " + name.text());
    for (const auto& [name, object] : reading.objects.slices)
        all.push_back("EndpointSlice " + name.text());
    for (const auto& [name, object] : reading.objects.nodes)
        all.push_back("Node " + name);
    return all;
}

const std::string json = R"( {"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"clusterIP":"10.0.0.1"}},
{"apiVersion":"v1","kind":"Service","metadata":{"name":"bad"},"spec":{"ports":[{"port":0}]}},
{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"}}]}
{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"clusterIP":"10.0.0.2"}})";

const std::string yaml = R"(
{kind: Service, apiVersion: v1, metadata: {name: web}}
---
kind: Node
apiVersion: v1
metadata: {name: n1}
)";

} // namespace

TEST_CASE("a manifest cut in two at any byte says the same", "[files]") {
    for (const auto* file : {"x.json", "-"}) {
        const auto whole = read(file, {json});
        REQUIRE(names(whole) == std::vector<std::string>{"Service default/web"});
        REQUIRE(whole.messages.size() == 2);
        const auto& web = whole.objects.services.begin()->second;
        CHECK(web.cluster_ip.v4 == Address::parse("10.0.0.2")); // the last one counts
        CHECK(whole.refused == std::set<Key>{{Key::Kind::service, {"default", "bad"}}});
        CHECK(whole.passed_over == std::set<std::string>{"apps/v1 Deployment"});
        for (std::size_t cut = 0; cut <= json.size(); ++cut) {
            const std::string_view all{json};
            const auto pieces = read(file, {all.substr(0, cut), {}, all.substr(cut)});
            CHECK(pieces.objects == whole.objects);
            CHECK(pieces.refused == whole.refused);
            CHECK(pieces.passed_over == whole.passed_over);
            CHECK(pieces.messages == whole.messages);
        }
    }
}

TEST_CASE("without a name that says it, YAML is told from JSON by how it begins", "[files]") {
    const std::vector<std::string> both{"Service default/web", "Node n1"};
    for (std::size_t cut = 0; cut <= yaml.size(); ++cut) {
        const std::string_view all{yaml};
        CHECK(names(read("-", {all.substr(0, cut), all.substr(cut)})) == both);
    }
    CHECK(read("x.json", {yaml}).broken); // the name counts for more
}

TEST_CASE("a text of nothing, and one with nothing in it, are no mistake", "[files]") {
    for (const auto* file : {"-", "x.yaml", "x.json"})
        for (const auto* text : {"", " \n", "\n\n"}) {
            const auto reading = read(file, {text});
            CHECK_FALSE(reading.broken);
            CHECK(reading.objects.size() == 0);
            CHECK(reading.messages.empty());
        }
}

TEST_CASE("broken JSON is said once, whatever comes after it", "[files]") {
    const auto reading = read("x.json", {json, "]", json, "}"});
    CHECK(reading.broken);
    REQUIRE(reading.messages.size() == 3);
    CHECK(reading.messages.back().severity == Severity::error);
    CHECK(read("x.json", {json.substr(0, 100)}).broken);
}
