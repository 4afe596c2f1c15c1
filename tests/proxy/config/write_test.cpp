#include "proxy/config/write.h"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "proxy/config/load.h"

using namespace ipvsproxy::config;
using namespace std::chrono_literals;

TEST_CASE("P-263 the defaults are written as kube-proxy 1.36 writes them in ipvs mode",
          "[config]") {
    Configuration by_flags;
    by_flags.ipvs.min_sync_period = 1s;
    CHECK(to_yaml(by_flags) == R"(apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 10
  contentType: application/vnd.kubernetes.protobuf
  kubeconfig: ""
  qps: 5
clusterCIDR: ""
configSyncPeriod: 15m0s
conntrack:
  maxPerCore: 32768
  min: 131072
  tcpBeLiberal: false
  tcpCloseWaitTimeout: 1h0m0s
  tcpEstablishedTimeout: 24h0m0s
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ClusterCIDR
enableProfiling: false
healthzBindAddress: 0.0.0.0:10256
hostnameOverride: ""
iptables:
  localhostNodePorts: true
  masqueradeAll: false
  masqueradeBit: 14
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 1s
  scheduler: ""
  strictARP: false
  syncPeriod: 30s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
kind: KubeProxyConfiguration
logging:
  flushFrequency: 5s
  format: text
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
metricsBindAddress: 127.0.0.1:10249
mode: ipvs
nftables:
  masqueradeAll: false
  masqueradeBit: 14
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: -999
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
  forwardHealthCheckVip: false
  networkName: ""
  rootHnsEndpointName: ""
  sourceVip: ""
)");
}

TEST_CASE("what is written is read back the same, however odd its texts", "[config]") {
    Configuration c;
    c.client_connection = {"a: b", -1, "true", "/etc/k#x", 0.1F};
    c.conntrack = {0, 0, true, 0s, 1ms, 90s, 36h};
    c.feature_gates = {{"AllAlpha", true}, {"yes", false}, {"null", true}};
    c.hostname_override = "line\none\ttab \"q\" \\ \u00fc";
    c.ipvs.exclude_cidrs = {"10.0.0.0/8", "::/0", "1", "- x", "1:20"};
    c.ipvs.scheduler = "null";
    c.logging.verbosity = 4294967295U;
    c.logging.vmodule = {{"a*", 3}, {"b", 0}};
    c.logging.options.text = {4096, true};
    c.nftables.masquerade_bit = 0;
    c.node_port_addresses = {"primary"};
    c.port_range = "0x10";
    c.show_hidden_metrics_for_version = "1.35";
    c.winkernel.network_name = "~";
    c.winkernel.source_vip = " ";
    c.winkernel.root_hns_endpoint_name = "-";
    c.windows_run_as_service = true;
    const auto text = to_yaml(c);
    INFO(text);
    const auto back = load(text);
    REQUIRE(back.has_value());
    CHECK(back->warnings.empty());
    CHECK(back->configuration == c);
    CHECK(to_yaml(back->configuration) == text);
}

TEST_CASE("P-263 as JSON it is one external object with kind and version", "[config]") {
    Configuration c;
    c.node_port_addresses = {"primary"};
    const auto value = boost::json::parse(to_json(c));
    CHECK(value.at("kind").as_string() == "KubeProxyConfiguration");
    CHECK(value.at("apiVersion").as_string() == "kubeproxy.config.k8s.io/v1alpha1");
    CHECK(value.at("nodePortAddresses").as_array().at(0).as_string() == "primary");
    CHECK(value.at("configSyncPeriod").as_string() == "15m0s");
    CHECK(value.at("clientConnection").at("qps").as_int64() == 5);
}
