#include "proxy/config/validate.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy;
using namespace ipvsproxy::config;
using namespace std::chrono_literals;

namespace {

using Change = void (*)(Configuration&);

Errors errors(Change change) {
    Configuration configuration;
    change(configuration);
    const auto result = validate(configuration);
    if (result) return {};
    Errors out;
    for (const auto& error : result.error()) {
        CHECK_THAT(error, Catch::StartsWith("KubeProxyConfiguration."));
        out.push_back(error.substr(error.find('.') + 1));
    }
    return out;
}

Parsed parsed(Change change) {
    Configuration configuration;
    change(configuration);
    const auto result = validate(configuration);
    REQUIRE(result.has_value());
    return *result;
}

} // namespace

TEST_CASE("the defaults are valid", "[config]") {
    const auto result = parsed([](Configuration&) {});
    CHECK(result.bind_address == Address{});
    CHECK(result.healthz == AddressPort{{}, Port{10256}});
    CHECK(result.metrics == AddressPort{*Address::parse("127.0.0.1"), Port{10249}});
}

TEST_CASE("P-240 addresses must be addresses, with a port where something is served", "[config]") {
    CHECK(
        errors([](Configuration& c) { c.bind_address = "10.1.1.1:2000"; }) ==
        Errors{"BindAddress: Invalid value: \"10.1.1.1:2000\": not a valid textual representation "
               "of an IP address"});
    CHECK(errors([](Configuration& c) { c.healthz_bind_address = "0.0.0.0"; }) ==
          Errors{"HealthzBindAddress: Invalid value: \"0.0.0.0\": must be IP:port"});
    CHECK(errors([](Configuration& c) { c.metrics_bind_address = "127.0.0.1"; }) ==
          Errors{"MetricsBindAddress: Invalid value: \"127.0.0.1\": must be IP:port"});
    CHECK(errors([](Configuration& c) { c.metrics_bind_address = ""; }).size() == 1);
    CHECK_FALSE(parsed([](Configuration& c) { c.healthz_bind_address = ""; }).healthz);
}

TEST_CASE("P-241 periods must be positive and in order", "[config]") {
    CHECK(errors([](Configuration& c) { c.config_sync_period = -1s; }) ==
          Errors{"ConfigSyncPeriod: Invalid value: \"-1s\": must be greater than 0"});
    CHECK(errors([](Configuration& c) {
              c.ipvs.sync_period = -5s;
              c.ipvs.min_sync_period = 2s;
          }) == Errors{"SyncPeriod: Invalid value: \"-5s\": must be greater than 0",
                       "SyncPeriod: Invalid value: \"2s\": must be greater than or equal to "
                       "KubeProxyConfiguration.MinSyncPeriod"});
    CHECK(errors([](Configuration& c) { c.ipvs.min_sync_period = -2s; }) ==
          Errors{"MinSyncPeriod: Invalid value: \"-2s\": must be greater than or equal to 0"});
    CHECK(errors([](Configuration& c) {
              c.ipvs.sync_period = 1s;
              c.ipvs.min_sync_period = 5s;
          }) == Errors{"SyncPeriod: Invalid value: \"5s\": must be greater than or equal to "
                       "KubeProxyConfiguration.MinSyncPeriod"});
    CHECK(errors([](Configuration& c) { c.iptables.sync_period = -1s; }).empty()); // another mode's
}

TEST_CASE("P-242 modes and formats are from a list", "[config]") {
    CHECK(errors([](Configuration& c) { c.detect_local_mode = "Guess"; }) ==
          Errors{"DetectLocalMode: Unsupported value: \"Guess\": supported values: "
                 "\"ClusterCIDR\", \"NodeCIDR\", \"BridgeInterface\", \"InterfaceNamePrefix\", "
                 "\"\""});
    CHECK(errors([](Configuration& c) { c.logging.format = "garbage"; }) ==
          Errors{"logging.format: Invalid value: \"garbage\": Unsupported log format"});
    CHECK(errors([](Configuration& c) { c.mode = "bogus"; }) ==
          Errors{"Mode.ProxyMode: Invalid value: \"bogus\": must be iptables, ipvs, nftables or "
                 "blank (blank means ipvs)"});
    for (Change change : {Change{[](Configuration& c) { c.mode = "iptables"; }},
                          Change{[](Configuration& c) { c.mode = ""; }}})
        CHECK(errors(change).empty());
}

TEST_CASE("P-243 numbers must be within their range, the bounds included", "[config]") {
    CHECK(errors([](Configuration& c) { c.iptables.masquerade_bit = -10; }) ==
          Errors{"KubeProxyIPTablesConfiguration.MasqueradeBit: Invalid value: -10: must be within "
                 "the range [0, 31]"});
    CHECK(errors([](Configuration& c) { c.iptables.masquerade_bit = 32; }).size() == 1);
    CHECK(errors([](Configuration& c) { c.iptables.masquerade_bit = 0; }).empty());
    CHECK(errors([](Configuration& c) { c.iptables.masquerade_bit = 31; }).empty());
    CHECK(errors([](Configuration& c) {
              c.ipvs.tcp_timeout = c.ipvs.tcp_fin_timeout = c.ipvs.udp_timeout = -1s;
          }) ==
          Errors{
              "KubeProxyIPVSConfiguration.TCPTimeout: Invalid value: \"-1s\": must be greater than "
              "or equal to 0",
              "KubeProxyIPVSConfiguration.TCPFinTimeout: Invalid value: \"-1s\": must be greater "
              "than or equal to 0",
              "KubeProxyIPVSConfiguration.UDPTimeout: Invalid value: \"-1s\": must be greater than "
              "or equal to 0"});
    CHECK(
        errors([](Configuration& c) { c.oom_score_adj = -1001; }) ==
        Errors{"KubeProxyLinuxConfiguration.OOMScoreAdj: Invalid value: -1001: must be within the "
               "range [-1000, 1000]"});
    CHECK(errors([](Configuration& c) { c.oom_score_adj = 1001; }).size() == 1);
    CHECK(errors([](Configuration& c) { c.oom_score_adj = -1000; }).empty());
    CHECK(errors([](Configuration& c) { c.oom_score_adj = 1000; }).empty());
    const std::string conntrack{"KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration."};
    const std::string number{": Invalid value: -1: must be greater than or equal to 0"};
    const std::string duration{": Invalid value: \"-1s\": must be greater than or equal to 0"};
    CHECK(errors([](Configuration& c) { c.conntrack = {-1, -1, false, -1s, -1s, -1s, -1s}; }) ==
          Errors{conntrack + "MaxPerCore" + number, conntrack + "Min" + number,
                 conntrack + "TCPEstablishedTimeout" + duration,
                 conntrack + "TCPCloseWaitTimeout" + duration, conntrack + "UDPTimeout" + duration,
                 conntrack + "UDPStreamTimeout" + duration});
    CHECK(errors([](Configuration& c) { c.conntrack = {0, 0, false, 0s, 0s, 0s, 0s}; }).empty());
    CHECK(errors([](Configuration& c) { c.client_connection.burst = -5; }) ==
          Errors{"ClientConnection.Burst: Invalid value: -5: must be greater than or equal to 0"});
}

TEST_CASE("P-244 an error of an address with a port names the bad part", "[config]") {
    const auto of = [](const char* text) {
        Configuration c;
        c.healthz_bind_address = text;
        const auto result = validate(c);
        return result ? Errors{} : result.error();
    };
    const std::string path{"KubeProxyConfiguration.HealthzBindAddress: Invalid value: "};
    CHECK(of("1.2.3.4") == Errors{path + "\"1.2.3.4\": must be IP:port"});
    CHECK(of("300.1.1.1:80") == Errors{path + "\"300.1.1.1\": must be a valid IP"});
    CHECK(of("1.2.3.4:foo") == Errors{path + "\"foo\": must be a valid port"});
    CHECK(of(":0") ==
          Errors{path + "\"\": must be a valid IP", path + "\"0\": must be a valid port"});
    CHECK(of(":65536").size() == 2);
    CHECK(of("1.2.3.4:65535").empty());
    CHECK(of("[::1]:1").empty());
}

TEST_CASE("P-245 nodePortAddresses are CIDRs, or primary alone", "[config]") {
    CHECK(parsed([](Configuration& c) {
              c.node_port_addresses = {"127.0.0.0/8", "10.1.2.3/8", "::1/128", "0.0.0.0/0"};
          }).node_port_cidrs.size() == 4);
    CHECK(parsed([](Configuration& c) { c.node_port_addresses = {"primary"}; }).node_port_primary);
    CHECK(errors([](Configuration& c) {
              c.node_port_addresses = {"10.0.0.0/8", "foo", "1.2.3.4", "::0"};
          }) == Errors{"NodePortAddresses[1]: Invalid value: \"foo\": must be a valid CIDR",
                       "NodePortAddresses[2]: Invalid value: \"1.2.3.4\": must be a valid CIDR",
                       "NodePortAddresses[3]: Invalid value: \"::0\": must be a valid CIDR"});
    CHECK(errors([](Configuration& c) {
              c.node_port_addresses = {"primary", "nonsense"};
          }) == Errors{"NodePortAddresses[0]: Invalid value: \"primary\": can't use both 'primary' "
                       "and CIDRs"});
    CHECK(errors([](Configuration& c) {
              c.node_port_addresses = {"10.0.0.0/8", "primary"};
          }) == Errors{"NodePortAddresses[1]: Invalid value: \"primary\": can't use both 'primary' "
                       "and CIDRs"});
}

TEST_CASE("P-246 clusterCIDR is one CIDR or a pair of both families", "[config]") {
    const auto of = [](const char* cidrs) {
        Configuration c;
        c.cluster_cidr = cidrs;
        const auto result = validate(c);
        return result ? Errors{} : result.error();
    };
    const std::string path{"KubeProxyConfiguration.DetectLocalConfiguration.ClusterCIDRs"};
    const std::string pair{"must be a either a single CIDR or dual-stack pair of CIDRs (e.g. "
                           "[10.100.0.0/16, fde4:8dba:82e1::/48]"};
    const std::string block{
        "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"};
    CHECK(of("").empty());
    CHECK(of("10.0.0.0/8").empty());
    CHECK(of("fd00::/64").empty());
    CHECK(of("10.0.0.0/8,fd00::/64").empty());
    CHECK(of("fd00::/64,10.0.0.0/8").empty());
    CHECK(of("10.0.0.0/8,fd00::/64,11.0.0.0/8").size() == 1);
    CHECK(of("10.0.0.0/8,11.0.0.0/8") ==
          Errors{path + ": Invalid value: [\"10.0.0.0/8\",\"11.0.0.0/8\"]: " + pair});
    CHECK(of("10.0.0.0/8,x") == Errors{path + "[1]: Invalid value: \"x\": " + block});
    CHECK(of("10.0.0.0/8, fd00::/64") ==
          Errors{path + "[1]: Invalid value: \" fd00::/64\": " + block}); // untrimmed
    CHECK(errors([](Configuration& c) {
              c.cluster_cidr = "garbage";
              c.detect_local_mode = "NodeCIDR";
          }).empty());
}

TEST_CASE("P-246 the interface modes need a name", "[config]") {
    CHECK(errors([](Configuration& c) { c.detect_local_mode = "BridgeInterface"; }) ==
          Errors{"DetectLocalConfiguration.InterfaceName: Invalid value: \"\": must not be empty"});
    CHECK(
        errors([](Configuration& c) { c.detect_local_mode = "InterfaceNamePrefix"; }) ==
        Errors{"DetectLocalConfiguration.InterfacePrefix: Invalid value: \"\": must not be empty"});
    CHECK(parsed([](Configuration& c) {
              c.detect_local_mode = "InterfaceNamePrefix";
              c.detect_local.interface_name_prefix = "veth";
          }).local_mode == LocalMode::interface_name_prefix);
}

TEST_CASE("excluded CIDRs are parsed, and each wrong one is named", "[config]") {
    const auto result = parsed([](Configuration& c) {
        c.ipvs.exclude_cidrs = {"10.20.30.40/16", "fd00:1::/64"};
    });
    CHECK(result.exclude_cidrs ==
          std::vector<Prefix>{*Prefix::parse("10.20.0.0/16"), *Prefix::parse("fd00:1::/64")});
    CHECK(errors([](Configuration& c) { c.ipvs.exclude_cidrs = {"10.0.0.1"}; }) ==
          Errors{"KubeProxyIPVSConfiguration.ExcludeCidrs[0]: Invalid value: \"10.0.0.1\": must be "
                 "a valid CIDR"});
}

TEST_CASE("logging is judged with the feature gates", "[config]") {
    CHECK(parsed([](Configuration& c) { c.logging.format = "json"; }).log_format ==
          LogFormat::json);
    CHECK(errors([](Configuration& c) {
              c.logging.format = "json";
              c.feature_gates = {{"LoggingBetaOptions", false}};
          }) == Errors{"logging.format: Forbidden: Log format json is BETA and disabled, see "
                       "LoggingBetaOptions feature"});
    CHECK(
        errors([](Configuration& c) {
            c.logging.options.text = {1, true};
        }) ==
        Errors{
            "logging.options.text.splitStream: Forbidden: Feature LoggingAlphaOptions is disabled",
            "logging.options.text.infoBufferSize: Forbidden: Feature LoggingAlphaOptions is "
            "disabled"});
    CHECK(errors([](Configuration& c) {
              c.logging.options.text = {1, true};
              c.feature_gates = {{"LoggingAlphaOptions", true}};
          }).empty());
    CHECK(errors([](Configuration& c) { c.logging.flush_frequency = -1s; }) ==
          Errors{"logging.flushFrequency: Invalid value: \"-1s\": Must be greater than zero"});
    CHECK(errors([](Configuration& c) { c.logging.verbosity = 2147483648U; }) ==
          Errors{"logging.verbosity: Invalid value: 2147483648: Must be <= 2147483647"});
    CHECK(errors([](Configuration& c) {
              c.logging.vmodule = {{"", 1}, {"a=b", 2147483648U}};
          }) == Errors{"logging.vmodule[0]: Required value: File pattern must not be empty",
                       "logging.vmodule[1]: Invalid value: \"a=b\": File pattern must not contain "
                       "equal sign or comma",
                       "logging.vmodule[1]: Invalid value: 2147483648: Must be <= 2147483647"});
    CHECK(errors([](Configuration& c) {
              c.logging.format = "json";
              c.logging.vmodule = {{"a", 1}};
          }) == Errors{"logging.vmodule: Forbidden: Only supported for text log format"});
}

TEST_CASE("an unknown gate and another version of hidden metrics are errors", "[config]") {
    CHECK(errors([](Configuration& c) {
              c.feature_gates = {{"Nope", true}};
          }) ==
          Errors{"featureGates: Invalid value: {\"Nope\":true}: unrecognized feature gate: Nope"});
    CHECK(errors([](Configuration& c) { c.show_hidden_metrics_for_version = "1.30"; }) ==
          Errors{"ShowHiddenMetricsForVersion: Invalid value: \"1.30\": "
                 "--show-hidden-metrics-for-version must be omitted or have the value '1.35'. Only "
                 "the previous minor version is allowed"});
    CHECK(errors([](Configuration& c) { c.show_hidden_metrics_for_version = "1.35"; }).empty());
}

TEST_CASE("errors come in kube-proxy's order", "[config]") {
    const auto all = errors([](Configuration& c) {
        c.feature_gates = {{"Nope", true}};
        c.iptables.masquerade_bit = 32;
        c.ipvs.tcp_timeout = -1s;
        c.ipvs.exclude_cidrs = {"x"};
        c.conntrack.min = -1;
        c.oom_score_adj = 2000;
        c.client_connection.burst = -1;
        c.config_sync_period = -1s;
        c.ipvs.sync_period = -1s;
        c.ipvs.min_sync_period = -2s;
        c.bind_address = c.healthz_bind_address = c.metrics_bind_address = "x";
        c.node_port_addresses = {"x"};
        c.show_hidden_metrics_for_version = "x";
        c.detect_local_mode = "x";
        c.logging.format = "x";
    });
    Errors paths;
    for (const auto& error : all)
        paths.push_back(error.substr(0, error.find(':')));
    const std::string linux_path{"KubeProxyLinuxConfiguration."};
    CHECK(paths == Errors{"featureGates", "KubeProxyIPTablesConfiguration.MasqueradeBit",
                          "KubeProxyIPVSConfiguration.TCPTimeout",
                          "KubeProxyIPVSConfiguration.ExcludeCidrs[0]",
                          linux_path + "KubeProxyConntrackConfiguration.Min",
                          linux_path + "OOMScoreAdj", "ClientConnection.Burst", "ConfigSyncPeriod",
                          "SyncPeriod", "MinSyncPeriod", "BindAddress", "HealthzBindAddress",
                          "MetricsBindAddress", "NodePortAddresses[0]",
                          "ShowHiddenMetricsForVersion", "DetectLocalMode", "logging.format"});
}

TEST_CASE("a mode's own part is judged in that mode alone", "[config]") {
    for (const char* mode : {"iptables", "nftables"}) {
        Configuration c;
        c.mode = mode;
        c.ipvs.tcp_timeout = -1s;
        c.ipvs.exclude_cidrs = {"x"};
        CHECK(validate(c).has_value());
    }
    CHECK(errors([](Configuration& c) { c.nftables.masquerade_bit = 99; }).empty());
    CHECK(errors([](Configuration& c) {
              c.mode = "nftables";
              c.nftables.masquerade_bit = 99;
          }) == Errors{"KubeProxyNFTablesConfiguration.MasqueradeBit: Invalid value: 99: must be "
                       "within the range [0, 31]"});
}
