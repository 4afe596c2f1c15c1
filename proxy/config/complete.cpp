#include <algorithm>
#include <string>
#include <sys/utsname.h>

#include "proxy/config/duration.h"
#include "proxy/config/flag_table.h"
#include "proxy/config/flag_types.h"
#include "proxy/config/flags.h"
#include "proxy/config/texts.h"
#include "proxy/config/validate.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

/// Takes the values of the flags of one scope, but vmodule's, which have an order of their own.
void take_flags(const Flags& flags, Scope scope, Configuration& into) {
    for (const auto& flag : flag_table()) {
        const auto given = flags.given.find(flag.name);
        if (flag.scope != scope || given == flags.given.end() || flag.name == "vmodule") continue;
        for (const auto& value : given->second)
            flag.read(value, into); // judged while parsing
    }
}

/// Patterns of flags stand before those of the file: the first that fits decides.
void take_vmodule(const Flags& flags, std::vector<VmoduleItem>& into) {
    std::vector<VmoduleItem> items;
    if (const auto given = flags.given.find("vmodule"); given != flags.given.end())
        for (const auto& value : given->second)
            read_vmodule(value, items); // judged while parsing
    into.insert(into.begin(), items.begin(), items.end());
}

/// The deprecated --…-port flags. @return the address with the port, or none for port 0.
std::string with_port_flag(const Flags& flags, const char* flag, const std::string& address,
                           int standard) {
    std::int32_t port = standard;
    if (flags.has(flag)) read(flags.last(flag), port);
    return port == 0 ? std::string{} : with_port(address, port);
}

/// The client of Kubernetes' API takes a zero for its own defaults, which are the same.
void take_client_defaults(ClientConnection& client) {
    if (client.qps == 0) client.qps = ClientConnection{}.qps;
    if (client.burst == 0) client.burst = ClientConnection{}.burst;
}

Configuration from_flags(const Flags& flags) {
    Configuration configuration;
    // With flags alone the least distance is 1s, with a file it is 0: so it is in kube-proxy.
    configuration.ipvs.min_sync_period = std::chrono::seconds{1};
    take_flags(flags, Scope::fallback, configuration);
    take_client_defaults(configuration.client_connection);
    auto& healthz = configuration.healthz_bind_address;
    auto& metrics = configuration.metrics_bind_address;
    if (!flags.has("write-config-to")) { // there kube-proxy looks at neither
        healthz = with_port_flag(flags, "healthz-port", healthz, 10256);
        metrics = with_port_flag(flags, "metrics-port", metrics, 10249);
    }
    if (configuration.mode.empty()) configuration.mode = Configuration{}.mode;
    if (configuration.detect_local_mode.empty())
        configuration.detect_local_mode = Configuration{}.detect_local_mode;
    return configuration;
}

std::vector<std::string> flag_warnings(const Flags& flags, bool file) {
    std::vector<std::string> warnings;
    std::string ignored;
    for (const auto& flag : flag_table()) {
        if (!flags.has(flag.name)) continue;
        const auto name = "--" + std::string{flag.name};
        if (!flag.deprecated.empty())
            warnings.push_back("Flag " + name + " has been deprecated, use " +
                               std::string{flag.deprecated} + " instead");
        if (file && flag.scope == Scope::fallback) ignored += ' ' + name;
    }
    if (!ignored.empty()) warnings.push_back("Flags ignored because --config is given:" + ignored);
    return warnings;
}

std::optional<Problem> take_node_name(const Flags& flags, std::string_view host_name,
                                      Options& options) {
    auto& wanted = options.configuration.hostname_override;
    if (const auto flag = flags.last("hostname-override"); !flag.empty()) {
        wanted = lower(trimmed(flag));
        if (wanted.empty()) return Problem{"empty hostname-override is invalid"};
    }
    const std::string_view source = wanted.empty() ? host_name : std::string_view{wanted};
    options.node_name = lower(trimmed(source));
    if (options.node_name.empty()) return Problem{"empty hostname is invalid"};
    return std::nullopt;
}

/// What is not of kube-proxy's file.
void take_own(const Flags& flags, Options& options) {
    options.config_file = flags.last("config");
    options.write_config_to = flags.last("write-config-to");
    options.master = flags.last("master");
    options.cleanup = flags.is_on("cleanup");
    options.init_only = flags.is_on("init-only");
    const auto backend = flags.last("iptables-backend");
    if (backend == "legacy") options.iptables_backend = IptablesBackend::legacy;
    if (backend == "nft") options.iptables_backend = IptablesBackend::nft;
    if (flags.last("ipvs-vip-binding") == "routes") options.vip_binding = Binding::route;
    if (const auto limit = parse_duration(flags.last("drain-limit")))
        options.drain_limit = std::chrono::ceil<std::chrono::seconds>(*limit);
}

} // namespace

Result<Options> merge(const Flags& flags, const std::optional<Loaded>& file,
                      std::string_view host_name) {
    Options options;
    auto& configuration = options.configuration;
    take_own(flags, options);
    options.flags = flag_values(flags);
    configuration = file ? file->configuration : from_flags(flags);
    take_flags(flags, Scope::logging, configuration);
    take_vmodule(flags, configuration.logging.vmodule);
    if (file) options.warnings = file->warnings;
    for (auto& warning : flag_warnings(flags, file.has_value()))
        options.warnings.push_back(std::move(warning));
    for (auto& warning : gate_warnings(configuration.feature_gates))
        options.warnings.push_back(std::move(warning));
    if (const auto problem = take_node_name(flags, host_name, options))
        return Problem{"failed complete: " + problem->text};
    const auto gates = FeatureGates::resolve(configuration.feature_gates);
    if (!gates) return Problem{"failed complete: " + gates.error()};
    const auto errors = logging_errors(configuration.logging, *gates);
    if (!errors.empty()) return Problem{"initialize logging: " + aggregate(errors)};
    return options;
}

Result<Options> merge(const Flags& flags) {
    std::optional<Loaded> file;
    if (const auto path = flags.last("config"); !path.empty()) {
        auto loaded = load_file(path);
        if (!loaded) return Problem{"failed complete: " + loaded.error().text};
        file = std::move(*loaded);
    }
    utsname host{};
    uname(&host); // fails only for a bad pointer
    return merge(flags, file, host.nodename);
}

std::optional<Problem> judge(Options& options) {
    const auto& configuration = options.configuration;
    auto parsed = validate(configuration);
    if (!parsed) return Problem{"failed validate: " + aggregate(parsed.error())};
    options.parsed = std::move(*parsed);
    const bool runs = !options.cleanup && options.write_config_to.empty();
    if (runs && configuration.mode != "ipvs")
        return Problem{"failed validate: mode " + log::quoted(configuration.mode) +
                       " is not for this proxy, which has ipvs only: set mode (--proxy-mode) to "
                       "ipvs, or run kube-proxy on this node"};
    return std::nullopt;
}

Result<Options> complete(const Flags& flags, const std::optional<Loaded>& file,
                         std::string_view host_name) {
    auto options = merge(flags, file, host_name);
    if (!options) return options;
    if (auto problem = judge(*options)) return *std::move(problem);
    return options;
}

Result<Options> complete(const Flags& flags) {
    auto options = merge(flags);
    if (!options) return options;
    if (auto problem = judge(*options)) return *std::move(problem);
    return options;
}

} // namespace ipvsproxy::config
