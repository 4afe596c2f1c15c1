#include "proxy/config/flag_table.h"

#include <algorithm>
#include <array>

#include "netlink/ip.h"
#include "proxy/config/duration.h"
#include "proxy/config/texts.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

template <class Value> bool put(const std::optional<Value>& value, Value& field) {
    if (value) field = *value;
    return value.has_value();
}

bool read(std::string_view text, std::string& field) {
    field = text;
    return true;
}
bool read(std::string_view text, bool& field) {
    return put(parse_bool(text), field);
}
bool read(std::string_view text, std::int32_t& field) {
    return put(parse_int32(text), field);
}
bool read(std::string_view text, std::uint32_t& field) {
    return put(parse_uint32(text), field);
}
bool read(std::string_view text, float& field) {
    return put(parse_float(text), field);
}
bool read(std::string_view text, Duration& field) {
    return put(parse_duration(text), field);
}
bool read(std::string_view text, std::uint64_t& bytes) {
    return put(parse_quantity(text), bytes);
}
bool read(std::string_view text, std::vector<std::string>& list) {
    if (!text.empty())
        for (auto& part : split(text))
            list.push_back(std::move(part));
    return true;
}
bool read(std::string_view text, std::map<std::string, bool>& gates) {
    if (text.empty()) return true;
    for (const auto& item : split(text)) {
        const auto equals = item.find('=');
        if (equals == std::string::npos) return false;
        const auto value = parse_bool(trimmed(std::string_view{item}.substr(equals + 1)));
        if (!value) return false;
        gates[std::string{trimmed(item.substr(0, equals))}] = *value;
    }
    return true;
}

/// An address; an empty one leaves the default in force.
bool read_ip(std::string_view text, std::string& field) {
    if (text.empty()) return true;
    field = text;
    return Address::parse(text).has_value();
}

/// An address, with or without a port.
bool read_ip_port(std::string_view text, std::string& field) {
    if (text.empty()) return true;
    field = text;
    const auto parts = split_host_port(text);
    return Address::parse(text) || (parts && Address::parse(parts->first));
}

bool any(std::string_view /*text*/, Configuration& /*into*/) {
    return true;
}
bool truth(std::string_view text, Configuration& /*into*/) {
    return parse_bool(text).has_value();
}
bool port(std::string_view text, Configuration& /*into*/) {
    return parse_int32(text).has_value();
}
bool drain_limit(std::string_view text, Configuration& /*into*/) {
    const auto duration = parse_duration(text);
    return duration && *duration >= Duration{};
}
bool backend(std::string_view text, Configuration& /*into*/) {
    return text == "auto" || text == "legacy" || text == "nft";
}

bool vip_binding(std::string_view text, Configuration& /*into*/) {
    return text == "addresses" || text == "routes";
}

/// What Go's packages say of a text that is no value of this type.
std::string reason(std::string_view type, std::string_view value) {
    const auto number = [&](const char* parser) {
        return "strconv." + std::string{parser} + ": parsing " + log::quoted(value) +
               ": invalid syntax";
    };
    const bool bare = !value.empty() && value.find_first_not_of("0123456789") == value.npos;
    if (type == "bool") return number("ParseBool");
    if (type == "int32" || type == "level") return number("ParseInt");
    if (type == "float32") return number("ParseFloat");
    if (type == "duration" && bare) return "time: missing unit in duration " + log::quoted(value);
    if (type == "duration") return "time: invalid duration " + log::quoted(value);
    if (type == "ip") return "failed to parse IP: " + log::quoted(value);
    return "not of the form " + std::string{type};
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
    Flag{"v", Group::logs, "level", "0", logging, [](T t, C c) { return read(t, c.logging.verbosity); }, "The log's verbosity"},
    Flag{"version", Group::task, "bool", "false", always, any, "Print the version and exit; raw for all there is to say"},
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

const Flag* find_flag(std::string_view name) noexcept {
    const auto* const found = std::ranges::lower_bound(table, name, {}, &Flag::name);
    return found != table.end() && found->name == name ? found : nullptr;
}

std::string refusal(const Flag& flag, std::string_view value) {
    Configuration scratch;
    if (flag.read(value, scratch)) return {};
    const auto dashed = flag.name == "v" ? "-v, --v" : "--" + std::string{flag.name};
    return "invalid argument " + log::quoted(value) + " for " + log::quoted(dashed) +
           " flag: " + reason(flag.type, value);
}

bool read_vmodule(std::string_view text, std::vector<VmoduleItem>& items) {
    for (const auto& part : split(text)) {
        if (part.empty()) continue; // trailing commas are common
        const auto equals = part.find('=');
        if (equals == std::string::npos || equals == 0) return false;
        const auto verbosity = parse_int32(std::string_view{part}.substr(equals + 1));
        if (!verbosity || *verbosity < 0) return false;
        items.push_back({part.substr(0, equals), static_cast<std::uint32_t>(*verbosity)});
    }
    return true;
}

} // namespace ipvsproxy::config
