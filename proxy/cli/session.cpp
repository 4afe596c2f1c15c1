#include "proxy/cli/session.h"

#include <stdexcept>

#include "proxy/log/log.h"
#include "proxy/sync/log_observer.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::cli {
namespace {

log::Settings log_settings(const config::Options& options) {
    const auto& logging = options.configuration.logging;
    log::Settings settings;
    const bool json = options.parsed.log_format == config::LogFormat::json;
    settings.format = json ? log::Format::json : log::Format::text;
    settings.verbosity = static_cast<int>(logging.verbosity);
    settings.split_stream =
        json ? logging.options.json.split_stream : logging.options.text.split_stream;
    for (const auto& item : logging.vmodule)
        settings.vmodule.push_back({item.file_pattern, static_cast<int>(item.verbosity)});
    return settings;
}

/// FNV-1a: the same on every machine and in every release.
std::uint64_t salt(std::string_view node_name) {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : node_name)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return hash;
}

void say(const files::Message& message) {
    switch (message.severity) {
    case files::Severity::note:
        log::info(message.text);
        break;
    case files::Severity::warning:
        log::warning(message.text);
        break;
    case files::Severity::error:
        log::error(message.text);
        break;
    }
}

} // namespace

std::optional<iptables::Backend> wanted_backend(const config::Options& options) {
    switch (options.iptables_backend) {
    case config::IptablesBackend::automatic:
        return std::nullopt;
    case config::IptablesBackend::legacy:
        return iptables::Backend::legacy;
    case config::IptablesBackend::nft:
        return iptables::Backend::nft;
    }
    return std::nullopt;
}

config::Options complete_options(const Invocation& call) {
    auto options = config::complete(call.flags);
    if (!options) throw std::runtime_error{options.error().text};
    log::configure(log_settings(*options));
    for (const auto& warning : options->warnings)
        log::warning(warning);
    return *std::move(options);
}

files::Where input_paths(const Invocation& call) {
    if (call.files.empty())
        throw std::runtime_error{
            "no input: name files or folders of manifests with -f, or - for standard input"};
    return {call.files, call.recursive};
}

Input::Input(files::Where where) : source{std::move(where), store, say} {
    source.read_all();
}

std::unique_ptr<sync::RealKernel> open_kernel(const config::Options& options) {
    KernelSysctls sysctls;
    return std::make_unique<sync::RealKernel>(sync::supported_families(sysctls),
                                              wanted_backend(options), salt(options.node_name));
}

std::unique_ptr<sync::Cluster> make_cluster(const config::Options& options, model::Store& store,
                                            sync::RealKernel* kernel,
                                            std::span<const InterfaceAddress> elsewhere,
                                            sync::Complaints complaints) {
    PerFamily<bool> enabled{true, true}, random_fully{true, true};
    if (kernel != nullptr)
        for (const auto family : families) {
            const auto* tables = kernel->tables().rules[family];
            enabled[family] = tables != nullptr;
            random_fully[family] = tables != nullptr && tables->random_fully();
        }
    auto cluster = sync::make_cluster(options, store, enabled, random_fully, elsewhere, complaints);
    cluster->derive();
    return cluster;
}

void warn_contests(sync::Cluster& cluster) {
    sync::LogObserver observer;
    for (const auto& contest : cluster.take_contests())
        observer.contested(contest);
}

} // namespace ipvsproxy::cli
