#include "proxy/sync/bell.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace ipvsproxy::sync {

void Bell::ring() {
    rung_ = true;
    timer_.cancel();
}

boost::asio::awaitable<void> Bell::wait(std::chrono::steady_clock::time_point until) {
    if (!rung_) {
        boost::system::error_code cancelled; // a ring ends the wait like its end does
        timer_.expires_at(until);
        co_await timer_.async_wait(
            boost::asio::redirect_error(boost::asio::use_awaitable, cancelled));
    }
    rung_ = false;
}

} // namespace ipvsproxy::sync
