#include "proxy/run/settings.h"

#include <utility>

#include "proxy/config/log_settings.h"
#include "proxy/log/log.h"

namespace ipvsproxy::run {
namespace {

/// Whether a life with these differs from a life with those.
bool same(const config::Options& a, const config::Options& b) {
    return a.configuration == b.configuration && a.node_name == b.node_name;
}

bool same_but_for_the_log(const config::Options& a, config::Options b) {
    b.configuration.logging = a.configuration.logging;
    return same(a, b);
}

void set_up_log(const config::Options& options) {
    log::configure(config::log_settings(options.configuration.logging));
}

} // namespace

Settings::Settings(config::Options first, Read read)
    : options_{std::move(first)}, read_{std::move(read)} {
    if (!options_.config_file.empty()) watch_.emplace(files::Where{{options_.config_file}});
}

bool Settings::look() {
    auto read = read_();
    const auto problem = read ? std::string{} : read.error().text;
    if (std::exchange(told_, problem) != problem && !problem.empty())
        log::error("The configuration has changed and cannot be used; going on as before",
                   {{"err", problem}});
    next_.reset();
    if (!read || same(*read, options_) || (failed_ && same(*read, *failed_))) return false;
    for (const auto& warning : read->warnings)
        log::warning(warning);
    if (same_but_for_the_log(options_, *read)) {
        options_ = *std::move(read);
        set_up_log(options_);
        log::info("The log's settings have changed");
        return false;
    }
    next_ = *std::move(read);
    return true;
}

void Settings::advance() {
    if (!next_) return;
    previous_ = std::exchange(options_, *std::exchange(next_, std::nullopt));
    set_up_log(options_);
}

bool Settings::revert() {
    if (!previous_) return false;
    failed_ = std::exchange(options_, *std::exchange(previous_, std::nullopt));
    set_up_log(options_);
    return true;
}

} // namespace ipvsproxy::run
