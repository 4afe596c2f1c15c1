#include "proxy/config/load.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "proxy/config/validate.h"

using namespace ipvsproxy::config;
using namespace std::chrono_literals;

namespace {

const std::string head =
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

Loaded loaded(const std::string& text) {
    auto result = load(head + text);
    INFO(text << (result ? "" : result.error().text));
    REQUIRE(result.has_value());
    return *result;
}

std::string refusal(const std::string& text) {
    const auto result = load(text);
    REQUIRE_FALSE(result.has_value());
    return result.error().text;
}

/// Of every field, with values that are not the defaults.
constexpr const char* full = R"(
bindAddress: 9.8.7.6
bindAddressHardFail: true
clientConnection:
  acceptContentTypes: abc
  burst: 100
  contentType: application/json
  kubeconfig: /etc/kube
  qps: 7.5
clusterCIDR: 10.1.0.0/16
configSyncPeriod: 20s
conntrack:
  maxPerCore: 2
  min: 1
  tcpBeLiberal: true
  tcpCloseWaitTimeout: 10s
  tcpEstablishedTimeout: 0s
  udpStreamTimeout: 3s
  udpTimeout: 4s
detectLocal:
  bridgeInterface: cbr0
  interfaceNamePrefix: veth
detectLocalMode: BridgeInterface
enableProfiling: true
featureGates:
  AllowServiceExternalIPs: false
healthzBindAddress: 1.2.3.4:12345
hostnameOverride: foo
iptables:
  localhostNodePorts: false
  masqueradeAll: true
  masqueradeBit: 0
  minSyncPeriod: 11s
  syncPeriod: 61s
ipvs:
  excludeCIDRs: ["10.20.30.40/16", "fd00:1::0/64"]
  minSyncPeriod: 12s
  scheduler: wlc
  strictARP: true
  syncPeriod: 62s
  tcpFinTimeout: 1s
  tcpTimeout: 2s
  udpTimeout: 3s
logging:
  flushFrequency: 7000000000
  format: json
  options:
    json: {infoBufferSize: 4Ki, splitStream: true}
    text: {infoBufferSize: 5}
  verbosity: 4
  vmodule:
  - {filePattern: foo, verbosity: 8}
metricsBindAddress: 2.3.4.5:23456
mode: ipvs
nftables: {masqueradeAll: true, masqueradeBit: 3, minSyncPeriod: 2s, syncPeriod: 3s}
nodePortAddresses: [10.20.30.40/16, "fd00:1::0/64"]
oomScoreAdj: 17
portRange: 2-7
showHiddenMetricsForVersion: "1.35"
windowsRunAsService: true
winkernel: {enableDSR: true, forwardHealthCheckVip: true, networkName: net, rootHnsEndpointName: r, sourceVip: 1.2.3.4}
)";

} // namespace

TEST_CASE("P-247 a file of every field is read without a warning", "[config]") {
    const auto [c, warnings] = loaded(full);
    CHECK(warnings.empty());
    CHECK(c.bind_address == "9.8.7.6");
    CHECK(c.bind_address_hard_fail);
    CHECK(c.client_connection ==
          ClientConnection{"abc", 100, "application/json", "/etc/kube", 7.5F});
    CHECK(c.conntrack == Conntrack{2, 1, true, 10s, 0s, 3s, 4s});
    CHECK(c.detect_local == DetectLocal{"cbr0", "veth"});
    CHECK(c.feature_gates == std::map<std::string, bool>{{"AllowServiceExternalIPs", false}});
    CHECK(c.iptables == Iptables{false, true, 0, 11s, 61s});
    CHECK(c.ipvs == Ipvs{{"10.20.30.40/16", "fd00:1::0/64"}, 12s, "wlc", true, 62s, 1s, 2s, 3s});
    CHECK(c.logging == Logging{7s, "json", {{4096, true}, {5, false}}, 4, {{"foo", 8}}});
    CHECK(c.nftables == Nftables{true, 3, 2s, 3s});
    CHECK(c.winkernel == Winkernel{true, true, "net", "r", "1.2.3.4"});
    CHECK(c.cluster_cidr == "10.1.0.0/16");
    CHECK(c.config_sync_period == 20s);
    CHECK(c.detect_local_mode == "BridgeInterface");
    CHECK(c.enable_profiling);
    CHECK(c.healthz_bind_address == "1.2.3.4:12345");
    CHECK(c.metrics_bind_address == "2.3.4.5:23456");
    CHECK(c.hostname_override == "foo");
    CHECK(c.node_port_addresses.size() == 2);
    CHECK(c.oom_score_adj == 17);
    CHECK(c.port_range == "2-7");
    CHECK(c.show_hidden_metrics_for_version == "1.35");
    CHECK(c.windows_run_as_service);
}

TEST_CASE("P-247 an unknown and a doubled field are passed over with a warning", "[config]") {
    auto result = loaded("mode: ipvs\nfoo: bar\nipvs: {bar: 1, scheduler: sh}\n");
    CHECK(result.configuration.ipvs.scheduler == "sh");
    CHECK(result.warnings ==
          std::vector<std::string>{
              "Using lenient decoding as strict decoding failed: strict decoding error: unknown "
              "field \"ipvs.bar\", unknown field \"foo\""});
    result = loaded("ipvs:\n  scheduler: sh\n  scheduler: lc\n");
    CHECK(result.configuration.ipvs.scheduler == "lc");
    REQUIRE(result.warnings.size() == 1);
    CHECK_THAT(result.warnings[0], Catch::EndsWith("field \"ipvs.scheduler\" already set"));
    CHECK(loaded("Mode: ipvs\n").warnings.size() == 1); // names are case-sensitive
}

TEST_CASE("P-247 an IPv6 bind address is read, quoted or with a digit at its end", "[config]") {
    for (const char* text :
         {"bindAddress: \"::\"\n", "bindAddress: ::0\n", "bindAddress: '::'\n"}) {
        const auto c = loaded(text).configuration;
        CHECK(c.healthz_bind_address == "[::]:10256");
        CHECK(c.metrics_bind_address == "[::1]:10249");
        CHECK(validate(c).has_value());
    }
    CHECK_FALSE(validate(loaded("bindAddress: \"[::]\"\n").configuration).has_value());
}

TEST_CASE("P-248 what is not such a configuration is refused", "[config]") {
    CHECK_THAT(refusal(head + "bindAddress: ::\n"), Catch::StartsWith("yaml: line 3: "));
    CHECK(refusal(head + "mode: \xfcpvs\n") == "yaml: not UTF-8");
    CHECK(refusal("just words") == "an object wanted, not a string");
    CHECK_THAT(refusal("a: [b"), Catch::StartsWith("yaml: "));
    CHECK(refusal("") == "there is nothing in it");
    CHECK(refusal("kind: KubeProxyConfiguration") == "Object 'apiVersion' is missing");
    CHECK(refusal("apiVersion: v1") == "Object 'Kind' is missing");
    CHECK(refusal("apiVersion: v1\nkind: Pod") ==
          "no kind \"Pod\" is registered for version \"v1\"");
    CHECK(refusal("apiVersion: kubeproxy.config.k8s.io/v1beta7\nkind: KubeProxyConfiguration") ==
          "no kind \"KubeProxyConfiguration\" is registered for version "
          "\"kubeproxy.config.k8s.io/v1beta7\"");
}

TEST_CASE("a value of the wrong kind is refused, all of them at once", "[config]") {
    CHECK(refusal(head +
                  "configSyncPeriod: 30\nhostnameOverride: 5\nipvs: {strictARP: \"true\"}\n") ==
          "configSyncPeriod: a duration such as 1m30s wanted, not a number, "
          "hostnameOverride: a string wanted, not a number, "
          "ipvs.strictARP: true or false wanted, not a string");
    CHECK_THAT(refusal(head + "ipvs: {syncPeriod: 5}\n"), Catch::StartsWith("ipvs.syncPeriod: "));
    CHECK(refusal(head + "ipvs: {syncPeriod: fast}\n") ==
          "ipvs.syncPeriod: time: invalid duration \"fast\"");
    CHECK(refusal(head + "ipvs: {syncPeriod: 1d}\n") ==
          "ipvs.syncPeriod: time: unknown unit \"d\" in duration \"1d\"");
    CHECK_THAT(refusal(head + "oomScoreAdj: 2147483648\n"),
               Catch::StartsWith("oomScoreAdj: an integer"));
    CHECK_THAT(refusal(head + "oomScoreAdj: 1.5\n"), Catch::StartsWith("oomScoreAdj: an integer"));
    CHECK_THAT(refusal(head + "nodePortAddresses: primary\n"),
               Catch::Equals("nodePortAddresses: a list wanted, not a string"));
    CHECK_THAT(refusal(head + "nodePortAddresses: [5]\n"),
               Catch::StartsWith("nodePortAddresses[0]: "));
    CHECK_THAT(refusal(head + "featureGates: {A: maybe}\n"), Catch::StartsWith("featureGates.A: "));
    CHECK_THAT(refusal(head + "ipvs: wlc\n"),
               Catch::Equals("ipvs: an object wanted, not a string"));
}

TEST_CASE("absent, null and zero fields have their defaults", "[config]") {
    CHECK(loaded("").configuration == Configuration{});
    // As kubeadm writes them.
    CHECK(loaded(R"(
bindAddress: ""
clientConnection: {acceptContentTypes: "", burst: 0, contentType: "", kubeconfig: "", qps: 0}
clusterCIDR: ""
configSyncPeriod: 0s
conntrack: {maxPerCore: null, min: null, tcpBeLiberal: false, tcpCloseWaitTimeout: null,
  tcpEstablishedTimeout: null, udpStreamTimeout: 0s, udpTimeout: 0s}
detectLocal: {bridgeInterface: "", interfaceNamePrefix: ""}
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables: {localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
ipvs: {excludeCIDRs: null, minSyncPeriod: 0s, scheduler: "", strictARP: false, syncPeriod: 0s, tcpFinTimeout: 0s, tcpTimeout: 0s, udpTimeout: 0s}
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}, verbosity: 0}
metricsBindAddress: ""
mode: ""
nftables: {masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel: {enableDSR: false, forwardHealthCheckVip: false, networkName: "", rootHnsEndpointName: "", sourceVip: ""}
)")
              .configuration == Configuration{});
}

TEST_CASE("X-020 a file without minSyncPeriod means 0s", "[config]") {
    CHECK(loaded("mode: ipvs\n").configuration.ipvs.min_sync_period == 0s);
}

TEST_CASE("a field that may be zero keeps an explicit zero", "[config]") {
    const auto c =
        loaded("oomScoreAdj: 0\niptables: {masqueradeBit: 0, localhostNodePorts: false}\n"
               "conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: "
               "0s}\n")
            .configuration;
    CHECK(c.oom_score_adj == 0);
    CHECK(c.iptables.masquerade_bit == 0);
    CHECK_FALSE(c.iptables.localhost_node_ports);
    CHECK(c.conntrack == Conntrack{0, 0, false, 0s, 0s, 0s, 0s});
}

TEST_CASE("an address without a port has its default port", "[config]") {
    const auto c =
        loaded("healthzBindAddress: 10.0.0.1\nmetricsBindAddress: \"fd00::1\"\n").configuration;
    CHECK(c.healthz_bind_address == "10.0.0.1:10256");
    CHECK(c.metrics_bind_address == "[fd00::1]:10249");
}

TEST_CASE("JSON is read like YAML", "[config]") {
    const auto result =
        load("{\"apiVersion\": \"kubeproxy.config.k8s.io/v1alpha1\",\n"
             "\t\"kind\": \"KubeProxyConfiguration\", \"ipvs\": {\"scheduler\": \"rr\"}}");
    REQUIRE(result.has_value());
    CHECK(result->configuration.ipvs.scheduler == "rr");
}

TEST_CASE("scalars follow YAML 1.1", "[config]") {
    CHECK(loaded("enableProfiling: on\n").configuration.enable_profiling);
    CHECK_FALSE(
        loaded("iptables: {localhostNodePorts: No}\n").configuration.iptables.localhost_node_ports);
    CHECK(loaded("oomScoreAdj: 0x10\n").configuration.oom_score_adj == 16);
    CHECK(loaded("oomScoreAdj: -1_00\n").configuration.oom_score_adj == -100);
    CHECK(loaded("oomScoreAdj: 5.0\n").configuration.oom_score_adj == 5);
    CHECK(loaded("hostnameOverride: !!str 5\n").configuration.hostname_override == "5");
    CHECK(loaded("hostnameOverride: |\n  web\n").configuration.hostname_override == "web\n");
    CHECK(loaded("ipvs: &x {scheduler: sh}\nwinkernel: *x\n").warnings.size() == 1);
}

TEST_CASE("a text that unfolds without end is refused", "[config]") {
    CHECK_THAT(refusal("a: &a [*a]"), Catch::Contains("too many values or levels"));
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 8; ++i) {
        const auto before = "*a" + std::to_string(i - 1);
        bomb += 'a' + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int n = 0; n < 10; ++n)
            bomb += before + ", ";
        bomb += "]\n";
    }
    CHECK_THAT(refusal(bomb), Catch::Contains("too many values or levels"));
}

TEST_CASE("a file that cannot be read is refused with the reason", "[config]") {
    CHECK(load_file("/nonexistent").error().text == "open /nonexistent: no such file or directory");
    CHECK(load_file("/").error().text == "read /: is a directory");
}

TEST_CASE("a file is read", "[config]") {
    std::string path{"/tmp/ipvsproxy-config-XXXXXX"};
    const int descriptor = mkstemp(path.data());
    REQUIRE(descriptor >= 0);
    std::ofstream{path} << head << "ipvs: {scheduler: lc}\n";
    const auto result = load_file(path);
    std::ofstream{path} << head << "oomScoreAdj: low\n";
    const auto refused = load_file(path);
    std::remove(path.c_str());
    REQUIRE(result.has_value());
    CHECK(result->configuration.ipvs.scheduler == "lc");
    REQUIRE_FALSE(refused.has_value());
    CHECK_THAT(refused.error().text,
               Catch::StartsWith("failed to decode: " + path + ": oomScoreAdj: "));
}
