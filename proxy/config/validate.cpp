#include "proxy/config/validate.h"

#include <algorithm>
#include <array>
#include <limits>

#include "proxy/config/duration.h"
#include "proxy/config/texts.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

constexpr std::string_view previous_minor = "1.35"; // of the Kubernetes version we follow
constexpr std::uint32_t most_verbose = std::numeric_limits<std::int32_t>::max();

// A value as Kubernetes' field errors print it: as JSON, if it is no number or text.
std::string shown(const std::string& text) {
    return log::quoted(text);
}
std::string shown(std::int32_t number) {
    return std::to_string(number);
}
std::string shown(std::uint32_t number) {
    return std::to_string(number);
}
std::string shown(Duration duration) {
    return '"' + duration_text(duration) + '"';
}
std::string shown(std::span<const std::string> texts) {
    std::string out{'['};
    for (const auto& text : texts)
        out += (out.size() > 1 ? "," : "") + log::json_quoted(text);
    return out += ']';
}
std::string shown(const std::map<std::string, bool>& truths) {
    std::string out{'{'};
    for (const auto& [name, value] : truths)
        out += (out.size() > 1 ? "," : "") + log::json_quoted(name) + (value ? ":true" : ":false");
    return out += '}';
}

std::string at(const std::string& path, std::size_t index) {
    return path + '[' + std::to_string(index) + ']';
}

/// Collects errors of fields below one path.
class Judge {
public:
    /// @param top with a dot at its end, or empty
    explicit Judge(std::string top) : top_{std::move(top)} {}

    void invalid(const std::string& path, const auto& value, std::string_view reason) {
        other(path, "Invalid value: " + shown(value) + ": " + std::string{reason});
    }
    void forbidden(const std::string& path, std::string_view reason) {
        other(path, "Forbidden: " + std::string{reason});
    }
    void other(const std::string& path, std::string_view error) {
        errors_.push_back(top_ + path + ": " + std::string{error});
    }

    template <class Value> void at_least_zero(const std::string& path, Value value) {
        if (value < Value{}) invalid(path, value, "must be greater than or equal to 0");
    }
    void above_zero(const std::string& path, Duration value) {
        if (value <= Duration{}) invalid(path, value, "must be greater than 0");
    }
    void within(const std::string& path, std::int32_t value, int least, int most) {
        if (value < least || value > most)
            invalid(path, value,
                    "must be within the range [" + std::to_string(least) + ", " +
                        std::to_string(most) + "]");
    }
    std::optional<AddressPort> address_port(const std::string& path, const std::string& value) {
        const auto parts = split_host_port(value);
        if (!parts) {
            invalid(path, value, "must be IP:port");
            return std::nullopt;
        }
        const auto address = Address::parse(parts->first);
        if (!address) invalid(path, parts->first, "must be a valid IP");
        const auto port = parse_int32(parts->second);
        const bool good = port && *port >= 1 && *port <= 65535;
        if (!good) invalid(path, parts->second, "must be a valid port");
        if (!address || !good) return std::nullopt;
        return AddressPort{*address, Port{static_cast<std::uint16_t>(*port)}};
    }
    std::optional<Prefix> cidr(const std::string& path, const std::string& value) {
        const auto prefix = Prefix::parse(value);
        if (!prefix) invalid(path, value, "must be a valid CIDR");
        return prefix;
    }

    Errors take() { return std::move(errors_); }
    bool content() const { return errors_.empty(); }

private:
    std::string top_;
    Errors errors_;
};

void judge_periods(Judge& judge, const Configuration& of) {
    const auto [sync, min_sync] = periods(of);
    judge.above_zero("ConfigSyncPeriod", of.config_sync_period);
    judge.above_zero("SyncPeriod", sync);
    judge.at_least_zero("MinSyncPeriod", min_sync);
    if (min_sync > sync)
        judge.invalid("SyncPeriod", min_sync,
                      "must be greater than or equal to KubeProxyConfiguration.MinSyncPeriod");
}

void judge_ipvs(Judge& judge, const Configuration& of, Parsed& parsed) {
    const std::string path{"KubeProxyIPVSConfiguration"};
    judge.at_least_zero(path + ".TCPTimeout", of.ipvs.tcp_timeout);
    judge.at_least_zero(path + ".TCPFinTimeout", of.ipvs.tcp_fin_timeout);
    judge.at_least_zero(path + ".UDPTimeout", of.ipvs.udp_timeout);
    for (std::size_t i = 0; i < of.ipvs.exclude_cidrs.size(); ++i)
        if (const auto prefix = judge.cidr(at(path + ".ExcludeCidrs", i), of.ipvs.exclude_cidrs[i]))
            parsed.exclude_cidrs.push_back(*prefix);
}

/// The part of the mode that is configured; iptables' is judged in every mode.
void judge_mode(Judge& judge, const Configuration& of, Parsed& parsed) {
    judge.within("KubeProxyIPTablesConfiguration.MasqueradeBit", of.iptables.masquerade_bit, 0, 31);
    if (of.mode == "ipvs") judge_ipvs(judge, of, parsed);
    if (of.mode == "nftables")
        judge.within("KubeProxyNFTablesConfiguration.MasqueradeBit", of.nftables.masquerade_bit, 0,
                     31);
}

void judge_linux(Judge& judge, const Configuration& of) {
    const std::string path{"KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration"};
    const auto& conntrack = of.conntrack;
    judge.at_least_zero(path + ".MaxPerCore", conntrack.max_per_core);
    judge.at_least_zero(path + ".Min", conntrack.min);
    judge.at_least_zero(path + ".TCPEstablishedTimeout", conntrack.tcp_established_timeout);
    judge.at_least_zero(path + ".TCPCloseWaitTimeout", conntrack.tcp_close_wait_timeout);
    judge.at_least_zero(path + ".UDPTimeout", conntrack.udp_timeout);
    judge.at_least_zero(path + ".UDPStreamTimeout", conntrack.udp_stream_timeout);
    judge.within("KubeProxyLinuxConfiguration.OOMScoreAdj", of.oom_score_adj, -1000, 1000);
}

void judge_addresses(Judge& judge, const Configuration& of, Parsed& parsed) {
    if (const auto bind = Address::parse(of.bind_address)) parsed.bind_address = *bind;
    else
        judge.invalid("BindAddress", of.bind_address,
                      "not a valid textual representation of an IP address");
    if (!of.healthz_bind_address.empty())
        parsed.healthz = judge.address_port("HealthzBindAddress", of.healthz_bind_address);
    if (const auto metrics = judge.address_port("MetricsBindAddress", of.metrics_bind_address))
        parsed.metrics = *metrics;
}

void judge_node_ports(Judge& judge, const Configuration& of, Parsed& parsed) {
    const auto& addresses = of.node_port_addresses;
    parsed.node_port_primary = addresses == std::vector<std::string>{"primary"};
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const auto path = at("NodePortAddresses", i);
        if (addresses[i] == "primary") {
            if (addresses.size() > 1)
                judge.invalid(path, addresses[i], "can't use both 'primary' and CIDRs");
            return; // as kube-proxy: what follows is not looked at
        }
        if (const auto prefix = judge.cidr(path, addresses[i]))
            parsed.node_port_cidrs.push_back(*prefix);
    }
}

std::optional<LocalMode> local_mode(std::string_view name) {
    if (name == "ClusterCIDR") return LocalMode::cluster_cidr;
    if (name == "NodeCIDR") return LocalMode::node_cidr;
    if (name == "BridgeInterface") return LocalMode::bridge_interface;
    if (name == "InterfaceNamePrefix") return LocalMode::interface_name_prefix;
    return std::nullopt;
}

void judge_cluster_cidr(Judge& judge, const std::string& path, std::span<const std::string> cidrs) {
    constexpr std::string_view pair = "must be a either a single CIDR or dual-stack pair of CIDRs "
                                      "(e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]";
    constexpr std::string_view block =
        "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)";
    if (cidrs.size() > 2) return judge.invalid(path, cidrs, pair);
    std::vector<Family> families;
    for (std::size_t i = 0; i < cidrs.size(); ++i) {
        const auto prefix = Prefix::parse(cidrs[i]);
        if (prefix) families.push_back(prefix->family());
        else judge.invalid(at(path, i), cidrs[i], block);
    }
    if (families.size() == 2 && families[0] == families[1]) judge.invalid(path, cidrs, pair);
}

void judge_local(Judge& judge, const Configuration& of, Parsed& parsed) {
    const auto mode = local_mode(of.detect_local_mode);
    if (!mode) {
        judge.other("DetectLocalMode",
                    "Unsupported value: " + shown(of.detect_local_mode) +
                        R"(: supported values: "ClusterCIDR", "NodeCIDR", "BridgeInterface", )"
                        R"("InterfaceNamePrefix", "")");
        return;
    }
    const std::string path{"DetectLocalConfiguration"};
    parsed.local_mode = *mode;
    if (mode == LocalMode::bridge_interface && of.detect_local.bridge_interface.empty())
        judge.invalid(path + ".InterfaceName", std::string{}, "must not be empty");
    if (mode == LocalMode::interface_name_prefix && of.detect_local.interface_name_prefix.empty())
        judge.invalid(path + ".InterfacePrefix", std::string{}, "must not be empty");
    if (of.cluster_cidr.empty()) return;
    const auto cidrs = split(of.cluster_cidr);
    if (mode == LocalMode::cluster_cidr) judge_cluster_cidr(judge, path + ".ClusterCIDRs", cidrs);
    for (const auto& cidr : cidrs) // in other modes only for the start-up checks
        if (const auto prefix = Prefix::parse(cidr)) parsed.cluster_cidrs.push_back(*prefix);
}

void judge_log_stream(Judge& judge, const std::string& path, const LogStream& of, bool alpha) {
    constexpr std::string_view reason = "Feature LoggingAlphaOptions is disabled";
    if (alpha) return;
    if (of.split_stream) judge.forbidden(path + ".splitStream", reason);
    if (of.info_buffer_size != 0) judge.forbidden(path + ".infoBufferSize", reason);
}

void judge_vmodule(Judge& judge, const Logging& of) {
    if (!of.vmodule.empty() && of.format != "text")
        judge.forbidden("logging.vmodule", "Only supported for text log format");
    for (std::size_t i = 0; i < of.vmodule.size(); ++i) {
        const auto path = at("logging.vmodule", i);
        const auto& [pattern, verbosity] = of.vmodule[i];
        if (pattern.empty()) judge.other(path, "Required value: File pattern must not be empty");
        if (pattern.find_first_of("=,") != std::string::npos)
            judge.invalid(path, pattern, "File pattern must not contain equal sign or comma");
        if (verbosity > most_verbose)
            judge.invalid(path, verbosity, "Must be <= " + std::to_string(most_verbose));
    }
}

void judge_logging(Judge& judge, const Logging& of, const FeatureGates& gates) {
    if (of.format != "text" && of.format != "json")
        judge.invalid("logging.format", of.format, "Unsupported log format");
    else if (of.format == "json" && !gates.enabled("LoggingBetaOptions"))
        judge.forbidden("logging.format",
                        "Log format json is BETA and disabled, see LoggingBetaOptions feature");
    if (of.flush_frequency <= Duration{})
        judge.invalid("logging.flushFrequency", of.flush_frequency, "Must be greater than zero");
    if (of.verbosity > most_verbose)
        judge.invalid("logging.verbosity", of.verbosity,
                      "Must be <= " + std::to_string(most_verbose));
    judge_vmodule(judge, of);
    const bool alpha = gates.enabled("LoggingAlphaOptions");
    judge_log_stream(judge, "logging.options.text", of.options.text, alpha);
    judge_log_stream(judge, "logging.options.json", of.options.json, alpha);
}

void judge_program(Judge& judge, const Configuration& of) {
    constexpr std::array<std::string_view, 4> modes{"", "iptables", "ipvs", "nftables"};
    if (std::ranges::find(modes, of.mode) == modes.end())
        judge.invalid("Mode.ProxyMode", of.mode,
                      "must be iptables, ipvs, nftables or blank (blank means ipvs)");
    judge.at_least_zero("ClientConnection.Burst", of.client_connection.burst);
}

void judge_hidden_metrics(Judge& judge, const std::string& version) {
    if (version.empty() || version == previous_minor) return;
    judge.invalid("ShowHiddenMetricsForVersion", version,
                  "--show-hidden-metrics-for-version must be omitted or have the value '" +
                      std::string{previous_minor} +
                      "'. Only the previous minor version is allowed");
}

} // namespace

boost::system::result<Parsed, Errors> validate(const Configuration& configuration) {
    Judge judge{std::string{kind} + '.'};
    Parsed parsed;
    const auto& logging = configuration.logging;
    if (auto gates = FeatureGates::resolve(configuration.feature_gates))
        parsed.gates = std::move(*gates);
    else judge.invalid("featureGates", configuration.feature_gates, gates.error());
    judge_mode(judge, configuration, parsed);
    judge_linux(judge, configuration);
    judge_program(judge, configuration);
    judge_periods(judge, configuration);
    judge_addresses(judge, configuration, parsed);
    judge_node_ports(judge, configuration, parsed);
    judge_hidden_metrics(judge, configuration.show_hidden_metrics_for_version);
    judge_local(judge, configuration, parsed);
    judge_logging(judge, logging, parsed.gates);
    parsed.log_format = logging.format == "json" ? LogFormat::json : LogFormat::text;
    if (!judge.content()) return judge.take();
    return parsed;
}

std::vector<std::string> gate_warnings(const std::map<std::string, bool>& gates) {
    std::vector<std::string> warnings;
    for (const auto& gate : known_gates()) { // which are in the map's order
        const bool stable = gate.stage == Stage::stable;
        const auto set = gates.find(std::string{gate.name});
        if (set == gates.end() || (!stable && gate.stage != Stage::deprecated)) continue;
        warnings.push_back("Setting " + std::string{stable ? "GA" : "deprecated"} +
                           " feature gate " + set->first + (set->second ? "=true" : "=false") +
                           ". It will be removed in a future release.");
    }
    return warnings;
}

Errors logging_errors(const Logging& logging, const FeatureGates& gates) {
    Judge judge{std::string{}};
    judge_logging(judge, logging, gates);
    return judge.take();
}

Periods periods(const Configuration& configuration) {
    if (configuration.mode == "iptables")
        return {configuration.iptables.sync_period, configuration.iptables.min_sync_period};
    if (configuration.mode == "nftables")
        return {configuration.nftables.sync_period, configuration.nftables.min_sync_period};
    return {configuration.ipvs.sync_period, configuration.ipvs.min_sync_period};
}

} // namespace ipvsproxy::config
