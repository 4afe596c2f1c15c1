// ipvsproxy run: the daemon.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstring>
#include <exception>
#include <fstream>
#include <malloc.h>
#include <stdexcept>

#include "proxy/cli/command.h"
#include "proxy/cli/session.h"
#include "proxy/config/write.h"
#include "proxy/files/watch.h"
#include "proxy/log/log.h"
#include "proxy/sync/daemon.h"
#include "proxy/sync/log_observer.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::cli {
namespace {

namespace asio = boost::asio;

/// What the coroutines of one run share; outlives them all.
struct Run {
    const config::Options& options;
    Input& input;
    files::Watch& watch;
    sync::Daemon& daemon;
    bool begun{}; ///< every input has been read once
};

/// What a file asks for is not known before it can be read; until then the node stays as it is.
void begin_when_read(Run& run) {
    if (run.begun) return;
    const auto unread = run.input.source.unread();
    run.begun = unread == 0;
    if (run.begun) run.daemon.inputs_complete();
    else log::error("Nothing is written until every input has been read", {{"unread", unread}});
}

/// Takes the files' changes into the store and rings. A burst of events is one change.
void refresh(Run& run, const files::Changed& changed) {
    run.input.source.refresh(changed);
    begin_when_read(run);
    if (run.input.store.take_node_changed())
        sync::take_node(run.daemon.cluster(), run.options, run.input.store);
    run.daemon.ring();
}

asio::awaitable<void> follow_files(Run& run) {
    const auto executor = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor descriptor{executor, run.watch.fd()};
    asio::steady_timer timer{executor};
    for (;;) {
        boost::system::error_code error;
        co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::redirect_error(asio::use_awaitable, error));
        if (error) break;
        timer.expires_after(files::settle);
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        const auto changed = run.watch.read();
        if (changed.any()) refresh(run, changed);
    }
    descriptor.release(); // the watch closes it
}

/// Where not everything can be watched, looking from time to time has to do.
asio::awaitable<void> look_from_time_to_time(Run& run) {
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (;;) {
        timer.expires_after(run.options.configuration.ipvs.sync_period);
        co_await timer.async_wait(asio::use_awaitable);
        if (!run.watch.complete()) refresh(run, {.everything = true});
    }
}

asio::awaitable<void> follow_signals(Run& run) {
    asio::signal_set signals{co_await asio::this_coro::executor, SIGTERM, SIGINT, SIGHUP};
    for (;;) {
        const int signal = co_await signals.async_wait(asio::use_awaitable);
        if (signal != SIGHUP) {
            log::info("Stopping; the kernel's state stays as it is", {{"signal", signal}});
            run.daemon.stop();
            co_return;
        }
        log::info("Reading all files again", {{"signal", signal}});
        refresh(run, {.everything = true});
    }
}

/// --write-config-to
int write_configuration(const config::Options& options) {
    std::ofstream out{options.write_config_to, std::ios::trunc};
    if (!(out << config::to_yaml(options.configuration)) || !out.flush())
        throw std::runtime_error{"--write-config-to " + options.write_config_to +
                                 ": cannot be written: " + std::strerror(errno)};
    return exit_success;
}

/// --init-only: what needs more rights than the daemon itself.
int initialise(const config::Options& options) {
    const auto kernel = open_kernel(options);
    const auto switches = sync::prepare(*kernel, options);
    log::info("The kernel is prepared", {{"switchesSet", switches}});
    return exit_success;
}

} // namespace

int run(const Invocation& call) {
    const auto options = complete_options(call);
    // In kube-proxy's order, where several are given.
    if (!options.write_config_to.empty()) return write_configuration(options);
    if (options.cleanup) return cleanup(call);
    if (options.init_only) return initialise(options);
    mallopt(M_ARENA_MAX, 1); // two threads that take turns need no heap each
    const auto where = input_paths(call);
    files::Watch watch{where}; // before the files are read, so that no change is missed
    Input input{where};
    const auto kernel = open_kernel(options);
    log::info("Writing iptables rules", {{"backend", iptables::name(kernel->backend().backend)},
                                         {"reason", kernel->backend().reason}});
    sync::prepare(*kernel, options);
    AddressEvents events; // before the interfaces are read, likewise
    const auto cluster =
        make_cluster(options, input.store, kernel.get(), {}, sync::Complaints::errors);
    input.store.take_node_changed();

    asio::io_context io{1};
    sync::LogObserver observer;
    const auto& ipvs = options.configuration.ipvs;
    sync::Daemon daemon{
        io,      *cluster, kernel->tables(), &events, {ipvs.min_sync_period, ipvs.sync_period},
        observer};
    Run shared{options, input, watch, daemon};
    std::exception_ptr failure;
    asio::co_spawn(io, daemon.run(), [&](std::exception_ptr error) {
        failure = error;
        io.stop();
    });
    const auto fails = [&](std::exception_ptr error) {
        if (!error) return;
        failure = error;
        daemon.stop();
    };
    asio::co_spawn(io, follow_signals(shared), fails);
    asio::co_spawn(io, follow_files(shared), fails);
    asio::co_spawn(io, look_from_time_to_time(shared), fails);
    begin_when_read(shared);
    io.run();
    if (failure) std::rethrow_exception(failure);
    return exit_success;
}

} // namespace ipvsproxy::cli
