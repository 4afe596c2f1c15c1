#include "proxy/config/flag_table.h"

#include <algorithm>
#include <array>

#include "proxy/config/duration.h"
#include "proxy/config/flag_types.h"
#include "proxy/config/texts.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

std::string any(std::string_view /*text*/, Configuration& /*into*/) {
    return {};
}
std::string truth(std::string_view text, Configuration& /*into*/) {
    bool value{};
    return read(text, value);
}
std::string version(std::string_view text, Configuration& /*into*/) {
    return read_version(text);
}
std::string port(std::string_view text, Configuration& /*into*/) {
    std::int32_t number{};
    return read(text, number);
}
std::string drain_limit(std::string_view text, Configuration& /*into*/) {
    Duration duration{};
    if (auto reason = read(text, duration); !reason.empty()) return reason;
    return duration < Duration{} ? "must not be negative" : "";
}
std::string backend(std::string_view text, Configuration& /*into*/) {
    const bool known = text == "auto" || text == "legacy" || text == "nft";
    return known ? "" : "must be auto, legacy or nft";
}
std::string vip_binding(std::string_view text, Configuration& /*into*/) {
    return text == "addresses" || text == "routes" ? "" : "must be addresses or routes";
}

std::string joined(std::span<const std::string> values) {
    std::string out;
    for (const auto& value : values)
        out += (out.empty() || value.empty() ? "" : ",") + value;
    return out;
}

std::string printed_map(std::string_view text) {
    std::map<std::string, bool> pairs;
    read(text, pairs);
    std::string out;
    for (const auto& [name, value] : pairs)
        out += (out.empty() ? "" : ",") + name + (value ? "=true" : "=false");
    return out;
}

using C = Configuration&;
using T = std::string_view;
constexpr auto fallback = Scope::fallback;
constexpr auto logging = Scope::logging;
constexpr auto always = Scope::always;

// clang-format off
constexpr std::array table{
    Flag{"bind-address", Group::serving, "ip", "0.0.0.0", fallback, [](T t, C c) { return read_ip(t, c.bind_address); },
         "This node's primary IP, if it should not be taken from its Node object; nothing is bound to it"},
    Flag{"bind-address-hard-fail", Group::serving, "bool", "false", fallback, [](T t, C c) { return read(t, c.bind_address_hard_fail); },
         "End when the health or the metrics address cannot be bound, instead of trying again"},
    Flag{"boot-id-file", Group::process, "string", "/proc/sys/kernel/random/boot_id", always, any, "Accepted for compatibility; without effect"},
    Flag{"cleanup", Group::task, "bool", "false", always, truth, "Remove from the kernel what a proxy of this kind has put there, and exit"},
    Flag{"cluster-cidr", Group::traffic, "string", "", fallback, [](T t, C c) { return read(t, c.cluster_cidr); },
         "The pods' CIDR, or a pair of both families with a comma: in detect-local-mode ClusterCIDR traffic from there is local"},
    Flag{"config", Group::task, "string", "", always, any, "The configuration file. With it most other flags are ignored"},
    Flag{"config-sync-period", Group::api, "duration", "15m0s", fallback, [](T t, C c) { return read(t, c.config_sync_period); },
         "How often what the API server said is gone through again"},
    Flag{"conntrack-max-per-core", Group::conntrack, "int32", "32768", fallback, [](T t, C c) { return read(t, c.conntrack.max_per_core); },
         "Connections to track for each CPU core; 0 leaves nf_conntrack_max as it is"},
    Flag{"conntrack-min", Group::conntrack, "int32", "131072", fallback, [](T t, C c) { return read(t, c.conntrack.min); },
         "Connections to track at least, unless conntrack-max-per-core is 0"},
    Flag{"conntrack-tcp-be-liberal", Group::conntrack, "bool", "false", fallback, [](T t, C c) { return read(t, c.conntrack.tcp_be_liberal); },
         "Accept TCP packets outside the window (nf_conntrack_tcp_be_liberal)"},
    Flag{"conntrack-tcp-timeout-close-wait", Group::conntrack, "duration", "1h0m0s", fallback,
         [](T t, C c) { return read(t, c.conntrack.tcp_close_wait_timeout); }, "Conntrack's timeout of TCP in CLOSE_WAIT; 0 leaves it as it is"},
    Flag{"conntrack-tcp-timeout-established", Group::conntrack, "duration", "24h0m0s", fallback,
         [](T t, C c) { return read(t, c.conntrack.tcp_established_timeout); }, "Conntrack's timeout of idle TCP; 0 leaves it as it is"},
    Flag{"conntrack-udp-timeout", Group::conntrack, "duration", "0s", fallback, [](T t, C c) { return read(t, c.conntrack.udp_timeout); },
         "Conntrack's timeout of unanswered UDP; 0 leaves it as it is"},
    Flag{"conntrack-udp-timeout-stream", Group::conntrack, "duration", "0s", fallback, [](T t, C c) { return read(t, c.conntrack.udp_stream_timeout); },
         "Conntrack's timeout of answered UDP; 0 leaves it as it is"},
    Flag{"detect-local-mode", Group::traffic, "mode", "", fallback, [](T t, C c) { return read(t, c.detect_local_mode); },
         "How traffic of this node's pods is told: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix"},
    Flag{"drain-limit", Group::ipvs, "duration", "15m0s", always, drain_limit,
         "How long a real server that leaves may keep its connections; 0 = without limit"},
    Flag{"feature-gates", Group::process, "map", "", fallback, [](T t, C c) { return read(t, c.feature_gates); },
         "Kubernetes feature gates to set, as A=true,B=false"},
    Flag{"healthz-bind-address", Group::serving, "ip:port", "0.0.0.0:10256", fallback, [](T t, C c) { return read_ip_port(t, c.healthz_bind_address); },
         "Where /healthz and /livez are served"},
    Flag{"healthz-port", Group::serving, "int32", "10256", fallback, port, "The port of healthz-bind-address where that has none; 0 = no health server",
         "--healthz-bind-address"},
    Flag{"hostname-override", Group::api, "string", "", always, any, "The name of this node's Node object, if it is not the host's name"},
    Flag{"init-only", Group::task, "bool", "false", always, truth,
         "Do what needs full privileges (kernel switches, modules), and exit: CAP_NET_ADMIN and CAP_NET_RAW suffice afterwards"},
    Flag{"iptables-backend", Group::iptables, "name", "auto", always, backend,
         "The iptables variant to write: legacy, nft, or auto for the one that the host uses"},
    Flag{"iptables-localhost-nodeports", Group::iptables, "bool", "true", fallback, [](T t, C c) { return read(t, c.iptables.localhost_node_ports); },
         "Without effect in ipvs mode"},
    Flag{"iptables-masquerade-bit", Group::iptables, "int32", "14", fallback, [](T t, C c) { return read(t, c.iptables.masquerade_bit); },
         "The bit of the packet mark that asks for masquerading, 0 to 31"},
    Flag{"iptables-min-sync-period", Group::iptables, "duration", "1s", fallback, [](T t, C c) { return read(t, c.iptables.min_sync_period); },
         "Without effect in ipvs mode"},
    Flag{"iptables-sync-period", Group::iptables, "duration", "30s", fallback, [](T t, C c) { return read(t, c.iptables.sync_period); },
         "Without effect in ipvs mode"},
    Flag{"ipvs-exclude-cidrs", Group::ipvs, "list", "", fallback, [](T t, C c) { return read(t, c.ipvs.exclude_cidrs); },
         "CIDRs whose virtual servers stay even if no Service wants them"},
    Flag{"ipvs-min-sync-period", Group::ipvs, "duration", "1s", fallback, [](T t, C c) { return read(t, c.ipvs.min_sync_period); },
         "The least time between two writes to the kernel; 0 = write at once"},
    Flag{"ipvs-scheduler", Group::ipvs, "string", "", fallback, [](T t, C c) { return read(t, c.ipvs.scheduler); },
         "The IPVS scheduler; rr if empty"},
    Flag{"ipvs-strict-arp", Group::ipvs, "bool", "false", fallback, [](T t, C c) { return read(t, c.ipvs.strict_arp); },
         "Answer ARP only for addresses of the interface asked (arp_ignore 1, arp_announce 2)"},
    Flag{"ipvs-sync-period", Group::ipvs, "duration", "30s", fallback, [](T t, C c) { return read(t, c.ipvs.sync_period); },
         "The time in which the whole kernel state is audited once"},
    Flag{"ipvs-tcp-timeout", Group::ipvs, "duration", "0s", fallback, [](T t, C c) { return read(t, c.ipvs.tcp_timeout); },
         "IPVS' timeout of idle TCP; 0 leaves it as it is"},
    Flag{"ipvs-tcpfin-timeout", Group::ipvs, "duration", "0s", fallback, [](T t, C c) { return read(t, c.ipvs.tcp_fin_timeout); },
         "IPVS' timeout of TCP after a FIN; 0 leaves it as it is"},
    Flag{"ipvs-udp-timeout", Group::ipvs, "duration", "0s", fallback, [](T t, C c) { return read(t, c.ipvs.udp_timeout); },
         "IPVS' timeout of UDP; 0 leaves it as it is"},
    Flag{"ipvs-vip-binding", Group::ipvs, "name", "addresses", always, vip_binding,
         "How VIPs become local to the node: as addresses of kube-ipvs0, or as routes of table local, which are cheaper by the thousand"},
    Flag{"kube-api-burst", Group::api, "int32", "10", fallback, [](T t, C c) { return read(t, c.client_connection.burst); },
         "Requests to the API server in one go"},
    Flag{"kube-api-content-type", Group::api, "string", "application/vnd.kubernetes.protobuf", fallback,
         [](T t, C c) { return read(t, c.client_connection.content_type); }, "Content type of requests to the API server"},
    Flag{"kube-api-qps", Group::api, "float32", "5", fallback, [](T t, C c) { return read(t, c.client_connection.qps); },
         "Requests to the API server a second; negative = without limit"},
    Flag{"kubeconfig", Group::api, "string", "", fallback, [](T t, C c) { return read(t, c.client_connection.kubeconfig); },
         "The kubeconfig file; without it and --master the service account of the pod is used"},
    Flag{"log-flush-frequency", Group::logs, "duration", "5s", logging, [](T t, C c) { return read(t, c.logging.flush_frequency); },
         "Accepted for compatibility; every line is written at once"},
    Flag{"log-json-info-buffer-size", Group::logs, "quantity", "0", logging, [](T t, C c) { return read(t, c.logging.options.json.info_buffer_size); },
         "Accepted with gate LoggingAlphaOptions; no line is ever held back"},
    Flag{"log-json-split-stream", Group::logs, "bool", "false", logging, [](T t, C c) { return read(t, c.logging.options.json.split_stream); },
         "In JSON, errors to stderr and all else to stdout; needs gate LoggingAlphaOptions"},
    Flag{"log-text-info-buffer-size", Group::logs, "quantity", "0", logging, [](T t, C c) { return read(t, c.logging.options.text.info_buffer_size); },
         "Accepted with gate LoggingAlphaOptions; no line is ever held back"},
    Flag{"log-text-split-stream", Group::logs, "bool", "false", logging, [](T t, C c) { return read(t, c.logging.options.text.split_stream); },
         "In text, errors to stderr and all else to stdout; needs gate LoggingAlphaOptions"},
    Flag{"logging-format", Group::logs, "string", "text", logging, [](T t, C c) { return read(t, c.logging.format); }, "text or json"},
    Flag{"machine-id-file", Group::process, "string", "/etc/machine-id,/var/lib/dbus/machine-id", always, any,
         "Accepted for compatibility; without effect"},
    Flag{"masquerade-all", Group::iptables, "bool", "false", fallback, [](T t, C c) { return read(t, c.iptables.masquerade_all); },
         "Masquerade all traffic to cluster IPs"},
    Flag{"master", Group::api, "string", "", always, any, "The API server's URL, over the one in the kubeconfig"},
    Flag{"metrics-bind-address", Group::serving, "ip:port", "127.0.0.1:10249", fallback, [](T t, C c) { return read_ip_port(t, c.metrics_bind_address); },
         "Where metrics are served"},
    Flag{"metrics-port", Group::serving, "int32", "10249", fallback, port, "The port of metrics-bind-address where that has none",
         "--metrics-bind-address"},
    Flag{"nodeport-addresses", Group::traffic, "list", "", fallback, [](T t, C c) { return read(t, c.node_port_addresses); },
         "CIDRs of the node's addresses that answer for NodePorts, or primary for those of its Node object; all addresses if empty"},
    Flag{"oom-score-adj", Group::process, "int32", "-999", fallback, [](T t, C c) { return read(t, c.oom_score_adj); },
         "oom_score_adj of this process, -1000 to 1000"},
    Flag{"pod-bridge-interface", Group::traffic, "string", "", fallback, [](T t, C c) { return read(t, c.detect_local.bridge_interface); },
         "In detect-local-mode BridgeInterface: traffic from this bridge is local"},
    Flag{"pod-interface-name-prefix", Group::traffic, "string", "", fallback, [](T t, C c) { return read(t, c.detect_local.interface_name_prefix); },
         "In detect-local-mode InterfaceNamePrefix: traffic from interfaces so named is local"},
    Flag{"profiling", Group::process, "bool", "false", fallback, [](T t, C c) { return read(t, c.enable_profiling); },
         "Serve /debug/flags/v with the metrics"},
    Flag{"proxy-mode", Group::ipvs, "mode", "", fallback, [](T t, C c) { return read(t, c.mode); }, "ipvs; blank means the same"},
    Flag{"show-hidden-metrics-for-version", Group::process, "string", "", fallback,
         [](T t, C c) { return read(t, c.show_hidden_metrics_for_version); }, "Accepted for compatibility; without effect"},
    Flag{"v", Group::logs, "level", "0", logging, [](T t, C c) { return read_level(t, c.logging.verbosity); }, "The log's verbosity"},
    Flag{"version", Group::task, "bool", "false", always, version, "Print the version and exit; raw for all there is to say"},
    Flag{"vmodule", Group::logs, "pattern=N,...", "", logging, [](T t, C c) { return read_vmodule(t, c.logging.vmodule); },
         "Verbosity of single source files, named by patterns; text format only"},
    Flag{"write-config-to", Group::task, "string", "", always, any, "Write the effective configuration to this file, and exit"},
};
// clang-format on
static_assert(std::ranges::is_sorted(table, {}, &Flag::name));

} // namespace

std::span<const Flag> flag_table() noexcept {
    return table;
}

std::string_view name(Group group) noexcept {
    switch (group) {
    case Group::task:
        return "What to do";
    case Group::api:
        return "Node and API server";
    case Group::serving:
        return "Addresses and ports";
    case Group::traffic:
        return "Pods and node ports";
    case Group::ipvs:
        return "IPVS";
    case Group::iptables:
        return "iptables";
    case Group::conntrack:
        return "Connection tracking";
    case Group::logs:
        return "Log";
    case Group::process:
        return "Process";
    }
    return {};
}

bool is_task(const Flag& flag) noexcept {
    return flag.name == "cleanup" || flag.name == "init-only" || flag.name == "write-config-to";
}

const Flag* find_flag(std::string_view name) noexcept {
    const auto* const found = std::ranges::lower_bound(table, name, {}, &Flag::name);
    return found != table.end() && found->name == name ? found : nullptr;
}

std::string refusal(const Flag& flag, std::string_view value) {
    Configuration scratch;
    const auto reason = flag.read(value, scratch);
    if (reason.empty()) return {};
    return refusal(flag.name == "v" ? "-v, --v" : "--" + std::string{flag.name}, value, reason);
}

std::string refusal(std::string_view dashed, std::string_view value, std::string_view reason) {
    return "invalid argument " + log::quoted(value) + " for " + log::quoted(dashed) +
           " flag: " + std::string{reason};
}

std::string printed(const Flag& flag, std::span<const std::string> given) {
    auto all = joined(given);
    if (flag.type == "list") return '[' + all + ']';
    if (flag.type == "map") return printed_map(all);
    if (flag.name == "vmodule") return all;
    if (given.empty()) return std::string{flag.standard};
    const auto& last = given.back();
    if (flag.type == "duration") return duration_text(parse_duration(last).value_or(Duration{}));
    if (flag.type == "int32") {
        std::int32_t number{};
        read(last, number);
        return std::to_string(number);
    }
    const auto value = flag.type == "bool" ? parse_bool(last) : std::nullopt;
    return value ? std::string{*value ? "true" : "false"} : last;
}

} // namespace ipvsproxy::config
