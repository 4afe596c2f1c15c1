// The fields of KubeProxyConfiguration v1alpha1, named once for reading and for writing.
#pragma once

#include <concepts>
#include <type_traits>

#include "proxy/config/configuration.h"

namespace ipvsproxy::config {

template <class T, class Of>
concept Either = std::same_as<std::remove_const_t<T>, Of>;

// fields(visit, object) calls visit(name, member) for each field; visit.sometimes(name, member) for
// one that is not written when it is empty; visit.period(name, member) for a duration that may also
// be read as an integer of nanoseconds.

void fields(auto&& visit, Either<ClientConnection> auto& of) {
    visit("acceptContentTypes", of.accept_content_types);
    visit("burst", of.burst);
    visit("contentType", of.content_type);
    visit("kubeconfig", of.kubeconfig);
    visit("qps", of.qps);
}

void fields(auto&& visit, Either<Conntrack> auto& of) {
    visit("maxPerCore", of.max_per_core);
    visit("min", of.min);
    visit("tcpBeLiberal", of.tcp_be_liberal);
    visit("tcpCloseWaitTimeout", of.tcp_close_wait_timeout);
    visit("tcpEstablishedTimeout", of.tcp_established_timeout);
    visit("udpStreamTimeout", of.udp_stream_timeout);
    visit("udpTimeout", of.udp_timeout);
}

void fields(auto&& visit, Either<DetectLocal> auto& of) {
    visit("bridgeInterface", of.bridge_interface);
    visit("interfaceNamePrefix", of.interface_name_prefix);
}

void fields(auto&& visit, Either<Iptables> auto& of) {
    visit("localhostNodePorts", of.localhost_node_ports);
    visit("masqueradeAll", of.masquerade_all);
    visit("masqueradeBit", of.masquerade_bit);
    visit("minSyncPeriod", of.min_sync_period);
    visit("syncPeriod", of.sync_period);
}

void fields(auto&& visit, Either<Ipvs> auto& of) {
    visit("excludeCIDRs", of.exclude_cidrs);
    visit("minSyncPeriod", of.min_sync_period);
    visit("scheduler", of.scheduler);
    visit("strictARP", of.strict_arp);
    visit("syncPeriod", of.sync_period);
    visit("tcpFinTimeout", of.tcp_fin_timeout);
    visit("tcpTimeout", of.tcp_timeout);
    visit("udpTimeout", of.udp_timeout);
}

void fields(auto&& visit, Either<LogStream> auto& of) {
    visit("infoBufferSize", of.info_buffer_size);
    visit.sometimes("splitStream", of.split_stream);
}

void fields(auto&& visit, Either<LogOptions> auto& of) {
    visit("json", of.json);
    visit("text", of.text);
}

void fields(auto&& visit, Either<VmoduleItem> auto& of) {
    visit("filePattern", of.file_pattern);
    visit("verbosity", of.verbosity);
}

void fields(auto&& visit, Either<Logging> auto& of) {
    visit.period("flushFrequency", of.flush_frequency);
    visit("format", of.format);
    visit("options", of.options);
    visit("verbosity", of.verbosity);
    visit.sometimes("vmodule", of.vmodule);
}

void fields(auto&& visit, Either<Nftables> auto& of) {
    visit("masqueradeAll", of.masquerade_all);
    visit("masqueradeBit", of.masquerade_bit);
    visit("minSyncPeriod", of.min_sync_period);
    visit("syncPeriod", of.sync_period);
}

void fields(auto&& visit, Either<Winkernel> auto& of) {
    visit("enableDSR", of.enable_dsr);
    visit("forwardHealthCheckVip", of.forward_health_check_vip);
    visit("networkName", of.network_name);
    visit("rootHnsEndpointName", of.root_hns_endpoint_name);
    visit("sourceVip", of.source_vip);
}

void fields(auto&& visit, Either<Configuration> auto& of) {
    visit("bindAddress", of.bind_address);
    visit("bindAddressHardFail", of.bind_address_hard_fail);
    visit("clientConnection", of.client_connection);
    visit("clusterCIDR", of.cluster_cidr);
    visit("configSyncPeriod", of.config_sync_period);
    visit("conntrack", of.conntrack);
    visit("detectLocal", of.detect_local);
    visit("detectLocalMode", of.detect_local_mode);
    visit("enableProfiling", of.enable_profiling);
    visit.sometimes("featureGates", of.feature_gates);
    visit("healthzBindAddress", of.healthz_bind_address);
    visit("hostnameOverride", of.hostname_override);
    visit("iptables", of.iptables);
    visit("ipvs", of.ipvs);
    visit("logging", of.logging);
    visit("metricsBindAddress", of.metrics_bind_address);
    visit("mode", of.mode);
    visit("nftables", of.nftables);
    visit("nodePortAddresses", of.node_port_addresses);
    visit("oomScoreAdj", of.oom_score_adj);
    visit("portRange", of.port_range);
    visit("showHiddenMetricsForVersion", of.show_hidden_metrics_for_version);
    visit.sometimes("windowsRunAsService", of.windows_run_as_service);
    visit("winkernel", of.winkernel);
}

} // namespace ipvsproxy::config
