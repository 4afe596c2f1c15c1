#include "proxy/run/life.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <functional>
#include <stdexcept>
#include <unistd.h>
#include <utility>

#include "proxy/log/log.h"
#include "proxy/run/follow.h"
#include "proxy/run/process.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::run {

namespace asio = boost::asio;
namespace {

/// For requests that have begun when a signal ends the life.
constexpr std::chrono::seconds last_answers{2};

PerFamily<bool> enabled_families(sync::RealKernel& kernel) {
    const auto& rules = kernel.tables().rules;
    return {rules.v4 != nullptr, rules.v6 != nullptr};
}

serve::Serving::Setting setting(const config::Options& options, sync::RealKernel& kernel,
                                const Source& source) {
    return {options, enabled_families(kernel), [&kernel] { return kernel.cost(); },
            [&source] { return source.relists(); }};
}

/// All addresses of the node, as they are now; nothing when they cannot be read.
std::optional<std::vector<Address>> addresses_of(Device& device) {
    try {
        const auto state = device.snapshot();
        std::vector<Address> all;
        for (const auto& [key, spec] : state.addresses)
            all.push_back(key.address);
        for (const auto& each : state.elsewhere)
            all.push_back(each.address);
        return all;
    } catch (const std::exception& error) {
        log::error("The node's addresses cannot be read; health checks listen on all",
                   {{"err", error.what()}});
        return {};
    }
}

bool local_by_node(const config::Options& options) {
    return options.parsed.local_mode == config::LocalMode::node_cidr;
}

} // namespace

Life::Life(Settings& settings, Source& source, Signals& signals)
    : settings_{settings}, options_{settings.options()}, source_{source}, signals_{signals},
      kernel_{sync::open_kernel(options_)}, reporter_{options_.node_name},
      serving_{io_, setting(options_, *kernel_, source_), reporter_} {
    log::info("Writing iptables rules", {{"backend", iptables::name(kernel_->backend().backend)},
                                         {"reason", kernel_->backend().reason}});
    observers_.add(log_);
    takeover_.emplace(kernel_->backend().backend, enabled_families(*kernel_),
                      [this] { return rules_stand(); });
    observers_.add(*takeover_);
    serving_.observe(observers_);
    source_.begin(options_, serving_.client_observer());
    reporter_.report_to(io_.get_executor(), source_.reporting_client(io_.get_executor()));
}

Ending Life::live() {
    spawn(follow_signals());
    if (settings_.watch() != nullptr) spawn(follow_settings());
    spawn(renew());
    spawn(set_oom_score(options_.configuration.oom_score_adj));
    spawn(reporter_.run());
    asio::co_spawn(io_, begin(), [this](const std::exception_ptr& error) {
        if (error) failure_ = error;
        leave();
    });
    io_.run();
    if (failure_) std::rethrow_exception(failure_);
    return ending_.value_or(Ending::stopped);
}

asio::awaitable<void> Life::begin() {
    spawn(serving_.listen(serve::Listener::health));
    spawn(serving_.listen(serve::Listener::metrics));
    co_await source_.find_node();
    if (leaving_) co_return;
    auto& store = source_.store();
    sync::require_pod_cidrs(options_, store);
    if (const auto* node = store.node(options_.node_name)) pod_cidrs_ = node->pod_cidrs;
    sync::prepare(*kernel_, options_); // nothing is set for a Node that cannot be kept
    cluster_ = sync::make_cluster(options_, store, kernel_.get(), {}, sync::Complaints::errors);
    store.take_node_changed();
    serving_.attach(*cluster_, addresses_of(kernel_->tables().device));
    serve_node();
    const auto& ipvs = options_.configuration.ipvs;
    const sync::Pace pace{ipvs.min_sync_period, ipvs.sync_period};
    daemon_.emplace(io_, *cluster_, kernel_->tables_with_readers(), &events_, pace, observers_);
    settings_.prove();
    spawn(source_.follow(*this));
    reporter_.starting();
    co_await daemon_->run();
    co_await serving_.close(last_answers);
}

void Life::serve_node() {
    serving_.take_node(source_.store().node(options_.node_name));
    if (source_.node_is_optional()) serving_.do_without_node();
}

asio::awaitable<void> Life::follow_signals() {
    const auto executor = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor descriptor{executor, ::dup(signals_.fd())};
    for (;;) {
        co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::use_awaitable);
        while (const auto signal = signals_.take())
            take(*signal);
    }
}

void Life::take(int signal) {
    if (signal != SIGHUP) {
        log::info("Stopping; the kernel's state stays as it is", {{"signal", signal}});
        ending_ = Ending::stopped;
        end();
        return;
    }
    log::info("Reading all files again", {{"signal", signal}});
    look_at_settings();
    source_.read_again(*this);
}

/// Whether the kernel is believed to hold all of our rules.
bool Life::rules_stand() {
    const auto left = cluster_->state().changes();
    return std::ranges::all_of(families, [&](Family family) { return left.rules[family].empty(); });
}

asio::awaitable<void> Life::follow_settings() {
    const std::function<void(const files::Changed&)> tell = [this](const files::Changed&) {
        look_at_settings();
    };
    co_await follow(*settings_.watch(), tell);
}

void Life::look_at_settings() {
    if (ending_) return;
    settings_.look();
    ++looks_;
    settings_changed_.ring();
}

/// Ends the life as soon as there are other options, and the source is ready for them. What is
/// found in the meantime takes their place.
asio::awaitable<void> Life::renew() {
    using asio::experimental::awaitable_operators::operator||;
    for (bool ready = false; !ready;) {
        const auto* next = settings_.next();
        if (next == nullptr) {
            co_await settings_changed_.wait(plan::Moment::max());
            continue;
        }
        const auto look = looks_;
        auto either = source_.prepare(*next) || settings_changed_.wait(plan::Moment::max());
        const auto first = co_await std::move(either);
        ready = first.index() == 0 && look == looks_;
    }
    log::info("The configuration has changed; starting anew with it",
              {{"file", options_.config_file}});
    ending_ = Ending::renewed;
    end();
}

/// One part that fails ends them all.
void Life::spawn(asio::awaitable<void> part) {
    asio::co_spawn(io_, std::move(part), [this](const std::exception_ptr& error) {
        if (error) fail(error);
    });
}

void Life::fail(std::exception_ptr error) {
    if (!failure_) failure_ = std::move(error);
    end();
}

/// After the round that is under way, if there is one.
void Life::end() {
    if (daemon_) daemon_->stop();
    else leave();
}

/// What still waits has nothing left to do.
void Life::leave() {
    if (std::exchange(leaving_, true)) return;
    asio::co_spawn(io_, last_words(), [this](const std::exception_ptr&) { io_.stop(); });
}

/// An Event may tell why it ends; an API server that is away is not waited for.
asio::awaitable<void> Life::last_words() {
    if (failure_) co_await reporter_.last_words(last_answers);
}

void Life::changed() {
    if (!daemon_) return;
    if (source_.store().take_node_changed()) take_node();
    daemon_->ring();
}

/// A Node that goes leaves what was known of it. Rules and sets go by the podCIDRs of the start.
void Life::take_node() {
    sync::take_node(*cluster_, options_, source_.store());
    serve_node();
    const auto* node = source_.store().node(options_.node_name);
    if (node == nullptr || !local_by_node(options_) || node->pod_cidrs == pod_cidrs_) return;
    fail(std::make_exception_ptr(
        std::runtime_error{"the podCIDRs of node \"" + options_.node_name +
                           "\" have changed, which detectLocalMode NodeCIDR goes by: to be "
                           "started anew"}));
}

void Life::complete() {
    if (daemon_) daemon_->inputs_complete();
}

} // namespace ipvsproxy::run
