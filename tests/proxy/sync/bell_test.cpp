// The sleep of the loop, and what ends it.
#include "proxy/sync/bell.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <optional>
#include <thread>

namespace ipvsproxy::sync {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Counts how often waiting ended; each wait is for the moment that is asked for at its beginning.
struct Sleeper {
    asio::io_context& io;
    Bell& bell;
    Bell::Moment until{Bell::Moment::max()};
    std::size_t woken{};

    void sleep(std::size_t times) {
        asio::co_spawn(io, waits(times), asio::detached);
        io.restart(); // it stopped when nobody slept any more
        io.poll();
    }
    asio::awaitable<void> waits(std::size_t times) {
        for (std::size_t i = 0; i < times; ++i) {
            co_await bell.wait(until);
            ++woken;
        }
    }
};

} // namespace

TEST_CASE("a ring ends the wait that is under way, or the next one", "[sync]") {
    asio::io_context io;
    Bell bell{io.get_executor()};
    Sleeper sleeper{io, bell};
    bell.ring();
    sleeper.sleep(2);
    CHECK(sleeper.woken == 1);
    bell.ring();
    io.poll();
    CHECK(sleeper.woken == 2);
}

TEST_CASE("many rings are one", "[sync]") {
    asio::io_context io;
    Bell bell{io.get_executor()};
    Sleeper sleeper{io, bell};
    for (int i = 0; i < 3; ++i)
        bell.ring();
    sleeper.sleep(3);
    CHECK(sleeper.woken == 1);
}

TEST_CASE("a wait ends at its moment, and not before", "[sync]") {
    asio::io_context io;
    Bell bell{io.get_executor()};
    Sleeper sleeper{io, bell};
    const auto begin = Clock::now();
    sleeper.until = begin + 30ms;
    sleeper.sleep(1);
    CHECK(sleeper.woken == 0);
    io.run_for(10s);
    CHECK(sleeper.woken == 1);
    CHECK(Clock::now() >= begin + 30ms);
}

TEST_CASE("a moment that has passed ends the wait at once", "[sync]") {
    asio::io_context io;
    Bell bell{io.get_executor()};
    Sleeper sleeper{io, bell};
    sleeper.until = Clock::now() - 1s;
    sleeper.sleep(2);
    io.run_for(10s);
    CHECK(sleeper.woken == 2); // though it is the same moment
}

TEST_CASE("a ring does not put off the moment of the waits after it", "[sync]") {
    asio::io_context io;
    Bell bell{io.get_executor()};
    Sleeper sleeper{io, bell};
    sleeper.until = Clock::now() + 50ms;
    sleeper.sleep(3);
    bell.ring();
    io.poll();
    CHECK(sleeper.woken == 1);
    sleeper.until = Clock::now() + 1h; // of the third
    io.run_one_for(10s);
    io.poll();
    CHECK(sleeper.woken == 2);
    CHECK(io.run_for(50ms) == 0);
}

TEST_CASE("a later moment takes the place of an earlier one, an earlier that of a later",
          "[sync]") {
    asio::io_context io;
    Bell bell{io.get_executor()};
    Sleeper sleeper{io, bell};
    const auto change = [&](Clock::duration from, Clock::duration to) {
        sleeper.woken = 0;
        sleeper.until = Clock::now() + from;
        sleeper.sleep(2);
        sleeper.until = Clock::now() + to;
        bell.ring();
        io.poll();
        CHECK(sleeper.woken == 1);
        io.run_for(100ms);
        return sleeper.woken == 2;
    };
    CHECK(change(1h, 20ms));
    CHECK_FALSE(change(20ms, 1h));
}

TEST_CASE("at rest, or gone, a bell leaves the loop nothing to wait for", "[sync]") {
    asio::io_context io;
    std::optional<Bell> bell{io.get_executor()};
    Sleeper sleeper{io, *bell};
    sleeper.until = Clock::now() + 1h;
    sleeper.sleep(1);
    bell->ring();
    const auto begin = Clock::now();
    SECTION("at rest") {
        bell->rest();
        io.run();
    }
    SECTION("gone") {
        io.poll();
        bell.reset();
        io.run();
    }
    SECTION("gone when its moment has come, before the loop has seen it") {
        io.poll();
        sleeper.until = Clock::now() + 1ms;
        sleeper.sleep(1);
        std::this_thread::sleep_for(5ms);
        bell.reset();
        io.run();
        CHECK(sleeper.woken == 2); // what slept was let go
    }
    CHECK(sleeper.woken >= 1);
    CHECK(Clock::now() < begin + 1min);
}

} // namespace ipvsproxy::sync
