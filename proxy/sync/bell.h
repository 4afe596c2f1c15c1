// The sleep of the loop, and what ends it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

namespace ipvsproxy::sync {

/// Sleeps until it is rung or a moment has come; many rings are one. Used on one thread.
class Bell {
public:
    using Moment = std::chrono::steady_clock::time_point;

    explicit Bell(const boost::asio::any_io_executor& executor)
        : rings_{std::make_shared<Rings>(executor)}, timer_{executor} {}
    /// Ends the wait that is under way, or the next one at once.
    void ring();
    /// May also end without a cause, when the moment of an earlier wait has come.
    /// @param until `Moment::max()`: until it is rung.
    boost::asio::awaitable<void> wait(Moment until);
    /// Nobody waits any more: nothing of it keeps an io_context at work.
    void rest() { set_timer(Moment::max()); }

private:
    /// A ring that nobody has heard waits in its channel, which has room for one.
    struct Rings {
        explicit Rings(const boost::asio::any_io_executor& executor) : channel{executor, 1} {}
        boost::asio::experimental::channel<void(boost::system::error_code)> channel;
        Moment due{Moment::max()}; ///< when the timer rings
    };
    void set_timer(Moment until);

    std::shared_ptr<Rings> rings_; ///< the timer's too, which may have gone off when the bell ends
    boost::asio::steady_timer timer_;
};

} // namespace ipvsproxy::sync
