// ipvsproxy run: the daemon.
#include <cerrno>
#include <fstream>
#include <malloc.h>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "proxy/cli/command.h"
#include "proxy/cli/failure.h"
#include "proxy/cli/objects.h"
#include "proxy/cli/session.h"
#include "proxy/config/write.h"
#include "proxy/iptables/legacy_tables.h"
#include "proxy/log/log.h"
#include "proxy/run/life.h"
#include "proxy/run/signals.h"

namespace ipvsproxy::cli {
namespace {

/// --write-config-to
int write_configuration(const config::Options& options) {
    std::ofstream out{options.write_config_to, std::ios::trunc};
    if (!(out << config::to_yaml(options.configuration)) || !out.flush())
        throw std::runtime_error{"--write-config-to " + options.write_config_to +
                                 ": cannot be written: " + std::generic_category().message(errno)};
    log::info("Wrote configuration", {{"file", options.write_config_to}});
    return exit_success;
}

/// The kernel loads by itself what is asked of it later, but for the legacy tables.
void load_modules_of(sync::RealKernel& kernel) {
    if (kernel.backend().backend != iptables::Backend::legacy) return;
    for (const auto family : families) {
        if (kernel.tables().rules[family] == nullptr) continue;
        if (const auto remedy = iptables::load_legacy_modules(family); !remedy.empty())
            throw std::runtime_error{"the legacy tables of iptables cannot be used: " + remedy};
    }
}

/// --init-only: what needs more rights than the daemon itself.
int initialise(const config::Options& options) {
    const auto kernel = sync::open_kernel(options);
    const auto switches = sync::prepare(*kernel, options);
    load_modules_of(*kernel);
    log::info("The kernel is prepared", {{"switchesSet", switches}});
    return exit_success;
}

/// One life after the other, each with the configuration as it is by then.
int live(const config::Options& options, const Invocation& call) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet
    mallopt(M_ARENA_MAX, 1); // threads that take turns need no heap each
    run::Signals signals;
    run::Settings settings{options, [&call] { return config::complete(call.flags); }};
    const auto source =
        open_source(call, options); // of all lives: standard input can be read only once
    for (;;) {
        try {
            if (run::Life{settings, *source, signals}.live() == run::Ending::stopped)
                return exit_success;
            settings.advance();
        } catch (const std::exception& error) {
            if (!settings.revert()) throw;
            log::error("With the new configuration the node cannot be kept; back to the one before",
                       {{"err", words(error)}});
        }
    }
}

} // namespace

int run(const config::Options& options, const Invocation& call) {
    // In kube-proxy's order, where several are given.
    if (!options.write_config_to.empty()) return write_configuration(options);
    if (options.cleanup) return clean_node(call.dry_run);
    if (options.init_only) return initialise(options);
    return live(options, call);
}

int run(const Invocation& call) {
    return run(daemon_options(call.flags), call);
}

} // namespace ipvsproxy::cli
