#include "proxy/run/life.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <unistd.h>
#include <utility>

#include "proxy/log/log.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::run {

namespace asio = boost::asio;

Life::Life(const config::Options& options, Source& source, Signals& signals)
    : options_{options}, source_{source}, signals_{signals}, kernel_{sync::open_kernel(options)} {
    log::info("Writing iptables rules", {{"backend", iptables::name(kernel_->backend().backend)},
                                         {"reason", kernel_->backend().reason}});
    sync::prepare(*kernel_, options);
    observers_.add(log_);
}

void Life::live() {
    spawn(follow_signals());
    asio::co_spawn(io_, begin(), [this](std::exception_ptr error) {
        if (error) failure_ = error;
        io_.stop(); // what still waits has nothing left to do
    });
    io_.run();
    if (failure_) std::rethrow_exception(failure_);
}

asio::awaitable<void> Life::begin() {
    co_await source_.find_node();
    auto& store = source_.store();
    cluster_ = sync::make_cluster(options_, store, kernel_.get(), {}, sync::Complaints::errors);
    store.take_node_changed();
    const auto& ipvs = options_.configuration.ipvs;
    const sync::Pace pace{ipvs.min_sync_period, ipvs.sync_period};
    daemon_.emplace(io_, *cluster_, kernel_->tables(), &events_, pace, observers_);
    spawn(source_.follow(*this));
    co_await daemon_->run();
}

asio::awaitable<void> Life::follow_signals() {
    const auto executor = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor descriptor{executor, ::dup(signals_.fd())};
    for (;;) {
        co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::use_awaitable);
        const auto signal = signals_.take();
        if (!signal) continue;
        if (*signal == SIGHUP) {
            log::info("Reading all files again", {{"signal", *signal}});
            source_.read_again(*this);
        } else {
            log::info("Stopping; the kernel's state stays as it is", {{"signal", *signal}});
            end();
        }
    }
}

/// One part that fails ends them all.
void Life::spawn(asio::awaitable<void> part) {
    asio::co_spawn(io_, std::move(part), [this](std::exception_ptr error) {
        if (!error) return;
        if (!failure_) failure_ = error;
        end();
    });
}

/// After the round that is under way, if there is one.
void Life::end() {
    if (daemon_) daemon_->stop();
    else io_.stop();
}

void Life::changed() {
    if (!daemon_) return;
    if (source_.store().take_node_changed()) sync::take_node(*cluster_, options_, source_.store());
    daemon_->ring();
}

void Life::complete() {
    if (daemon_) daemon_->inputs_complete();
}

} // namespace ipvsproxy::run
