#include "proxy/sync/bell.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ipvsproxy::sync {

void Bell::ring() {
    rings_->channel.try_send(boost::system::error_code{});
}

/// What ends one wait is mostly a ring, and the next one is mostly for the same moment: the timer
/// goes on meanwhile, for setting it is a system call.
void Bell::set_timer(Moment until) {
    if (rings_->due == until) return;
    rings_->due = until;
    if (until == Moment::max()) {
        timer_.cancel();
        return;
    }
    timer_.expires_at(until);
    timer_.async_wait([rings = rings_, until](const boost::system::error_code& cancelled) {
        if (cancelled || rings->due != until) return;
        rings->due = Moment::max();
        rings->channel.try_send(boost::system::error_code{});
    });
}

boost::asio::awaitable<void> Bell::wait(Moment until) {
    set_timer(until);
    boost::system::error_code cancelled; // ends the wait too
    co_await rings_->channel.async_receive(
        boost::asio::redirect_error(boost::asio::use_awaitable, cancelled));
}

} // namespace ipvsproxy::sync
