// The server against real sockets, on loopback.
#include "proxy/http/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

using namespace ipvsproxy;
using namespace ipvsproxy::http;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

const Address loopback = *Address::parse("127.0.0.1");

Response echo(const Request& request) {
    if (request.target == "/throws") throw std::runtime_error{"no page today"};
    if (request.target == "/breaks") return {200, {{"A", "b\r\nC: d"}}, ""};
    return {200, {}, request.method + ' ' + request.target + ' ' + request.body};
}

/// A server that runs on a thread of its own.
class Running {
public:
    explicit Running(Patience patience = {}) : server_{io_.get_executor(), echo, patience} {
        server_.listen({loopback, {}}, Reach::own_family);
        where_ = server_.local();
        thread_ = std::thread{[this] { io_.run(); }};
    }
    ~Running() {
        asio::post(io_, [this] { io_.stop(); });
        thread_.join();
    }
    tcp::socket connect() {
        tcp::socket socket{clients_};
        socket.connect({asio::ip::make_address(where_.address.text()), where_.port.value});
        return socket;
    }
    /// As a stopping daemon does; returns when the last connection has ended.
    void close(std::chrono::milliseconds grace) {
        std::promise<void> ended;
        asio::post(io_, [&] {
            server_.close();
            asio::co_spawn(io_, server_.closed(grace),
                           [&](const std::exception_ptr&) { ended.set_value(); });
        });
        ended.get_future().wait();
    }
    /// All that was posted before has run.
    void settle() {
        std::promise<void> done;
        asio::post(io_, [&] { done.set_value(); });
        done.get_future().wait();
    }

private:
    asio::io_context io_{1}, clients_{1};
    Server server_;
    AddressPort where_;
    std::thread thread_;
};

void write(tcp::socket& socket, const std::string& bytes) {
    asio::write(socket, asio::buffer(bytes));
}

/// Up to the end of the connection.
std::string rest(tcp::socket& socket) {
    std::string all;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(all), error);
    return all;
}

/// Up to and with `end`.
std::string until(tcp::socket& socket, const std::string& end) {
    std::string all;
    const auto size = asio::read_until(socket, asio::dynamic_buffer(all), end);
    CHECK(size == all.size());
    return all;
}

const std::string host = " HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string last = " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

} // namespace

TEST_CASE("Requests of one connection are answered in order, pipelined too", "[http]") {
    Running server;
    auto client = server.connect();
    write(client, "GET /1" + host + "GET /2" + host);
    CHECK_THAT(until(client, "GET /2 "), Contains("GET /1 HTTP/1.1 200 OK"));
    write(client, "PUT /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\na");
    write(client, "bc");
    const auto answer = rest(client);
    CHECK_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    CHECK_THAT(answer, Contains("\r\nDate: ") && Contains(" GMT\r\n"));
    CHECK_THAT(answer, Contains("\r\nConnection: close\r\n") && EndsWith("\r\n\r\nPUT /3 abc"));
}

TEST_CASE("HEAD tells the length and sends no body", "[http]") {
    Running server;
    auto client = server.connect();
    write(client, "HEAD /" + last);
    CHECK_THAT(rest(client), Contains("Content-Length: 7\r\n") && EndsWith("\r\n\r\n"));
}

TEST_CASE("A client that waits for 100 Continue gets it", "[http]") {
    Running server;
    auto client = server.connect();
    write(client, "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
                  "Connection: close\r\n\r\n");
    CHECK(until(client, "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    write(client, "ok");
    CHECK_THAT(rest(client), EndsWith("PUT / ok"));
}

TEST_CASE("What is no request is answered with the reason, and the connection ends", "[http]") {
    Running server;
    auto client = server.connect();
    write(client, "nonsense\r\n\r\n");
    CHECK_THAT(rest(client), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    auto large = server.connect();
    write(large, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n");
    CHECK_THAT(rest(large), StartsWith("HTTP/1.1 413 Content Too Large\r\n"));
}

TEST_CASE("A handler that fails answers 500, and the server goes on", "[http]") {
    Running server;
    auto client = server.connect();
    write(client, "GET /throws" + host);
    CHECK_THAT(until(client, "no page today\n"), StartsWith("HTTP/1.1 500 "));
    write(client, "GET /breaks" + last);
    const auto answer = rest(client);
    CHECK_THAT(answer, StartsWith("HTTP/1.1 500 ") && !Contains("C: d"));
}

TEST_CASE("A client that keeps its connection without a word loses it", "[http]") {
    const std::chrono::milliseconds soon{50};
    Running server{{.idle = soon, .request = soon}};
    auto silent = server.connect();
    CHECK(rest(silent).empty());
    auto slow = server.connect();
    write(slow, "GET / HT");
    CHECK(rest(slow).empty());
}

TEST_CASE("Beyond the limit the longest idle connection goes", "[http]") {
    Running server{{.connections = 2}};
    auto first = server.connect();
    write(first, "GET /1" + host);
    until(first, "GET /1 ");
    auto second = server.connect();
    write(second, "GET /2" + host);
    until(second, "GET /2 ");
    auto third = server.connect();
    write(third, "GET /3" + last);
    CHECK_THAT(rest(third), EndsWith("GET /3 "));
    CHECK(rest(first).empty()); // closed
    write(second, "GET /4" + last);
    CHECK_THAT(rest(second), EndsWith("GET /4 "));
}

TEST_CASE("D-19: at the end requests that have begun are answered, idle connections end",
          "[http]") {
    Running server;
    auto idle = server.connect();
    write(idle, "GET /0" + host);
    until(idle, "GET /0 ");
    auto begun = server.connect();
    write(begun, "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    until(begun, "\r\n\r\n"); // so the server has seen it
    auto closing = std::async(std::launch::async, [&] { server.close(std::chrono::minutes{1}); });
    CHECK(rest(idle).empty());
    CHECK_THROWS(server.connect());
    write(begun, "ok");
    CHECK_THAT(rest(begun), Contains("Connection: close") && EndsWith("PUT / ok"));
    closing.get();
}

TEST_CASE("D-19: a request that never ends is cut after the grace", "[http]") {
    Running server;
    auto stuck = server.connect();
    write(stuck, "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    until(stuck, "\r\n\r\n");
    server.close(std::chrono::milliseconds{20});
    CHECK(rest(stuck).empty());
}

TEST_CASE("An address that is taken is refused in Go's words", "[http]") {
    asio::io_context io;
    Server one{io.get_executor(), echo};
    one.listen({loopback, {}}, Reach::every_family);
    Server other{io.get_executor(), echo};
    CHECK_THROWS_WITH(other.listen(one.local(), Reach::every_family),
                      StartsWith("listen tcp " + one.local().text() + ": bind: ") &&
                          Contains("in use"));
}

TEST_CASE("An unspecified IPv4 address is served in both families where there are two", "[http]") {
    asio::io_context io{1};
    Server server{io.get_executor(), echo};
    server.listen({*Address::parse("0.0.0.0"), {}}, Reach::every_family);
    const auto where = server.local();
    asio::io_context clients;
    for (const auto* address : {"127.0.0.1", "::1"}) {
        if (where.address.family() == Family::v4 && std::string_view{address} == "::1") continue;
        tcp::socket socket{clients};
        boost::system::error_code error;
        socket.connect({asio::ip::make_address(address), where.port.value}, error);
        const bool without_v6 = error == asio::error::address_family_not_supported ||
                                error == boost::system::errc::address_not_available;
        CHECK((!error || without_v6));
    }
    Server v4_only{io.get_executor(), echo};
    v4_only.listen({*Address::parse("0.0.0.0"), {}}, Reach::own_family);
    CHECK(v4_only.local().address.family() == Family::v4);
}
