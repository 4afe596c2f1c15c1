#include "proxy/run/api_source.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <stdexcept>
#include <utility>

#include "proxy/api/media_type.h"
#include "proxy/config/node_ips.h"
#include "proxy/log/log.h"
#include "proxy/run/chance.h"
#include "proxy/sync/bell.h"

namespace ipvsproxy::run {

namespace asio = boost::asio;
// NOLINTNEXTLINE(misc-unused-using-decls): clang 14 does not see it used in a coroutine
using asio::experimental::awaitable_operators::operator||;
using Clock = std::chrono::steady_clock;

namespace {

/// How often to look whether the server has answered at all.
constexpr std::chrono::seconds answer_period{1};

/// Where the objects are, and whose node this is: with another answer nothing known counts. And in
/// which form they are asked for, which a source keeps as long as it lives.
struct Origin {
    std::string kubeconfig{}, master{}, node_name{}, accept{};
    friend bool operator==(const Origin&, const Origin&) = default;
};

std::string accept_of(const config::Options& options) {
    const auto& connection = options.configuration.client_connection;
    return api::accepted(connection.accept_content_types, connection.content_type);
}

Origin origin_of(const config::Options& options) {
    return {options.configuration.client_connection.kubeconfig, options.master, options.node_name,
            accept_of(options)};
}

bool needs_pod_cidrs(const config::Options& options) {
    return options.parsed.local_mode == config::LocalMode::node_cidr;
}

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

/// What is known of an origin, and who is told of it.
struct ApiSource::Known final : private ApiLog {
    explicit Known(Origin from)
        : origin{std::move(from)}, source{store, origin.node_name, api::Pace{}, chance(),
                                          *this, origin.accept} {}

    const model::Node* node() const { return store.node(origin.node_name); }
    /// Returns when all that these options need of the Node is known, or when there has been time
    /// enough, once.
    asio::awaitable<void> has_node(const config::Options& options, const Patience& patience);
    /// Returns when both lists are complete too.
    asio::awaitable<void> has_all(const config::Options& options, const Patience& patience);
    /// Whom it told before is gone.
    void tell_nobody() {
        listener = nullptr;
        bell_ = nullptr;
    }

    Origin origin;
    model::Store store{};
    api::Source source;
    Listener* listener{}; ///< once a life follows it

private:
    bool satisfies(const config::Options& options) const {
        return node() != nullptr && !config::raw_node_ips(*node()).empty() &&
               (!needs_pod_cidrs(options) || !node()->pod_cidrs.empty());
    }
    void changed() override {
        if (bell_ != nullptr) bell_->ring();
        if (listener != nullptr) listener->changed();
    }
    void complete() override {
        if (bell_ != nullptr) bell_->ring();
        if (listener != nullptr) listener->complete();
    }

    sync::Bell* bell_{};                  ///< of who waits for what it brings
    std::chrono::nanoseconds waited_{-1}; ///< for the Node, and in vain
};

asio::awaitable<void> ApiSource::Known::has_node(const config::Options& options,
                                                 const Patience& patience) {
    sync::Bell own{co_await asio::this_coro::executor};
    bell_ = &own;
    const auto length = patience.node + (needs_pod_cidrs(options) ? patience.pod_cidrs
                                                                  : std::chrono::nanoseconds{});
    std::optional<Clock::time_point> end;
    while (!satisfies(options) && waited_ < length) {
        const auto now = Clock::now();
        if (!end && source.answered()) end = now + length;
        if (end && now >= *end) waited_ = length;
        else
            co_await own.wait(
                std::min(now + answer_period, end.value_or(Clock::time_point::max())));
    }
    bell_ = nullptr;
}

asio::awaitable<void> ApiSource::Known::has_all(const config::Options& options,
                                                const Patience& patience) {
    sync::Bell own{co_await asio::this_coro::executor};
    bell_ = &own;
    while (!source.complete())
        co_await own.wait(Clock::time_point::max());
    co_await has_node(options, patience);
}

ApiSource::ApiSource(Connect connect) : ApiSource{std::move(connect), Patience{}} {}

ApiSource::ApiSource(Connect connect, Patience patience)
    : connect_{std::move(connect)}, patience_{patience} {}

ApiSource::~ApiSource() = default;

void ApiSource::begin(const config::Options& options, api::ClientObserver& requests) {
    options_ = &options;
    requests_ = &requests;
    auto origin = origin_of(options);
    const auto is_of = [&](const auto& known) { return known && known->origin == origin; };
    if (!is_of(known_)) {
        auto found = is_of(next_)       ? std::move(next_)
                     : is_of(previous_) ? std::move(previous_)
                                        : std::make_unique<Known>(std::move(origin));
        previous_ = std::exchange(known_, std::move(found));
    }
    next_.reset();
    known_->tell_nobody(); // whom it told before is gone
}

model::Store& ApiSource::store() {
    return known_->store;
}

asio::awaitable<void> ApiSource::find_node() {
    const auto executor = co_await asio::this_coro::executor;
    const auto client = connect_(*options_, executor, requests_);
    auto either = known_->source.follow_node(*client) || known_->has_node(*options_, patience_);
    co_await std::move(either);
    const auto* node = known_->node();
    const auto& name = options_->node_name;
    if (needs_pod_cidrs(*options_) && node == nullptr)
        throw std::runtime_error{"timeout waiting for node \"" + name + "\" to exist"};
    if (needs_pod_cidrs(*options_) && node->pod_cidrs.empty())
        throw std::runtime_error{"timeout waiting for PodCIDR allocation on node \"" + name + '"'};
    if (node == nullptr || config::raw_node_ips(*node).empty())
        log::error("The Node has no address after the time it is given; going by this host's own",
                   {{"node", name}, {"exists", node != nullptr}});
}

asio::awaitable<void> ApiSource::follow(Listener& listener) {
    const auto executor = co_await asio::this_coro::executor;
    const auto client = connect_(*options_, executor, requests_);
    previous_.reset();
    known_->listener = &listener;
    if (known_->source.complete()) listener.complete(); // a life before has seen it
    co_await known_->source.follow(*client);
}

asio::awaitable<void> ApiSource::prepare(config::Options options) {
    const auto client = co_await way_to(options);
    auto origin = origin_of(options);
    if (origin == known_->origin || !known_->source.complete()) co_return;
    log::info("Another API server, Node or content type is configured; all goes on as before until "
              "it is listed",
              {{"kubeconfig", origin.kubeconfig}, {"node", origin.node_name}});
    auto found = std::make_unique<Known>(std::move(origin));
    auto either = found->source.follow(*client) || found->has_all(options, patience_);
    co_await std::move(either);
    next_ = std::move(found);
}

/// What it says may be written a moment later than where it is said to be.
asio::awaitable<std::unique_ptr<api::Client>> ApiSource::way_to(config::Options options) {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer{executor};
    for (std::string told;;) {
        std::string problem;
        try {
            co_return connect_(options, executor, requests_);
        } catch (const std::exception& error) {
            problem = error.what();
        }
        if (std::exchange(told, problem) != problem)
            log::error("The configuration has changed and names no way to the API server; going on "
                       "as before until there is one",
                       {{"err", problem}});
        timer.expires_after(patience_.credentials);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

std::unique_ptr<api::Client> ApiSource::reporting_client(const asio::any_io_executor& executor) {
    return connect_(*options_, executor, requests_);
}

std::uint64_t ApiSource::lists() const noexcept {
    return known_->source.lists();
}

std::uint64_t ApiSource::relists() const {
    return lists() - std::min(lists(), known_->source.collections());
}

Listed list_once(const config::Options& options, const Connect& connect) {
    asio::io_context io{1};
    Listed listed;
    ApiLog log;
    api::Source source{listed.store, options.node_name, api::Pace{}, chance(),
                       log,          accept_of(options)};
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
