#include "proxy/cli/snapshot_format.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <limits>
#include <stdexcept>

#include "proxy/cli/entry_text.h"

namespace ipvsproxy::cli {
namespace {

Address address(const char* text) {
    return Address::parse(text).value();
}

/// A node with one of everything.
plan::NodeSnapshot sample() {
    plan::NodeSnapshot state;
    state.families = {true, false};
    state.device.present = true;
    state.device.kind = "dummy";
    state.device.addresses[{address("10.96.0.1"), 32}] = {};
    state.device.addresses[{address("fd00:96::1"), 128}] = {.deprecated = true};
    state.device.elsewhere = {{"eth0", address("192.0.2.1")}, {"eth0", address("2001:db8::1")}};
    const ipvs::ServiceKey v4{address("10.96.0.1"), Port{443}, Protocol::tcp};
    const ipvs::ServiceKey v6{address("fd00:96::1"), Port{53}, Protocol::udp};
    state.services[v4] = {.scheduler = "wrr",
                          .flags = ipvs::flag_persistent,
                          .timeout_seconds = 10800,
                          .persistence_prefix = 32,
                          .persistence_engine = "sip"};
    state.services[v6] = {.persistence_prefix = 128};
    const ipvs::DestinationKey busy{v4, address("10.244.0.5"), Port{6443}};
    state.destinations.specs[busy] = {.forward = ipvs::Forward::route,
                                      .weight = std::numeric_limits<std::int32_t>::max(),
                                      .upper_threshold = 7,
                                      .lower_threshold = 3};
    state.destinations.specs[{v6, address("fd00:244::5"), Port{53}}] = {.weight = 0};
    state.destinations.busy[busy] = {.active_connections = 4, .inactive_connections = 2};
    state.sets["KUBE-CLUSTER-IP"] = {
        {ipset::Type::hash_ip_port, Family::v4, 65536},
        {{.address = address("10.96.0.1"), .protocol = Protocol::tcp, .port = Port{443}}}};
    state.sets["KUBE-6-IPVS-IPS"] = {{ipset::Type::hash_ip, Family::v6, 4096},
                                     {{.address = address("fd00:96::1")}}};
    state.sets["KUBE-NODE-PORT-TCP"] = {{ipset::Type::bitmap_port, Family::v4, 65536},
                                        {{.port = Port{30080}}}};
    state.foreign_sets = {"KUBE-LOOP-BACK"};
    state.chains[Family::v4][{iptables::TableName::nat, "KUBE-SERVICES"}] = {
        R"(-m comment --comment "a: \"b\" # c" -j ACCEPT)", "-j RETURN"};
    state.chains[Family::v6][{iptables::TableName::filter, "KUBE-EMPTY"}] = {};
    return state;
}

void check_equal(const plan::NodeSnapshot& got, const plan::NodeSnapshot& wanted) {
    CHECK(got.families == wanted.families);
    CHECK(got.device == wanted.device);
    CHECK(got.services == wanted.services);
    CHECK(got.destinations.specs == wanted.destinations.specs);
    CHECK(got.destinations.busy == wanted.destinations.busy);
    CHECK(got.sets == wanted.sets);
    CHECK(got.foreign_sets == wanted.foreign_sets);
    for (const auto family : families)
        CHECK(got.chains[family] == wanted.chains[family]);
}

TEST_CASE("a node state comes back from JSON and from YAML as it was") {
    const auto state = sample();
    check_equal(parse_snapshot(json_text(to_json(state))), state);
    check_equal(parse_snapshot(yaml_text(to_json(state))), state);
    check_equal(parse_snapshot(json_text(to_json(plan::NodeSnapshot{}))), {});
    check_equal(parse_snapshot(yaml_text(to_json(plan::NodeSnapshot{}))), {});
}

TEST_CASE("what a node state leaves out is not there, but both families are") {
    check_equal(parse_snapshot("{apiVersion: ipvsproxy.io/v1, kind: NodeState}"), {});
    check_equal(parse_snapshot("{apiVersion: ipvsproxy.io/v1, kind: NodeState, iptables: {}}"), {});
}

TEST_CASE("the JSON text of a node state is JSON") {
    const auto value = to_json(sample());
    CHECK(boost::json::parse(json_text(value)) == value);
}

/// What parse_snapshot() says of the sample with `from` replaced by `to`; empty when it takes it.
std::string complaint(const std::string& from, const std::string& to) {
    auto text = json_text(to_json(sample()));
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    try {
        parse_snapshot(text);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

TEST_CASE("what is wrong in a node state is named with its place") {
    using Catch::Matchers::Contains;
    CHECK(complaint("virtualServers", "virtualServers").empty());
    CHECK_THAT(complaint("NodeState", "Pod"), Contains("NodeState"));
    CHECK_THAT(complaint("ipvsproxy.io/v1", "v9"), Contains("ipvsproxy.io/v1"));
    CHECK_THAT(complaint("\"port\": 443", "\"port\": 70000"), Contains("virtualServers[0].port"));
    CHECK_THAT(complaint("\"TCP\"", "\"ICMP\""), Contains("virtualServers[0].protocol"));
    CHECK_THAT(complaint("\"10.244.0.5\"", "\"10.244.0\""),
               Contains("virtualServers[0].realServers[0].address"));
    CHECK_THAT(complaint("\"forward\": 3", "\"forward\": 5"),
               Contains("virtualServers[0].realServers[0].forward"));
    CHECK_THAT(complaint("\"weight\": 2147483647", "\"weight\": 2147483648"),
               Contains("virtualServers[0].realServers[0].weight"));
    CHECK_THAT(complaint("\"10.96.0.1/32\"", "\"10.96.0.1/33\""),
               Contains("device.addresses[0].address"));
    CHECK_THAT(complaint("\"present\": true", "\"present\": 7"), Contains("device.present"));
    CHECK_THAT(complaint("hash:ip", "hash:mac"), Contains("ipsets[0].type"));
    CHECK_THAT(complaint("\"family\": \"IPv6\"", "\"family\": \"IPv5\""),
               Contains("ipsets[0].family"));
    CHECK_THAT(complaint("10.96.0.1,tcp:443", "10.96.0.1,tcp"), Contains("ipsets[1].entries[0]"));
    CHECK_THAT(complaint("\"families\": [\n    \"IPv4\"", "\"families\": [\n    \"ip\""),
               Contains("families[0]"));
    CHECK_THAT(complaint("\"nat\"", "\"raw\""), Contains("iptables.IPv4.raw"));
}

TEST_CASE("text that is no YAML is no node state") {
    CHECK_THROWS_AS(parse_snapshot("{"), std::runtime_error);
    CHECK_THROWS_AS(parse_snapshot(""), std::runtime_error);
    CHECK_THROWS_AS(parse_snapshot("- a\n- b\n"), std::runtime_error);
}

TEST_CASE("an entry of every type of set is read as it is printed") {
    using ipset::Type;
    for (const auto* const text : {"10.96.0.10", "fd00:96::a"}) {
        const auto host = address(text);
        for (const auto protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp}) {
            const Prefix net =
                Prefix::parse(host.family() == Family::v4 ? "10.0.0.0/8" : "fd00::/8").value();
            const std::vector<std::pair<Type, ipset::Entry>> all{
                {Type::hash_ip, {.address = host}},
                {Type::hash_ip_port, {.address = host, .protocol = protocol, .port = Port{65535}}},
                {Type::hash_ip_port_ip, {host, protocol, Port{80}, Prefix{host}}},
                {Type::hash_ip_port_net, {host, protocol, Port{80}, net}},
                {Type::hash_ip_port_net, {host, protocol, Port{80}, Prefix{host}}},
                {Type::bitmap_port, {.port = Port{30080}}},
            };
            for (const auto& [type, entry] : all) {
                CAPTURE(ipset::text(type, entry));
                CHECK(parse_entry(type, ipset::text(type, entry)) == entry);
            }
        }
    }
}

TEST_CASE("what is no entry of a type of set is not read as one") {
    using ipset::Type;
    for (const auto* const text : {"", ",", ",,", "10.0.0.1,", "10.0.0.1,tcp", "10.0.0.1,tcp:",
                                   "10.0.0.1,tcp:70000", "10.0.0.1,icmp:1", "10.0.0.1,tcp:80,",
                                   "10.0.0.1,tcp:80,10.0.0.0/33", "10.0.0.1,tcp:80,10.0.0.1,x",
                                   "10.0.0.1,tcp:-1", "10.0.0.1,tcp:8 0", "10.0.0.256", "tcp:80"})
        for (const auto type : {Type::hash_ip, Type::hash_ip_port, Type::hash_ip_port_ip,
                                Type::hash_ip_port_net, Type::bitmap_port}) {
            CAPTURE(text, ipset::name(type));
            CHECK_FALSE(parse_entry(type, text).has_value());
        }
    CHECK_FALSE(parse_entry(Type::bitmap_port, "tcp:80").has_value());
    CHECK_FALSE(parse_entry(Type::bitmap_port, "65536").has_value());
    CHECK_FALSE(parse_entry(Type::hash_ip, "10.0.0.1,tcp:80").has_value());
    CHECK_FALSE(parse_entry(Type::hash_ip_port, "10.0.0.1,tcp:80,10.0.0.1").has_value());
}

} // namespace
} // namespace ipvsproxy::cli
