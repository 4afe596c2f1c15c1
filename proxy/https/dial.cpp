#include "proxy/https/dial.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

#include "proxy/https/failure.h"
#include "proxy/https/tunnel.h"
#include "proxy/https/within.h"

namespace ipvsproxy::https {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using boost::system::system_error;
using Endpoints = std::vector<tcp::endpoint>;
using Socket = std::optional<tcp::socket>; // parallel groups want values that begin empty

std::string text_of(const tcp::endpoint& endpoint) {
    return join_host_port(endpoint.address().to_string(), Port{endpoint.port()});
}

/// The addresses of one server, tried one beside the other until one answers.
class Race {
public:
    Race(Endpoints endpoints, std::chrono::nanoseconds head_start)
        : endpoints_{std::move(endpoints)}, head_start_{head_start} {}

    // NOLINTBEGIN(misc-no-recursion): as deep as there are addresses
    /// Tries those from `at` on. @throws system_error when none answers.
    asio::awaitable<Socket> run(std::size_t at) {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer next{executor, head_start_}; // expires, or is cancelled by a failure
        if (at + 1 == endpoints_.size()) co_return co_await attempt(at, next);
        auto group = asio::experimental::make_parallel_group(
            asio::co_spawn(executor, attempt(at, next), asio::deferred),
            asio::co_spawn(executor, after(next, at + 1), asio::deferred));
        auto [order, failure, socket, later_failure, later] = co_await group.async_wait(
            asio::experimental::wait_for_one_success(), asio::use_awaitable);
        if (!failure) co_return std::move(socket);
        if (later_failure) std::rethrow_exception(later_failure);
        co_return std::move(later);
    }

    /// Why each of them did not answer; those still silent are not in it.
    const std::string& failures() const { return failures_; }

private:
    asio::awaitable<Socket> attempt(std::size_t at, asio::steady_timer& next) {
        tcp::socket socket{co_await asio::this_coro::executor};
        error_code error;
        co_await socket.async_connect(endpoints_[at],
                                      asio::redirect_error(asio::use_awaitable, error));
        if (!error) co_return Socket{std::move(socket)};
        if (error != asio::error::operation_aborted)
            failures_ +=
                (failures_.empty() ? "" : "; ") + text_of(endpoints_[at]) + ": " + error.message();
        next.cancel();
        throw system_error{error};
    }
    asio::awaitable<Socket> after(asio::steady_timer& turn, std::size_t at) {
        error_code ignored; // its end, and the failure of the one before, both mean: begin
        co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        co_return co_await run(at);
    }
    // NOLINTEND(misc-no-recursion)

    Endpoints endpoints_;
    std::chrono::nanoseconds head_start_;
    std::string failures_;
};

} // namespace

Endpoints interleaved(Endpoints endpoints) {
    const auto of_first_family = [&, first = endpoints.empty() || endpoints[0].address().is_v6()](
                                     const tcp::endpoint& each) {
        return each.address().is_v6() == first;
    };
    const auto second = std::stable_partition(endpoints.begin(), endpoints.end(), of_first_family);
    const auto firsts = static_cast<std::size_t>(second - endpoints.begin());
    Endpoints result;
    for (std::size_t at = 0; result.size() < endpoints.size(); ++at) {
        if (at < firsts) result.push_back(endpoints[at]);
        if (firsts + at < endpoints.size()) result.push_back(endpoints[firsts + at]);
    }
    return result;
}

asio::awaitable<Endpoints> Dialer::resolve(Url url) {
    error_code error;
    const auto literal = asio::ip::make_address(url.host, error);
    if (!error) co_return Endpoints{{literal, url.port.value}};
    tcp::resolver resolver{co_await asio::this_coro::executor};
    const std::string port = std::to_string(url.port.value);
    const auto found =
        co_await resolver.async_resolve(url.host, port, tcp::resolver::numeric_service,
                                        asio::redirect_error(asio::use_awaitable, error));
    if (!error && !found.empty()) {
        known_ = {url.authority, {}};
        for (const auto& each : found)
            known_.second.push_back(each.endpoint());
        known_.second = interleaved(known_.second);
    } else if (known_.first != url.authority || error == asio::error::operation_aborted) {
        throw Failure{error, "looking up " + url.host + ": " + error.message()};
    }
    co_return known_.second;
}

asio::awaitable<std::unique_ptr<Stream>> Dialer::connect(Url url) {
    auto endpoints = co_await resolve(url);
    Race race{std::move(endpoints), pace_.head_start};
    try {
        auto socket = co_await within(pace_.connect, race.run(0));
        co_return make_stream(std::move(*socket));
    } catch (const system_error& error) {
        const auto& why = race.failures();
        throw Failure{error.code(), "connecting to " + url.authority + ": " +
                                        (why.empty() ? error.code().message() : why)};
    }
}

asio::awaitable<std::unique_ptr<Stream>> Dialer::dial(Route route) {
    const Url& first = route.proxy ? *route.proxy : route.server;
    auto stream = co_await connect(first);
    std::string step = "proxy " + first.authority;
    try {
        if (first.scheme == "https" && route.proxy)
            stream = co_await within(pace_.handshake,
                                     start_tls(std::move(stream), route.proxy_tls, first.host));
        if (first.scheme.starts_with("socks5"))
            co_await within(pace_.handshake, connect_through_socks(*stream, first, route.server));
        else if (route.proxy)
            co_await within(pace_.handshake, connect_through_http(*stream, first, route.server));
        step = "server " + route.server.authority;
        if (route.server.scheme == "https") {
            const auto& name = route.server_name.empty() ? route.server.host : route.server_name;
            stream =
                co_await within(pace_.handshake, start_tls(std::move(stream), route.tls, name));
        }
    } catch (const system_error& error) {
        throw Failure::of(step, error);
    }
    co_return stream;
}

} // namespace ipvsproxy::https
