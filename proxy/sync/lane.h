// Blocking work on a thread of its own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

namespace ipvsproxy::sync {

/// Runs blocking work on the one thread of `lane` and comes back with its value, or with what it
/// throws. What it captures must need no destructor: g++ 12 runs that of a temporary in a co_await
/// expression twice.
template <class Work> boost::asio::awaitable<std::invoke_result_t<Work>>
in_lane(boost::asio::thread_pool& lane, Work work) {
    static_assert(std::is_trivially_destructible_v<Work>);
    co_return co_await boost::asio::co_spawn(
        lane,
        [](Work job) -> boost::asio::awaitable<std::invoke_result_t<Work>> {
            co_return job();
        }(std::move(work)),
        boost::asio::use_awaitable);
}

} // namespace ipvsproxy::sync
