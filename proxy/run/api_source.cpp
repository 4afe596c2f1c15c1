#include "proxy/run/api_source.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <random>
#include <stdexcept>

#include "proxy/config/node_ips.h"
#include "proxy/log/log.h"

namespace ipvsproxy::run {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {

/// Numbers from 0 to 1, others on every node.
std::function<double()> chance() {
    return [engine = std::mt19937_64{std::random_device{}()}]() mutable {
        return std::uniform_real_distribution<double>{0, 1}(engine);
    };
}

/// How often to look whether the server has answered at all.
constexpr std::chrono::seconds look_period{1};

} // namespace

void ApiLog::listed(const api::Resource& resource) {
    log::verbose(2, "Listed", {{"resource", resource.name}});
}

void ApiLog::odd(const api::Oddity& oddity) {
    if (oddity.refused)
        log::error("An object was refused; what it was before counts on",
                   {{"object", oddity.text}});
    else log::warning("Something in an object is passed over", {{"object", oddity.text}});
}

void ApiLog::troubled(const api::Trouble& trouble) {
    log::error("The API cannot be followed; the node stays as it is known to be wanted",
               {{"object", trouble.object}, {"err", trouble.cause}, {"remedy", trouble.remedy}});
}

void ApiLog::recovered(const api::Trouble& trouble) {
    log::info("The API is followed again", {{"object", trouble.object}, {"was", trouble.cause}});
}

ApiSource::ApiSource(const config::Options& options, Connect connect)
    : ApiSource{options, std::move(connect), Patience{}} {}

ApiSource::ApiSource(const config::Options& options, Connect connect, Patience patience)
    : node_name_{options.node_name}, needs_pod_cidrs_{options.parsed.local_mode ==
                                                      config::LocalMode::node_cidr},
      connect_{std::move(connect)}, patience_{patience}, source_{store_, node_name_, api::Pace{},
                                                                 chance(), *this} {}

asio::awaitable<void> ApiSource::find_node() {
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    const auto client = connect_(executor);
    sync::Bell bell{executor};
    listener_ = nullptr; // that of a life before is gone
    bell_ = &bell;
    auto either = source_.follow_node(*client) || node_is_known(bell);
    co_await std::move(either);
    bell_ = nullptr;
    if (needs_pod_cidrs_ && store_.node(node_name_) == nullptr)
        throw std::runtime_error{"timeout waiting for node \"" + node_name_ + "\" to exist"};
    if (needs_pod_cidrs_ && !node_has_pod_cidrs())
        throw std::runtime_error{"timeout waiting for PodCIDR allocation on node \"" + node_name_ +
                                 '"'};
    if (!node_has_address())
        log::error("The Node has no address after the time it is given; going by this host's own",
                   {{"node", node_name_}, {"exists", store_.node(node_name_) != nullptr}});
}

/// Returns when it is, or when there has been time enough.
asio::awaitable<void> ApiSource::node_is_known(sync::Bell& bell) {
    const auto length =
        patience_.node + (needs_pod_cidrs_ ? patience_.pod_cidrs : Clock::duration{});
    std::optional<Clock::time_point> end;
    for (;;) {
        if (node_has_address() && (!needs_pod_cidrs_ || node_has_pod_cidrs())) co_return;
        const auto now = Clock::now();
        if (!end && source_.answered()) end = now + length;
        if (end && now >= *end) co_return;
        co_await bell.wait(std::min(now + look_period, end.value_or(Clock::time_point::max())));
    }
}

bool ApiSource::node_has_address() const {
    const auto* node = store_.node(node_name_);
    return node != nullptr && !config::raw_node_ips(*node).empty();
}

bool ApiSource::node_has_pod_cidrs() const {
    const auto* node = store_.node(node_name_);
    return node != nullptr && !node->pod_cidrs.empty();
}

asio::awaitable<void> ApiSource::follow(Listener& listener) {
    const auto client = connect_(co_await asio::this_coro::executor);
    bell_ = nullptr;
    listener_ = &listener;
    if (source_.complete()) listener.complete(); // a life before has seen it
    co_await source_.follow(*client);
}

void ApiSource::changed() {
    if (bell_ != nullptr) bell_->ring();
    if (listener_ != nullptr) listener_->changed();
}

void ApiSource::complete() {
    if (listener_ != nullptr) listener_->complete();
}

Listed list_once(const config::Options& options, const Connect& connect) {
    asio::io_context io{1};
    Listed listed;
    ApiLog log;
    api::Source source{listed.store, options.node_name, api::Pace{}, chance(), log};
    const auto client = connect(io.get_executor());
    std::exception_ptr failure;
    asio::co_spawn(io, source.list(*client), [&](const std::exception_ptr& error) {
        failure = error;
        io.stop(); // connections that are kept have nothing left to do
    });
    io.run();
    if (failure) std::rethrow_exception(failure);
    listed.refused = source.refused();
    return listed;
}

} // namespace ipvsproxy::run
