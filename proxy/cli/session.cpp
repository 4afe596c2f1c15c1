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

} // namespace

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

void warn_contests(sync::Cluster& cluster) {
    sync::LogObserver observer;
    for (const auto& contest : cluster.take_contests())
        observer.contested(contest);
}

} // namespace ipvsproxy::cli
