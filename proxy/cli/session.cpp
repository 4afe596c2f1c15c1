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

void set_up_log(const config::Options& options) {
    log::configure(config::log_settings(options.configuration.logging));
    for (const auto& warning : options.warnings)
        log::warning(warning);
}

} // namespace

config::Options complete_options(const Invocation& call) {
    auto options = config::complete(call.flags);
    if (!options) throw std::runtime_error{options.error().text};
    set_up_log(*options);
    return *std::move(options);
}

config::Options daemon_options(const config::Flags& flags) {
    auto options = config::merge(flags);
    if (!options) throw std::runtime_error{options.error().text};
    set_up_log(*options);
    log::info("Version info", {{"version", config::git_version}});
    for (const auto& [name, value] : config::flag_values(flags))
        log::plain(1, "FLAG: --" + name + '=' + log::quoted(value));
    if (const auto problem = config::judge(*options)) throw std::runtime_error{problem->text};
    return *std::move(options);
}

void warn_contests(sync::Cluster& cluster) {
    sync::LogObserver observer;
    for (const auto& contest : cluster.take_contests())
        observer.contested(contest);
}

} // namespace ipvsproxy::cli
