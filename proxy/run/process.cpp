#include "proxy/run/process.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>

#include "proxy/log/log.h"

namespace ipvsproxy::run {
namespace {

constexpr int tries = 2;
constexpr std::chrono::milliseconds pause{100};

/// @return why it cannot be had; nothing when it is as it should be.
std::error_code write_score(int adjustment, const std::string& file) {
    int seen = 0;
    if (std::ifstream{file} >> seen && seen == adjustment) return {};
    errno = 0;
    std::ofstream out{file};
    if (out << adjustment && out.flush()) return {};
    return {errno, std::generic_category()};
}

} // namespace

boost::asio::awaitable<void> set_oom_score(int adjustment, std::string file) {
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor};
    for (int left = tries;;) {
        const auto problem = write_score(adjustment, file);
        if (!problem) co_return;
        if (--left == 0) {
            log::verbose(2, "oom_score_adj cannot be set",
                         {{"value", adjustment}, {"tries", tries}, {"err", problem.message()}});
            co_return;
        }
        timer.expires_after(pause);
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
}

} // namespace ipvsproxy::run
