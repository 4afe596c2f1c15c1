// Time as the client of the API sees it, so that tests need not wait for it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace ipvsproxy::api {

class Clock {
public:
    virtual ~Clock() = default;
    virtual std::chrono::steady_clock::time_point now() const = 0;
    virtual std::chrono::system_clock::time_point date() const = 0;
    virtual boost::asio::awaitable<void> pause(std::chrono::nanoseconds length) = 0;
};

class RealClock : public Clock {
public:
    std::chrono::steady_clock::time_point now() const override {
        return std::chrono::steady_clock::now();
    }
    std::chrono::system_clock::time_point date() const override {
        return std::chrono::system_clock::now();
    }
    boost::asio::awaitable<void> pause(std::chrono::nanoseconds length) override {
        boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, length};
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
};

} // namespace ipvsproxy::api
