#include <catch2/catch.hpp>
#include <csignal>
#include <poll.h>

#include "proxy/run/signals.h"

namespace ipvsproxy::run {
namespace {

bool is_readable(int fd) {
    pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, 0) == 1;
}

TEST_CASE("signals are read in the order in which they came, and end nothing") {
    Signals signals;
    CHECK_FALSE(is_readable(signals.fd()));
    CHECK_FALSE(signals.take());
    ::raise(SIGHUP);
    ::raise(SIGTERM);
    ::raise(SIGINT);
    CHECK(is_readable(signals.fd()));
    CHECK(signals.take() == SIGHUP);
    CHECK(signals.take() == SIGTERM);
    CHECK(signals.take() == SIGINT);
    CHECK_FALSE(signals.take());
}

TEST_CASE("afterwards signals do what they did before") {
    { const Signals signals; }
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
        struct sigaction action {};
        ::sigaction(number, nullptr, &action);
        CHECK(action.sa_handler == SIG_DFL);
    }
}

} // namespace
} // namespace ipvsproxy::run
