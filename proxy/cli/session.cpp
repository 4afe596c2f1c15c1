#include "proxy/cli/session.h"

#include <stdexcept>

#include "proxy/config/log_settings.h"
#include "proxy/config/version.h"
#include "proxy/log/log.h"
#include "proxy/log/quote.h"
#include "proxy/sync/log_observer.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::cli {
namespace {

/// What is odd about them is logged, whatever else may be wrong.
config::Options merged_options(const config::Flags& flags) {
    auto options = config::merge(flags);
    if (!options) throw std::runtime_error{options.error().text};
    log::configure(config::log_settings(options->configuration.logging));
    for (const auto& warning : options->warnings)
        log::warning(warning);
    return *std::move(options);
}

} // namespace

config::Options complete_options(const Invocation& call) {
    auto options = merged_options(call.flags);
    if (const auto problem = config::judge(options)) throw std::runtime_error{problem->text};
    return options;
}

config::Options daemon_options(const config::Flags& flags) {
    auto options = merged_options(flags);
    log::info("Version info", {{"version", config::git_version}});
    for (const auto& [name, value] : options.flags)
        log::plain(1, "FLAG: --" + name + '=' + log::quoted(value));
    if (const auto problem = config::judge(options)) throw std::runtime_error{problem->text};
    return options;
}

void warn_contests(sync::Cluster& cluster) {
    sync::LogObserver observer;
    for (const auto& contest : cluster.take_contests())
        observer.contested(contest);
}

} // namespace ipvsproxy::cli
