// A limit on how long something may take.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <exception>

namespace ipvsproxy::https {

/// The result of `work`, which is cancelled when it takes longer than `limit`.
/// @throws boost::system::system_error timed_out then; whatever `work` throws otherwise.
template <class T>
boost::asio::awaitable<T> within(std::chrono::nanoseconds limit, boost::asio::awaitable<T> work) {
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer{executor, limit};
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(work), asio::deferred),
        timer.async_wait(asio::deferred));
    auto [order, failure, result, waited] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    // Both may have come to their end in the same turn: what was done in time counts. A timer that
    // was cancelled first is somebody's who waits for us no more.
    if (failure && order[0] != 0 && !waited)
        throw boost::system::system_error{asio::error::timed_out};
    if (failure) std::rethrow_exception(failure);
    co_return std::move(result);
}

inline boost::asio::awaitable<void> within(std::chrono::nanoseconds limit,
                                           boost::asio::awaitable<void> work) {
    const auto with_value = [](boost::asio::awaitable<void> inner) -> boost::asio::awaitable<bool> {
        co_await std::move(inner);
        co_return true;
    };
    (void)co_await within(limit, with_value(std::move(work)));
}

} // namespace ipvsproxy::https
