#include "proxy/run/follow.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>
#include <utility>

#include "proxy/files/source.h"

namespace ipvsproxy::run {
namespace {

namespace asio = boost::asio;
using Tell = std::function<void(const files::Changed&)>;

/// How often to look where not everything can be watched.
constexpr std::chrono::seconds look_period{30};

asio::awaitable<void> wait_for_events(files::Watch& watch, const Tell& tell) {
    const auto executor = co_await asio::this_coro::executor;
    // A descriptor of its own: the watch stays its owner's, however this coroutine ends.
    asio::posix::stream_descriptor descriptor{executor, ::dup(watch.fd())};
    asio::steady_timer timer{executor};
    for (;;) {
        co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::use_awaitable);
        timer.expires_after(files::settle);
        co_await timer.async_wait(asio::use_awaitable);
        const auto changed = watch.read();
        if (changed.any()) tell(changed);
    }
}

asio::awaitable<void> look_from_time_to_time(files::Watch& watch, const Tell& tell) {
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (;;) {
        timer.expires_after(look_period);
        co_await timer.async_wait(asio::use_awaitable);
        if (!watch.complete()) tell({.everything = true});
    }
}

} // namespace

asio::awaitable<void> follow(files::Watch& watch, const Tell& tell) {
    using namespace asio::experimental::awaitable_operators;
    auto both = wait_for_events(watch, tell) && look_from_time_to_time(watch, tell);
    co_await std::move(both);
}

} // namespace ipvsproxy::run
