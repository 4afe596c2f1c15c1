#include "proxy/config/node_ips.h"

#include <catch2/catch.hpp>

#include "proxy/config/flags.h"
#include "proxy/config/validate.h"

using namespace ipvsproxy;
using namespace ipvsproxy::config;

namespace {

Address ip(const char* text) {
    return *Address::parse(text);
}

Prefix cidr(const char* text) {
    return *Prefix::parse(text);
}

NodeIps ips(const char* v4, const char* v6, Family primary) {
    return {{ip(v4), ip(v6)}, primary};
}

NodeIps detected(const char* bind, const std::vector<const char*>& raw) {
    std::vector<Address> addresses;
    for (const char* each : raw)
        addresses.push_back(ip(each));
    return detect_node_ips(ip(bind), addresses);
}

Options options(void (*change)(Configuration&)) {
    Options result;
    change(result.configuration);
    auto parsed = validate(result.configuration);
    REQUIRE(parsed.has_value());
    result.parsed = *parsed;
    return result;
}

using Detectors = PerFamily<plan::LocalDetector>;

} // namespace

TEST_CASE("P-256 the raw addresses are the first of all, internal ones before external ones",
          "[config]") {
    model::Node node;
    CHECK(raw_node_ips(node).empty());
    node.external_ips = {ip("203.0.113.1")};
    CHECK(raw_node_ips(node) == std::vector{ip("203.0.113.1")});
    node.internal_ips = {ip("fd00::1"), ip("fd00::2")};
    CHECK(raw_node_ips(node) == std::vector{ip("fd00::1"), ip("203.0.113.1")});
    node.internal_ips.push_back(ip("10.0.0.1"));
    CHECK(raw_node_ips(node) == std::vector{ip("fd00::1"), ip("10.0.0.1")});
}

TEST_CASE("P-256 without a Node a specific bind address is the node's address", "[config]") {
    CHECK(detected("10.0.0.1", {}) == ips("10.0.0.1", "::1", Family::v4));
    CHECK(detected("fd00::1", {}) == ips("127.0.0.1", "fd00::1", Family::v6));
    CHECK(detected("0.0.0.0", {}) == ips("127.0.0.1", "::1", Family::v4));
    CHECK(detected("::", {}) == ips("127.0.0.1", "::1", Family::v4));
}

TEST_CASE("P-256 with an unspecified bind address the Node decides", "[config]") {
    CHECK(detected("0.0.0.0", {"10.0.0.1"}) == ips("10.0.0.1", "::1", Family::v4));
    CHECK(detected("::", {"10.0.0.1"}) == ips("10.0.0.1", "::1", Family::v4));
    CHECK(detected("0.0.0.0", {"fd00::1"}) == ips("127.0.0.1", "fd00::1", Family::v6));
    CHECK(detected("::", {"10.0.0.1", "fd00::1"}) == ips("10.0.0.1", "fd00::1", Family::v4));
    CHECK(detected("0.0.0.0", {"fd00::1", "10.0.0.1"}) == ips("10.0.0.1", "fd00::1", Family::v6));
}

TEST_CASE("P-256 a specific bind address replaces its family's, even by loopback, and is primary",
          "[config]") {
    CHECK(detected("10.9.9.9", {"10.0.0.1", "fd00::1"}) == ips("10.9.9.9", "fd00::1", Family::v4));
    CHECK(detected("fd00::9", {"10.0.0.1", "fd00::1"}) == ips("10.0.0.1", "fd00::9", Family::v6));
    CHECK(detected("127.0.0.1", {"fd00::1", "10.0.0.1"}) ==
          ips("127.0.0.1", "fd00::1", Family::v4));
}

TEST_CASE("P-259 ClusterCIDR takes the first CIDR of each family", "[config]") {
    CHECK(local_detectors(options([](Configuration&) {}), {}) == Detectors{});
    CHECK(local_detectors(options([](Configuration& c) { c.cluster_cidr = "10.244.3.4/16"; }),
                          {}) == Detectors{{cidr("10.244.0.0/16"), ""}, {}});
    CHECK(
        local_detectors(options([](Configuration& c) { c.cluster_cidr = "fd00::/64,10.0.0.0/8"; }),
                        {}) == Detectors{{cidr("10.0.0.0/8"), ""}, {cidr("fd00::/64"), ""}});
    // The Node's CIDRs are another mode's.
    CHECK(local_detectors(options([](Configuration&) {}), std::vector{cidr("10.0.0.0/8")}) ==
          Detectors{});
}

TEST_CASE("P-259 NodeCIDR takes the first of the Node's podCIDRs of each family", "[config]") {
    const auto node = options([](Configuration& c) {
        c.detect_local_mode = "NodeCIDR";
        c.cluster_cidr = "10.0.0.0/8";
    });
    CHECK(local_detectors(node, {}) == Detectors{});
    CHECK(local_detectors(node, std::vector{cidr("10.1.0.0/24"), cidr("10.2.0.0/24")}) ==
          Detectors{{cidr("10.1.0.0/24"), ""}, {}});
    CHECK(local_detectors(node, std::vector{cidr("fd00::/64"), cidr("10.2.0.0/24")}) ==
          Detectors{{cidr("10.2.0.0/24"), ""}, {cidr("fd00::/64"), ""}});
}

TEST_CASE("P-259 the interface modes name one interface for both families", "[config]") {
    CHECK(local_detectors(options([](Configuration& c) {
                              c.detect_local_mode = "BridgeInterface";
                              c.detect_local.bridge_interface = "br0";
                          }),
                          {}) == Detectors{{{}, "br0"}, {{}, "br0"}});
    CHECK(local_detectors(options([](Configuration& c) {
                              c.detect_local_mode = "InterfaceNamePrefix";
                              c.detect_local.interface_name_prefix = "veth";
                          }),
                          {}) == Detectors{{{}, "veth+"}, {{}, "veth+"}});
}

TEST_CASE("nodePortAddresses are sorted by family", "[config]") {
    const auto parsed = options([](Configuration& c) {
                            c.node_port_addresses = {"10.0.0.0/8", "fd00::/8", "11.0.0.0/8"};
                        }).parsed;
    const auto cidrs = node_port_cidrs(parsed, {});
    CHECK(cidrs.v4 == std::vector{cidr("10.0.0.0/8"), cidr("11.0.0.0/8")});
    CHECK(cidrs.v6 == std::vector{cidr("fd00::/8")});
}

TEST_CASE("primary stands for the node's addresses, loopback left out", "[config]") {
    const auto parsed =
        options([](Configuration& c) { c.node_port_addresses = {"primary"}; }).parsed;
    auto cidrs = node_port_cidrs(parsed, ips("10.0.0.1", "fd00::1", Family::v4));
    CHECK(cidrs.v4 == std::vector{cidr("10.0.0.1/32")});
    CHECK(cidrs.v6 == std::vector{cidr("fd00::1/128")});
    cidrs = node_port_cidrs(parsed, ips("10.0.0.1", "::1", Family::v4));
    CHECK(cidrs.v6.empty());
    CHECK(node_port_cidrs(parsed, {}).v4.empty());
}

TEST_CASE("the plan's settings follow from the options", "[config]") {
    auto of = options([](Configuration& c) {
        c.iptables.masquerade_all = true;
        c.iptables.masquerade_bit = 5;
        c.ipvs.exclude_cidrs = {"10.1.2.3/8"};
        c.cluster_cidr = "10.244.0.0/16";
        c.feature_gates = {{"AllowServiceExternalIPs", false}};
    });
    of.drain_limit = std::chrono::seconds{7};
    plan::Settings expected;
    expected.enabled = {true, false};
    expected.masquerade_all = true;
    expected.masquerade_bit = 5;
    expected.exclude_cidrs = {cidr("10.0.0.0/8")};
    expected.local.v4.cidr = cidr("10.244.0.0/16");
    expected.external_ips = false;
    expected.drain_limit = std::chrono::seconds{7};
    CHECK(plan_settings(of, {}, {}, {true, false}) == expected);
    of.configuration.ipvs.scheduler = "mh";
    CHECK(plan_settings(of, {}, {}, {true, false}).scheduler == "mh");
}
