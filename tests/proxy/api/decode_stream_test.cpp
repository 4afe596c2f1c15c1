#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/proxy/api/decoding.h"
#include "tests/proxy/api/recorded.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;
using model::EndpointSlice;
using model::Node;
using model::Service;

namespace {

using Texts = std::vector<std::string>;

Texts labels(const Read& read) {
    Texts out;
    for (const auto& one : read.objects)
        out.push_back(one.label());
    return out;
}

/// Feeds the pieces one after the other.
Read read_pieces(std::initializer_list<std::string_view> pieces, Origin origin) {
    Read read;
    JsonDecoder decoder{[&](Decoded&& one) { read.objects.push_back(std::move(one)); }, origin};
    for (const auto piece : pieces)
        if (!read.problem) read.problem = decoder.feed(piece);
    if (!read.problem) read.problem = decoder.finish();
    read.list_end = decoder.list_end();
    return read;
}

void check_same(const Read& some, const Read& other) {
    REQUIRE(some.objects.size() == other.objects.size());
    CHECK(some.problem == other.problem);
    CHECK(some.list_end == other.list_end);
    for (std::size_t i = 0; i < some.objects.size(); ++i) {
        CHECK(shown(some.objects[i]) == shown(other.objects[i]));
        CHECK(some.objects[i].event == other.objects[i].event);
        CHECK((some.objects[i].object == other.objects[i].object));
    }
}

/// A list with everything in it that can be cut badly: escapes, numbers, unknown subtrees, errors.
const std::string odd_list = R"({"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"7"},
 "items":[{"kind":"Service","apiVersion":"v1","metadata":{"name":"w\u0065b","namespace":"ns",
 "annotations":{"x":"\ud83d\ude00 \"q\" \\","y":[1,2.5e3,{"z":null}]},"labels":{"a\u0062":"c"}},
 "spec":{"cluster\u0049P":"10.96.0.1","ports":[{"port":8080,"name":"ht\u0074p"}],"externalIPs":["x\ty"]}},
 {"kind":"Service","apiVersion":"v1","metadata":{"name":"bad"},"spec":{"ports":[{"port":123456}]}},
 7,{"kind":"Node","apiVersion":"v1","metadata":{"name":"n1"}}]}
)";

} // namespace

TEST_CASE("JSON cut in two at any byte gives the same objects", "[api]") {
    for (const auto origin : {Origin::server, Origin::manifest}) {
        const auto whole = read_json(odd_list, origin);
        REQUIRE(labels(whole) == Texts{"Service ns/web", "Service default/bad", "Node n1", "List"});
        for (std::size_t cut = 0; cut <= odd_list.size(); ++cut) {
            const std::string_view text{odd_list};
            check_same(read_pieces({text.substr(0, cut), text.substr(cut)}, origin), whole);
        }
    }
}

TEST_CASE("recorded lists fed byte by byte give the same objects", "[api]") {
    for (const auto* name : {"services-list", "endpointslices-list", "nodes-list"}) {
        const auto text = recorded(name).body;
        const auto whole = read_json(text);
        CHECK_FALSE(whole.problem);
        CHECK_FALSE(whole.objects.empty());
        Read bytewise;
        JsonDecoder decoder{[&](Decoded&& one) { bytewise.objects.push_back(std::move(one)); }};
        for (const char byte : text)
            REQUIRE_FALSE(decoder.feed({&byte, 1}));
        CHECK_FALSE(decoder.finish());
        bytewise.list_end = decoder.list_end();
        check_same(bytewise, whole);
    }
}

TEST_CASE("items of typed lists are of the list's kind", "[api]") {
    const auto services = read_json(recorded("services-list").body);
    REQUIRE_FALSE(services.problem);
    REQUIRE(services.objects.size() > 1);
    for (const auto& one : services.objects) {
        CHECK(one.kind == "Service");
        CHECK(std::holds_alternative<Service>(*one.object));
        CHECK(one.warnings.empty());
        CHECK_FALSE(one.resource_version.empty());
    }
    REQUIRE(services.list_end);
    CHECK_FALSE(services.list_end->resource_version.empty());
    CHECK(services.list_end->continue_token.empty());
    const auto slices = read_json(recorded("endpointslices-list").body);
    CHECK(std::ranges::all_of(slices.objects, [](const Decoded& one) {
        return std::holds_alternative<EndpointSlice>(*one.object);
    }));
    const auto nodes = read_json(recorded("nodes-list").body);
    CHECK(std::ranges::all_of(nodes.objects, [](const Decoded& one) {
        return std::holds_alternative<Node>(*one.object);
    }));
}

TEST_CASE("a page of a list says how to go on, the pages together are the list", "[api]") {
    Texts paged;
    for (const auto* name : {"services-list-page1", "services-list-page2", "services-list-page3"}) {
        const auto page = read_json(recorded(name).body);
        REQUIRE(page.list_end);
        CHECK(page.list_end->continue_token.empty() ==
              (std::string{name} == "services-list-page3"));
        for (const auto& label : labels(page))
            paged.push_back(label);
    }
    CHECK(paged == labels(read_json(recorded("services-list").body)));
}

TEST_CASE("a list may say its kind at its end", "[api]") {
    const auto item = R"({"metadata":{"name":"web"},"spec":{"clusterIP":"10.96.0.1"}})";
    const auto read = read_json(std::string{R"({"apiVersion":"v1","items":[)"} + item + "," + item +
                                R"(],"kind":"ServiceList","metadata":{"resourceVersion":"9"}})");
    REQUIRE(read.objects.size() == 2);
    CHECK(as<Service>(read.objects[1]).name == model::ObjectName{"default", "web"});
    CHECK(read.list_end == ListEnd{"9", ""});
    const auto untold = read_json(std::string{R"({"items":[)"} + item + R"(],"kind":"List"})");
    REQUIRE(untold.objects.size() == 1);
    CHECK(untold.objects[0].object.error().text() == "kind: required");
}

TEST_CASE("the kind may come after all else", "[api]") {
    const auto read = read_json(
        R"({"spec":{"ports":[{"port":80}],"clusterIP":"10.96.0.1"},"metadata":{"name":"web"},)"
        R"("apiVersion":"v1","kind":"Service"})");
    CHECK(as<Service>(read.objects.at(0)).ports.at(0).port == Port{80});
    CHECK_FALSE(read.list_end);
}

TEST_CASE("a recorded watch gives its events in order", "[api]") {
    const auto read = read_json(recorded("services-watch").body);
    REQUIRE_FALSE(read.problem);
    std::vector<Event> events;
    for (const auto& one : read.objects) {
        events.push_back(one.event);
        CHECK(one.kind == "Service");
        CHECK_FALSE(one.resource_version.empty());
        CHECK_FALSE(one.object.has_error());
        CHECK_FALSE(one.initial_events_end);
        CHECK(std::holds_alternative<OtherObject>(*one.object) == (one.event == Event::bookmark));
    }
    CHECK(std::ranges::count(events, Event::modified) > 0);
    CHECK(std::ranges::count(events, Event::deleted) > 0);
    CHECK(std::ranges::count(events, Event::bookmark) > 0);
}

TEST_CASE("the bookmark that ends a streamed list is told from others", "[api]") {
    for (const auto* name : {"services-watchlist", "endpointslices-watchlist"}) {
        const auto read = read_json(recorded(name).body);
        REQUIRE_FALSE(read.problem);
        const auto end = std::ranges::find_if(read.objects, &Decoded::initial_events_end);
        REQUIRE(end != read.objects.end());
        CHECK(end->event == Event::bookmark);
        CHECK(std::all_of(read.objects.begin(), end,
                          [](const Decoded& one) { return one.event == Event::added; }));
        CHECK(std::ranges::count_if(read.objects, &Decoded::initial_events_end) == 1);
    }
}

TEST_CASE("an error in a watch, and a refused request, are Status objects", "[api]") {
    const auto old = read_json(recorded("services-watch-too-old").body);
    REQUIRE(old.objects.size() == 1);
    CHECK(old.objects[0].event == Event::error);
    CHECK(as<Status>(old.objects[0]).code == 410);
    CHECK(as<Status>(old.objects[0]).reason == "Expired");
    const auto expired = read_json(recorded("services-list-expired-continue").body);
    REQUIRE(expired.objects.size() == 1);
    CHECK(expired.objects[0].event == Event::none);
    CHECK(as<Status>(expired.objects[0]).code == 410);
    CHECK(as<Status>(read_json(recorded("unauthorized").body).objects.at(0)).code == 401);
}

TEST_CASE("an event comes as soon as its last brace does", "[api]") {
    int count = 0;
    JsonDecoder decoder{[&](Decoded&&) { ++count; }};
    const std::string event =
        R"({"type":"ADDED","object":{"kind":"Node","apiVersion":"v1","metadata":{"name":"n"}}})";
    CHECK_FALSE(decoder.feed(event));
    CHECK(count == 1);
    CHECK_FALSE(decoder.feed("\n"));
    CHECK_FALSE(decoder.feed(event + "\n" + event));
    CHECK(count == 3);
    CHECK_FALSE(decoder.finish());
}

TEST_CASE("a malformed object leaves its neighbours alone", "[api]") {
    const auto read = read_json(odd_list);
    REQUIRE(read.objects.size() == 4);
    CHECK_FALSE(read.objects[0].object.has_error());
    CHECK(read.objects[1].object.error().text() == "spec.ports[0].port: port outside 1..65535");
    CHECK_FALSE(read.objects[2].object.has_error());
    CHECK(read.objects[3].object.error().text() == "items[2]: must be an object");
    CHECK(as<Service>(read.objects[0]).ports.at(0).name == model::Symbol{"http"});
}

TEST_CASE("objects of other kinds and versions are passed on by name", "[api]") {
    const auto read = read_json(
        R"({"kind":"Service","apiVersion":"serving.knative.dev/v1","metadata":{"name":"k","namespace":"a"},
        "spec":{"ports":"none","taints":5}}
        {"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"d","namespace":"b"},"spec":{}}
        {"kind":"Namespace","apiVersion":"v1","metadata":{"name":"c"}}
        {"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m"},"data":{"kind":7},"items":["x"]}
        {"kind":"Secret","apiVersion":"v1","metadata":{"name":"s"},"type":"ADDED"})");
    CHECK_FALSE(read.problem);
    CHECK(labels(read) ==
          Texts{"Service a/k", "Deployment b/d", "Namespace c", "ConfigMap m", "Secret s"});
    CHECK(as<OtherObject>(read.objects.at(0)).api_version == "serving.knative.dev/v1");
    CHECK(as<OtherObject>(read.objects.at(1)).api_version == "apps/v1");
    CHECK(as<OtherObject>(read.objects.at(4)).api_version == "v1");
}

TEST_CASE("a list within a list is refused, not passed over, and its neighbours stand", "[api]") {
    const auto read =
        read_yaml("apiVersion: v1\nkind: List\nitems:\n"
                  "- {apiVersion: v1, kind: List, items: [{kind: Service}]}\n"
                  "- {apiVersion: v1, kind: Node, metadata: {name: n1}}\n"
                  "- {apiVersion: discovery.k8s.io/v1, kind: EndpointSliceList}\n"
                  "- {apiVersion: example.org/v1, kind: List, metadata: {name: x}}\n");
    CHECK_FALSE(read.problem);
    CHECK(labels(read) == Texts{"List", "Node n1", "EndpointSliceList", "List x"});
    for (const auto index : {std::size_t{0}, std::size_t{2}})
        CHECK(read.objects.at(index).object.error().text() ==
              "a list within a list is not read; its items belong into the outer one");
    CHECK(read.objects.at(0).line == 4);
    CHECK(as<OtherObject>(read.objects.at(3)).api_version == "example.org/v1");
}

TEST_CASE("what is no object at all is refused and the reading goes on", "[api]") {
    const auto read = read_json(R"([1,[2]] 5 "x" true 1.5 null {} {"kind":7} {"kind":"Service"}
        {"kind":"Service","apiVersion":"v1"})");
    CHECK_FALSE(read.problem);
    Texts reasons;
    for (const auto& one : read.objects)
        reasons.push_back(one.label() + ": " + one.object.error().text());
    CHECK(reasons == Texts{"object: must be an object", "object: must be an object",
                           "object: must be an object", "object: must be an object",
                           "object: must be an object", "object: kind: required",
                           "object: kind: must be a string", "Service: apiVersion: required",
                           "Service: metadata.name: required"});
}

TEST_CASE("broken JSON ends the reading, at its line and place", "[api]") {
    const auto read = read_json("{\"kind\":\"Service\",\n\"spec\":{\n\"ports\":[{\"port\":8x}]}}",
                                Origin::manifest);
    REQUIRE(read.problem);
    CHECK(read.problem->line == 3);
    CHECK(read.problem->path == "spec.ports[0].port");
    CHECK(read.problem->reason.starts_with("not JSON: "));
    for (const auto* cut : {"{", "{\"a\"", "{\"a\":[1,", "[", "\"x", R"({"kind":"Serv)"}) {
        const auto part = read_json(cut);
        REQUIRE(part.problem);
        CHECK(part.problem->reason == "not JSON: incomplete JSON");
        CHECK(part.objects.empty());
    }
    JsonDecoder decoder{[](Decoded&&) {}};
    CHECK(decoder.feed("}"));
    CHECK(decoder.feed("{}"));
    CHECK(decoder.finish());
}

TEST_CASE("depth is limited", "[api]") {
    const std::string deep = R"({"metadata":{"annotations":)";
    const auto nested = [&](std::size_t depth) {
        return deep + std::string(depth, '[') + std::string(depth, ']') + "}}";
    };
    CHECK_FALSE(read_json(nested(100)).problem);
    CHECK(read_json(nested(100000)).problem);
    CHECK(read_yaml(std::string(100000, '[')).problem);
}

TEST_CASE("a text that is looked at is limited in length, one that is skipped is not", "[api]") {
    const std::string pad(200000, 'x');
    const auto object = [&](const std::string& annotation, const std::string& name) {
        return R"({"kind":"Node","apiVersion":"v1","metadata":{"annotations":{"a":")" + annotation +
               R"("},"name":")" + name + R"("}})";
    };
    CHECK(as<Node>(read_json(object(pad, "n1")).objects.at(0)).name == "n1");
    const auto refused = read_json(object("", pad)).objects;
    REQUIRE(refused.at(0).object.has_error());
    CHECK(refused[0].object.error().text() == "metadata.name: longer than 65536 bytes");
}

TEST_CASE("lines of manifests are counted, also through chunks", "[api]") {
    const std::string text =
        "\n\n{\"kind\":\"Service\",\"apiVersion\":\"v1\",\n\"metadata\":{\"name\":"
        "\"web\"},\n\"spec\":{\"ports\":[\n{\"port\":80},\n{\"port\":70000}]}}";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        const std::string_view all{text};
        const auto read = read_pieces({all.substr(0, cut), all.substr(cut)}, Origin::manifest);
        REQUIRE(read.objects.size() == 1);
        CHECK(read.objects[0].object.error().line == 7);
        CHECK(read.objects[0].line == 3);
    }
}

TEST_CASE("nothing of one object is left over in the next", "[api]") {
    const std::string everything[] = {
        R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"full","namespace":"ns","resourceVersion":"9",
"labels":{"service.kubernetes.io/service-proxy-name":"x"},"creationTimestamp":"2026-01-02T03:04:05Z"},
"spec":{"type":"LoadBalancer","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1","fd00::1"],"ipFamilies":["IPv4","IPv6"],
"ports":[{"name":"a","port":1,"protocol":"UDP","nodePort":30000},{"port":2,"protocol":"odd"}],
"sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":5}},
"externalTrafficPolicy":"Local","internalTrafficPolicy":"Local","healthCheckNodePort":30001,
"externalIPs":["192.0.2.1","bad"],"loadBalancerSourceRanges":["10.0.0.0/8"]},
"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.2","ipMode":"Proxy"}]}}})",
        R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"full","namespace":"ns",
"labels":{"kubernetes.io/service-name":"web","service.kubernetes.io/headless":""},
"annotations":{"endpoints.kubernetes.io/last-change-trigger-time":"2026-01-02T03:04:05Z"}},"addressType":"IPv6",
"ports":[{"name":"a","port":1,"protocol":"UDP"}],"endpoints":[{"addresses":["fd00::1"],"nodeName":"n1",
"conditions":{"ready":false,"serving":false,"terminating":true},"hints":{"forZones":[{"name":"z"}],"forNodes":[{"name":"n"}]}}]})",
        R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"full","deletionTimestamp":"2026-01-02T03:04:05Z",
"labels":{"topology.kubernetes.io/zone":"z"}},"spec":{"podCIDR":"10.1.0.0/16","podCIDRs":["10.1.0.0/16"],
"taints":[{"key":"ToBeDeletedByClusterAutoscaler"}]},"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.3"}]}})",
        R"({"kind":"Status","apiVersion":"v1","code":410,"reason":"Gone","message":"too old"})",
        R"({"kind":"ConfigMap","apiVersion":"v1","spec":{"ports":[{"port":1}],"podCIDR":"10.0.0.0/8"},"code":7,
"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.9"]}],"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.9"}]}})",
        R"({"kind":"Service","apiVersion":"v1","metadata":{"name":5},"spec":{"clusterIP":"10.0.0.1","ports":7}})",
    };
    const std::string little[] = {
        R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"s"}})",
        R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"s",
"labels":{"kubernetes.io/service-name":"w"}},"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"]},{}]})",
        R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"s"}})",
        R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"s"}})",
        R"({"kind":"Status","apiVersion":"v1"})",
        R"({"kind":"Service","apiVersion":"v1"})",
        R"({})",
    };
    const std::string begin = R"({"kind":"List","apiVersion":"v1","items":[)";
    for (const auto origin : {Origin::server, Origin::manifest})
        for (const auto& full : everything)
            for (const auto& one : little) {
                const auto alone = read_json(begin + one + "]}", origin);
                const auto after = read_json(begin + full + ',' + one + "]}", origin);
                REQUIRE(alone.objects.size() == 1);
                REQUIRE(after.objects.size() == 2);
                auto expected = alone.objects[0], found = after.objects[1];
                for (auto* each : {&expected, &found}) { // lines differ, and may
                    each->line = 0;
                    for (auto& warning : each->warnings)
                        warning.line = 0;
                }
                CHECK(shown(found) == shown(expected));
                if (expected.object.has_error())
                    CHECK(found.object.error().text() == expected.object.error().text());
                else CHECK((found.object == expected.object));
            }
}
