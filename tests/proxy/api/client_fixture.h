// A client, a server that a test scripts, and time that passes when the client waits.
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "proxy/api/https_client.h"
#include "tests/proxy/https/server.h"

namespace ipvsproxy::api_test {

namespace asio = boost::asio;

/// Waits take no time, and are kept.
class FakeClock : public api::Clock {
public:
    std::chrono::steady_clock::time_point now() const override { return now_; }
    std::chrono::system_clock::time_point date() const override {
        return std::chrono::system_clock::time_point{
            std::chrono::duration_cast<std::chrono::system_clock::duration>(
                now_.time_since_epoch())};
    }
    asio::awaitable<void> pause(std::chrono::nanoseconds length) override {
        pauses.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(length));
        advance(length);
        co_return;
    }
    void advance(std::chrono::nanoseconds length) { now_ += length; }
    std::vector<std::chrono::milliseconds> pauses{};

private:
    std::chrono::steady_clock::time_point now_{std::chrono::hours{1}};
};

/// Writes down what it is told, one line each.
class Notes : public api::ClientObserver {
public:
    void rate_limited(std::string_view, std::string_view, std::chrono::nanoseconds) override {}
    void exchanged(const api::Exchange& each) override {
        lines.push_back(std::string{each.method} + " " + std::to_string(each.status) + " " +
                        std::to_string(each.request_bytes));
    }
    void read_whole(std::string_view, std::string_view, std::size_t bytes) override {
        lines.push_back("read " + std::to_string(bytes));
    }
    void retried(std::string_view, std::string_view, unsigned status) override {
        lines.push_back("retried " + std::to_string(status));
    }
    void plugin_called(int, std::string_view status) override {
        lines.push_back(std::string{status});
    }
    std::vector<std::string> lines{};
};

/// An answer read to its end.
struct Read {
    unsigned status{};
    std::string body{}, retry_after{};
};

struct Fixture {
    asio::io_context context{};
    FakeClock clock{};
    Notes notes{};
    std::vector<std::string> requests{}; ///< as the server saw them

    /// A server that answers each request with the next of these, on one connection as long as the
    /// client keeps it; an empty one closes it. The last one is repeated.
    https_test::Server::Serve answers(std::vector<std::string> each);

    std::unique_ptr<api::Client> client(const https_test::Server& server, api::Access access = {},
                                        const std::string& scheme = "http");
    Read ask(api::Client& client, api::Request request = {.target = "/api/v1/services"});
};

/// A 200 with that body.
std::string ok(const std::string& body);
std::string answer(const std::string& status, const std::string& headers,
                   const std::string& body = "");

} // namespace ipvsproxy::api_test
