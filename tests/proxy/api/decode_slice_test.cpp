#include <catch2/catch.hpp>

#include "tests/proxy/api/decoding.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;
using model::EndpointSlice;
using model::Node;
using model::Symbol;

namespace {

Address ip(std::string_view text) {
    return Address::parse(text).value();
}
using Texts = std::vector<std::string>;
using Symbols = std::vector<Symbol>;

/// A slice of service ns/web with this content.
Decoded decoded(const std::string& content, Origin origin = Origin::server,
                const std::string& metadata = R"("labels":{"kubernetes.io/service-name":"web"})") {
    auto read = read_json(R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1",)"
                          R"("metadata":{"name":"web-1","namespace":"ns",)" +
                              metadata + "}," + content + "}",
                          origin);
    REQUIRE_FALSE(read.problem);
    REQUIRE(read.objects.size() == 1);
    return std::move(read.objects.front());
}
EndpointSlice slice(const std::string& content) {
    return as<EndpointSlice>(decoded(content));
}
Texts warnings(const Decoded& one) {
    Texts texts;
    for (const auto& warning : one.warnings)
        texts.push_back(warning.text());
    return texts;
}
const std::string v4 = R"("addressType":"IPv4",)";

} // namespace

TEST_CASE("P-140 an EndpointSlice's ports and endpoints are read", "[api]") {
    const auto read = slice(
        v4 +
        R"("ports":[{"name":"http","port":80,"protocol":"TCP","appProtocol":"x"},)"
        R"({"name":"","port":443,"protocol":"UDP"}],"endpoints":[)"
        R"({"addresses":["10.0.0.1","10.0.0.9"],"nodeName":"n1","zone":"a","targetRef":{"name":"p"}},)"
        R"({"addresses":["10.0.0.2"],"conditions":{"ready":false,"serving":true,"terminating":true}},)"
        R"({"addresses":["10.0.0.3"],"conditions":{"ready":null,"serving":false},)"
        R"("hints":{"forZones":[{"name":"b"},{"name":"a"},{"name":"b"}],"forNodes":[{"name":"n1"}]}}])");
    const EndpointSlice expected{
        .name = {"ns", "web-1"},
        .service = {"ns", "web"},
        .family = Family::v4,
        .ports = {{Symbol{"http"}, Protocol::tcp, Port{80}}, {Symbol{}, Protocol::udp, Port{443}}},
        .endpoints = {
            {.address = ip("10.0.0.1"), .node = Symbol{"n1"}},
            {.address = ip("10.0.0.2"), .ready = false, .serving = true, .terminating = true},
            {.address = ip("10.0.0.3"),
             .serving = false,
             .zone_hints = Symbols{Symbol{"a"}, Symbol{"b"}},
             .node_hints = Symbols{Symbol{"n1"}}}}};
    CHECK(read == expected);
}

TEST_CASE("P-144 a slice port without a number or a name is passed over", "[api]") {
    const std::string ports = v4 +
                              R"("ports":[{"name":"a","protocol":"TCP"},{"name":"b","port":null},)"
                              R"({"name":"c","port":0},{"port":5},{"name":"d","port":80}])";
    const auto served = decoded(ports);
    REQUIRE(as<EndpointSlice>(served).ports.size() == 1);
    CHECK(as<EndpointSlice>(served).ports[0].name == Symbol{"d"});
    CHECK(warnings(served) == Texts{"ports[0].port: absent, port passed over",
                                    "ports[1].port: absent, port passed over",
                                    "ports[2].port: absent, port passed over",
                                    "ports[3].name: absent, port passed over"});
    // in a manifest the API server's default for the name, the empty one, has yet to be filled in
    const auto written = decoded(ports, Origin::manifest);
    REQUIRE(as<EndpointSlice>(written).ports.size() == 2);
    CHECK(as<EndpointSlice>(written).ports[0].name == Symbol{});
}

TEST_CASE("D-15 a slice port without protocol is TCP", "[api]") {
    const auto read = slice(v4 + R"("ports":[{"name":"a","port":80,"protocol":null}])");
    REQUIRE(read.ports.size() == 1);
    CHECK(read.ports[0].protocol == Protocol::tcp);
}

TEST_CASE("no ports means no ports", "[api]") {
    CHECK(slice(v4 + R"("ports":null,"endpoints":[{"addresses":["10.0.0.1"]}])").ports.empty());
    CHECK(slice(v4 + R"("endpoints":null)").endpoints.empty());
}

TEST_CASE("an endpoint whose address does not fit is named and passed over", "[api]") {
    const auto read =
        decoded(v4 + R"("endpoints":[{"addresses":["10.0.0.x","10.0.0.1"]},)"
                     R"({"addresses":[]},{"nodeName":"n1"},{"addresses":["2001:db8::1"]},)"
                     R"({"addresses":["::ffff:10.0.0.5"]},{"addresses":["010.0.0.6"]}])");
    const auto& endpoints = as<EndpointSlice>(read).endpoints;
    REQUIRE(endpoints.size() == 2);
    CHECK(endpoints[0].address == ip("10.0.0.5"));
    CHECK(endpoints[1].address == ip("10.0.0.6"));
    CHECK(warnings(read) ==
          Texts{"endpoints[0].addresses[0]: not an IP address, endpoint passed over: \"10.0.0.x\"",
                "endpoints[1].addresses: empty, endpoint passed over",
                "endpoints[2].addresses: empty, endpoint passed over",
                "endpoints[3].addresses[0]: 2001:db8::1 is not IPv4, endpoint passed over"});
    CHECK(read.label() == "EndpointSlice ns/web-1");
}

TEST_CASE("P-148 a slice of names is passed over", "[api]") {
    const auto read = decoded(R"("addressType":"FQDN","endpoints":[{"addresses":["a.test"]}])");
    CHECK(as<OtherObject>(read) == OtherObject{"discovery.k8s.io/v1"});
    CHECK(read.name == model::ObjectName{"ns", "web-1"});
    CHECK(read.warnings.back().text() == "addressType: FQDN is not proxied, slice passed over");
}

TEST_CASE("a slice without a service is passed over, with a word", "[api]") {
    for (const auto* metadata :
         {R"("labels":{"app":"x"})", R"("labels":{"kubernetes.io/service-name":""})",
          R"("labels":null)", R"("uid":"x")"}) {
        const auto read = decoded(v4 + R"("ports":[])", Origin::server, metadata);
        CHECK(std::holds_alternative<OtherObject>(*read.object));
        CHECK(warnings(read) == Texts{"metadata.labels: no label kubernetes.io/service-name, slice "
                                      "passed over"});
    }
}

TEST_CASE("the label headless excludes a slice as the watch's selector does", "[api]") {
    const auto read = decoded(
        v4 + R"("ports":[])", Origin::server,
        R"("labels":{"kubernetes.io/service-name":"web","service.kubernetes.io/headless":""})");
    CHECK(std::holds_alternative<OtherObject>(*read.object));
    CHECK(read.warnings.empty());
    const auto other = decoded(v4 + R"("ports":[])", Origin::server,
                               R"("labels":{"kubernetes.io/service-name":"web",)"
                               R"("service.kubernetes.io/service-proxy-name":"x"})");
    CHECK(std::holds_alternative<EndpointSlice>(*other.object));
}

TEST_CASE("P-155 the trigger time is read to the nanosecond", "[api]") {
    const auto read =
        decoded(v4 + R"("ports":[])", Origin::server,
                R"("annotations":{"endpoints.kubernetes.io/last-change-trigger-time":)"
                R"("2026-11-21T02:03:31.123456789Z"},)"
                R"("labels":{"kubernetes.io/service-name":"web"})");
    using namespace std::chrono;
    CHECK(as<EndpointSlice>(read).triggered == sys_days{year{2026} / 11 / 21} + hours{2} +
                                                   minutes{3} + seconds{31} +
                                                   nanoseconds{123456789});
    const auto bad = decoded(v4 + R"("ports":[])", Origin::server,
                             R"("annotations":{"endpoints.kubernetes.io/last-change-trigger-time":)"
                             R"("yesterday"},"labels":{"kubernetes.io/service-name":"web"})");
    CHECK(as<EndpointSlice>(bad).triggered == std::nullopt);
    CHECK(bad.warnings.size() == 1);
    CHECK(slice(v4 + R"("ports":[])").triggered == std::nullopt);
}

TEST_CASE("a slice that cannot be is refused by name", "[api]") {
    const auto refused = [](const std::string& content) {
        const auto one = decoded(content);
        REQUIRE(one.object.has_error());
        return one.object.error().text();
    };
    CHECK(refused(R"("ports":[])") == "addressType: required");
    CHECK(refused(v4 + R"("ports":[{"name":"a","port":65536}])") ==
          "ports[0].port: port outside 1..65535");
    CHECK(refused(v4 + R"("endpoints":[{"addresses":"10.0.0.1"}])") ==
          "endpoints[0].addresses: must be a list of strings");
    CHECK(
        refused(v4 + R"("endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":"true"}}])") ==
        "endpoints[0].conditions.ready: must be true or false");
}

TEST_CASE("a Node's zone, addresses and pod networks are read", "[api]") {
    const auto read = read_json(
        R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","deletionTimestamp":)"
        R"("2026-11-21T02:03:31Z","labels":{"topology.kubernetes.io/zone":"a"}},"spec":{)"
        R"("podCIDR":"10.9.0.0/24","podCIDRs":["10.244.1.0/24","fd00:244::/64"],)"
        R"("taints":[{"key":"x"},{"key":"ToBeDeletedByClusterAutoscaler","value":"1"}]},)"
        R"("status":{"addresses":[{"type":"Hostname","address":"n1"},)"
        R"({"address":"192.0.2.1","type":"InternalIP"},{"type":"ExternalIP","address":"2001:db8::1"},)"
        R"({"type":"InternalIP","address":"2001:db8::2"},{"type":"InternalIP","address":"junk"}]}})");
    REQUIRE(read.objects.size() == 1);
    const Node expected{
        .name = "n1",
        .zone = Symbol{"a"},
        .internal_ips = {ip("192.0.2.1"), ip("2001:db8::2")},
        .external_ips = {ip("2001:db8::1")},
        .pod_cidrs = {*Prefix::parse("10.244.1.0/24"), *Prefix::parse("fd00:244::/64")},
        .being_deleted = true,
        .to_be_deleted_taint = true};
    CHECK(as<Node>(read.objects[0]) == expected);
    CHECK(warnings(read.objects[0]) ==
          Texts{"status.addresses[4].address: not an IP address, passed over: \"junk\""});
    CHECK(read.objects[0].label() == "Node n1");
}

TEST_CASE("podCIDR stands in for podCIDRs, and null is absent", "[api]") {
    const auto read = read_json(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1",)"
                                R"("deletionTimestamp":null},"spec":{"podCIDR":"10.9.0.0/24"}})");
    CHECK(as<Node>(read.objects.at(0)).pod_cidrs == std::vector{*Prefix::parse("10.9.0.0/24")});
    CHECK_FALSE(as<Node>(read.objects.at(0)).being_deleted);
}
