#include "proxy/config/start_checks.h"

#include <catch2/catch.hpp>

#include "proxy/config/validate.h"

using namespace ipvsproxy;
using namespace ipvsproxy::config;

namespace {

using Change = void (*)(Configuration&);
constexpr PerFamily<bool> dual{true, true};
constexpr PerFamily<bool> only_v4{true, false};
const NodeIps v4_node{{*Address::parse("10.0.0.1"), *Address::parse("::1")}, Family::v4};
const NodeIps v6_node{{*Address::parse("127.0.0.1"), *Address::parse("fd00::1")}, Family::v6};

StartChecks checked(const NodeIps& ips, PerFamily<bool> enabled, Change change,
                    const std::vector<Prefix>& pod_cidrs = {}) {
    Options options;
    options.configuration.node_port_addresses = {"10.0.0.0/8",
                                                 "fd00::/8"}; // nothing to say of these
    change(options.configuration);
    const auto parsed = validate(options.configuration);
    REQUIRE(parsed.has_value());
    options.parsed = *parsed;
    return start_checks(options, ips, enabled, pod_cidrs);
}

} // namespace

TEST_CASE("P-257 what fits the node is not complained of", "[config]") {
    const auto fits = [](Configuration& c) {
        c.node_port_addresses = {"10.0.0.0/8"};
        c.cluster_cidr = "10.0.0.0/8";
        c.ipvs.exclude_cidrs = {"10.0.0.0/8"};
    };
    const auto result = checked(v4_node, only_v4, fits, {*Prefix::parse("10.1.0.0/24")});
    CHECK(result.complaints.empty());
    CHECK_FALSE(result.fatal);
    CHECK(checked(v4_node, dual, [](Configuration& c) {
              c.node_port_addresses = {"primary"};
          }).complaints.empty());
}

TEST_CASE("P-257 open node ports are complained of", "[config]") {
    const auto empty =
        checked(v4_node, dual, [](Configuration& c) { c.node_port_addresses.clear(); });
    REQUIRE(empty.complaints.size() == 1);
    CHECK_THAT(empty.complaints[0], Catch::Contains("--nodeport-addresses primary"));

    const auto half = checked(v4_node, dual, [](Configuration& c) {
        c.node_port_addresses = {"10.0.0.0/8"};
        c.cluster_cidr = "10.0.0.0/8,fd00::/64";
    });
    CHECK(half.complaints ==
          std::vector<std::string>{
              "cluster appears to be dual-stack but nodePortAddresses contains only IPv4 "
              "addresses; NodePort connections will be accepted on all local IPv6 addresses"});

    const auto wrong =
        checked(v6_node, dual, [](Configuration& c) { c.node_port_addresses = {"10.0.0.0/8"}; });
    CHECK(wrong.complaints ==
          std::vector<std::string>{
              "cluster appears to be IPv6-primary but nodePortAddresses contains only IPv4 "
              "addresses; NodePort connections will be accepted on all local IPv6 addresses"});
}

TEST_CASE("P-257 on a single-stack node addresses of the other family are complained of",
          "[config]") {
    const Change others = [](Configuration& c) {
        c.ipvs.exclude_cidrs = {"fd00::/8"};
        c.healthz_bind_address = "[fd00::1]:10256";
        c.metrics_bind_address = "[::1]:10249";
        c.winkernel.source_vip = "fd00::9";
    };
    CHECK(checked(v4_node, only_v4, others).complaints.size() == 4);
    CHECK(checked(v4_node, dual, others).complaints ==
          std::vector<std::string>{
              "cluster is IPv4-primary but winkernel.sourceVip has only addresses of IPv6"});
    const Change unspecified = [](Configuration& c) {
        c.healthz_bind_address = "[::]:10256";
        c.metrics_bind_address = "[::]:10249";
    };
    CHECK(checked(v4_node, only_v4, unspecified).complaints.empty());
}

TEST_CASE(
    "P-258 clusterCIDR of the wrong family is fatal in mode ClusterCIDR on a single-stack node",
    "[config]") {
    const Change wrong = [](Configuration& c) { c.cluster_cidr = "fd00::/64"; };
    CHECK(checked(v4_node, only_v4, wrong).fatal ==
          "kube-proxy configuration is incorrect: cluster is IPv4-only but clusterCIDR has only "
          "addresses of IPv6");
    CHECK_FALSE(checked(v4_node, dual, wrong).fatal);
    CHECK(checked(v4_node, dual, wrong).complaints.size() == 1);
    const auto other_mode = checked(v4_node, only_v4, [](Configuration& c) {
        c.cluster_cidr = "fd00::/64";
        c.detect_local_mode = "NodeCIDR";
    });
    CHECK_FALSE(other_mode.fatal);
    CHECK(other_mode.complaints.size() == 1);
}

TEST_CASE("P-258 podCIDRs of the wrong family are fatal in mode NodeCIDR", "[config]") {
    const std::vector<Prefix> pods{*Prefix::parse("fd00:1::/64")};
    const Change node_cidr = [](Configuration& c) { c.detect_local_mode = "NodeCIDR"; };
    CHECK(checked(v4_node, only_v4, node_cidr, pods).fatal);
    CHECK(checked(v4_node, dual, node_cidr, pods).fatal);
    const auto other_mode = checked(
        v4_node, only_v4, [](Configuration&) {}, pods);
    CHECK_FALSE(other_mode.fatal);
    CHECK(other_mode.complaints.size() == 1);
    CHECK_FALSE(checked(v4_node, dual, node_cidr, {pods[0], *Prefix::parse("10.0.0.0/8")}).fatal);
}
