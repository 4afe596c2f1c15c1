// What can be configured: KubeProxyConfiguration v1alpha1 (kubeproxy.config.k8s.io), field by
// field, as written.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ipvsproxy::config {

/// As metav1.Duration; printed and read in Go's form ("1h30m0s").
using Duration = std::chrono::nanoseconds;

struct ClientConnection {
    std::string accept_content_types{};
    std::int32_t burst{10};
    std::string content_type{"application/vnd.kubernetes.protobuf"};
    std::string kubeconfig{};
    float qps{5}; ///< requests a second; negative = without limit
    friend bool operator==(const ClientConnection&, const ClientConnection&) = default;
};

struct Conntrack {
    std::int32_t max_per_core{32768}; ///< 0 leaves nf_conntrack_max as it is, whatever `min` says
    std::int32_t min{131072};
    bool tcp_be_liberal{};
    // Here 0 leaves the kernel's value as it is.
    Duration tcp_close_wait_timeout{std::chrono::hours{1}};
    Duration tcp_established_timeout{std::chrono::hours{24}};
    Duration udp_stream_timeout{};
    Duration udp_timeout{};
    friend bool operator==(const Conntrack&, const Conntrack&) = default;
};

struct DetectLocal {
    std::string bridge_interface{};
    std::string interface_name_prefix{};
    friend bool operator==(const DetectLocal&, const DetectLocal&) = default;
};

struct Iptables {
    bool localhost_node_ports{true}; ///< without effect in ipvs mode
    bool masquerade_all{};
    std::int32_t masquerade_bit{14};
    Duration min_sync_period{std::chrono::seconds{1}}; ///< without effect in ipvs mode
    Duration sync_period{std::chrono::seconds{30}};    ///< without effect in ipvs mode
    friend bool operator==(const Iptables&, const Iptables&) = default;
};

struct Ipvs {
    std::vector<std::string> exclude_cidrs{};
    Duration min_sync_period{}; ///< with flags alone 1s (--ipvs-min-sync-period)
    std::string scheduler{};    ///< empty = rr
    bool strict_arp{};
    Duration sync_period{std::chrono::seconds{30}};
    // Here 0 leaves the kernel's value as it is.
    Duration tcp_fin_timeout{}, tcp_timeout{}, udp_timeout{};
    friend bool operator==(const Ipvs&, const Ipvs&) = default;
};

/// Kept and shown, without effect.
struct Nftables {
    bool masquerade_all{};
    std::int32_t masquerade_bit{14};
    Duration min_sync_period{std::chrono::seconds{1}};
    Duration sync_period{std::chrono::seconds{30}};
    friend bool operator==(const Nftables&, const Nftables&) = default;
};

/// Kept and shown; of these only the family of source_vip is looked at, for a warning.
struct Winkernel {
    bool enable_dsr{};
    bool forward_health_check_vip{};
    std::string network_name{};
    std::string root_hns_endpoint_name{};
    std::string source_vip{};
    friend bool operator==(const Winkernel&, const Winkernel&) = default;
};

struct LogStream {
    std::uint64_t info_buffer_size{}; ///< bytes; accepted, but no line is ever held back
    bool split_stream{};
    friend bool operator==(const LogStream&, const LogStream&) = default;
};

struct LogOptions {
    LogStream json{}, text{};
    friend bool operator==(const LogOptions&, const LogOptions&) = default;
};

struct VmoduleItem {
    std::string file_pattern{};
    std::uint32_t verbosity{};
    friend bool operator==(const VmoduleItem&, const VmoduleItem&) = default;
};

/// component-base logging v1 LoggingConfiguration.
struct Logging {
    Duration flush_frequency{std::chrono::seconds{5}}; ///< accepted; every line is written at once
    std::string format{"text"};
    LogOptions options{};
    std::uint32_t verbosity{};
    std::vector<VmoduleItem> vmodule{};
    friend bool operator==(const Logging&, const Logging&) = default;
};

/// The members' initial values are the defaults. Texts stay as written until they are validated;
/// Options (options.h) has their parsed forms.
struct Configuration {
    std::string bind_address{"0.0.0.0"};
    bool bind_address_hard_fail{};
    ClientConnection client_connection{};
    std::string cluster_cidr{}; ///< one CIDR or two, separated by a comma
    Duration config_sync_period{std::chrono::minutes{15}};
    Conntrack conntrack{};
    DetectLocal detect_local{};
    std::string detect_local_mode{"ClusterCIDR"};
    bool enable_profiling{};
    std::map<std::string, bool> feature_gates{};
    std::string healthz_bind_address{"0.0.0.0:10256"}; ///< empty = none
    std::string hostname_override{};
    Iptables iptables{};
    Ipvs ipvs{};
    Logging logging{};
    std::string metrics_bind_address{"127.0.0.1:10249"};
    std::string mode{"ipvs"}; ///< kube-proxy's blank mode means iptables; this proxy has only ipvs
    Nftables nftables{};
    std::vector<std::string> node_port_addresses{};
    std::int32_t oom_score_adj{-999};
    std::string port_range{}; ///< without effect
    std::string show_hidden_metrics_for_version{};
    bool windows_run_as_service{}; ///< without effect
    Winkernel winkernel{};
    friend bool operator==(const Configuration&, const Configuration&) = default;
};

inline constexpr std::string_view api_version = "kubeproxy.config.k8s.io/v1alpha1";
inline constexpr std::string_view kind = "KubeProxyConfiguration";

} // namespace ipvsproxy::config
