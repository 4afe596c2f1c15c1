#include "proxy/run/api_source.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <stdexcept>

#include "proxy/config/node_ips.h"
#include "proxy/log/log.h"
#include "proxy/run/chance.h"

namespace ipvsproxy::run {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {

/// How often to look whether the server has answered at all.
constexpr std::chrono::seconds answer_period{1};

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

ApiSource::Known::Known(Origin from, api::SourceListener& listener)
    : origin{std::move(from)}, source{store, origin.node_name, api::Pace{}, chance(), listener} {}

ApiSource::ApiSource(Connect connect) : ApiSource{std::move(connect), Patience{}} {}

ApiSource::ApiSource(Connect connect, Patience patience)
    : connect_{std::move(connect)}, patience_{patience} {}

void ApiSource::begin(const config::Options& options, api::ClientObserver& requests) {
    options_ = &options;
    requests_ = &requests;
    listener_ = nullptr; // what a life before had is gone
    bell_ = nullptr;
    Origin origin{options.configuration.client_connection.kubeconfig, options.master,
                  options.node_name};
    api::SourceListener& told = *this;
    if (!known_ || known_->origin != origin) known_.emplace(std::move(origin), told);
}

asio::awaitable<void> ApiSource::find_node() {
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    const auto client = connect_(*options_, executor, requests_);
    sync::Bell bell{executor};
    bell_ = &bell;
    auto either = known_->source.follow_node(*client) || node_is_known(bell);
    co_await std::move(either);
    bell_ = nullptr;
    const auto& name = options_->node_name;
    if (needs_pod_cidrs() && node() == nullptr)
        throw std::runtime_error{"timeout waiting for node \"" + name + "\" to exist"};
    if (needs_pod_cidrs() && !node_has_pod_cidrs())
        throw std::runtime_error{"timeout waiting for PodCIDR allocation on node \"" + name + '"'};
    if (!node_has_address())
        log::error("The Node has no address after the time it is given; going by this host's own",
                   {{"node", name}, {"exists", node() != nullptr}});
}

/// Returns when it is, or when there has been time enough.
asio::awaitable<void> ApiSource::node_is_known(sync::Bell& bell) {
    const auto length =
        patience_.node + (needs_pod_cidrs() ? patience_.pod_cidrs : Clock::duration{});
    std::optional<Clock::time_point> end;
    for (;;) {
        if (node_has_address() && (!needs_pod_cidrs() || node_has_pod_cidrs())) co_return;
        const auto now = Clock::now();
        if (!end && known_->source.answered()) end = now + length;
        if (end && now >= *end) co_return;
        co_await bell.wait(std::min(now + answer_period, end.value_or(Clock::time_point::max())));
    }
}

bool ApiSource::needs_pod_cidrs() const {
    return options_->parsed.local_mode == config::LocalMode::node_cidr;
}

const model::Node* ApiSource::node() const {
    return known_->store.node(options_->node_name);
}

bool ApiSource::node_has_address() const {
    return node() != nullptr && !config::raw_node_ips(*node()).empty();
}

bool ApiSource::node_has_pod_cidrs() const {
    return node() != nullptr && !node()->pod_cidrs.empty();
}

asio::awaitable<void> ApiSource::follow(Listener& listener) {
    const auto executor = co_await asio::this_coro::executor;
    const auto client = connect_(*options_, executor, requests_);
    bell_ = nullptr;
    listener_ = &listener;
    if (known_->source.complete()) listener.complete(); // a life before has seen it
    co_await known_->source.follow(*client);
}

std::unique_ptr<api::Client> ApiSource::reporting_client(const asio::any_io_executor& executor) {
    return connect_(*options_, executor, requests_);
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
    const auto client = connect(options, io.get_executor(), nullptr);
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
