// The sleep of the loop, and what ends it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace ipvsproxy::sync {

/// Sleeps until it is rung or a moment has come; many rings are one. Used on one thread.
class Bell {
public:
    explicit Bell(const boost::asio::any_io_executor& executor) : timer_{executor} {}
    /// Ends the wait that is under way, or the next one at once.
    void ring();
    /// @param until `time_point::max()`: until it is rung.
    boost::asio::awaitable<void> wait(std::chrono::steady_clock::time_point until);

private:
    boost::asio::steady_timer timer_;
    bool rung_{};
};

} // namespace ipvsproxy::sync
