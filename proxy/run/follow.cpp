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
using Clock = std::chrono::steady_clock;
using Tell = std::function<void(const files::Changed&)>;

/// How often to look where not everything can be watched.
constexpr std::chrono::seconds look_period{30};

/// @param deadline max(): nothing to wake up for but events
/// @return whether there are any; otherwise the deadline has come.
asio::awaitable<bool> wait_for_events(asio::posix::stream_descriptor& descriptor,
                                      asio::steady_timer& timer, Clock::time_point deadline) {
    if (deadline == Clock::time_point::max()) {
        co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::use_awaitable);
        co_return true;
    }
    using namespace asio::experimental::awaitable_operators;
    timer.expires_at(deadline);
    auto events =
        descriptor.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    auto time = timer.async_wait(asio::use_awaitable);
    auto first = std::move(events) || std::move(time);
    const auto which = co_await std::move(first);
    co_return which.index() == 0;
}

} // namespace

asio::awaitable<void> follow(files::Watch& watch, const Tell& tell) {
    const auto executor = co_await asio::this_coro::executor;
    // A descriptor of its own: the watch stays its owner's, however this coroutine ends.
    asio::posix::stream_descriptor descriptor{executor, ::dup(watch.fd())};
    asio::steady_timer timer{executor};
    auto next_look = Clock::now() + look_period;
    for (;;) {
        const auto deadline = watch.complete() ? Clock::time_point::max() : next_look;
        const bool events = co_await wait_for_events(descriptor, timer, deadline);
        if (!events) {
            next_look = Clock::now() + look_period;
            tell({.everything = true});
            continue;
        }
        timer.expires_after(files::settle);
        co_await timer.async_wait(asio::use_awaitable);
        const auto changed = watch.read();
        if (changed.any()) tell(changed);
    }
}

} // namespace ipvsproxy::run
