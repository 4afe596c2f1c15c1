#include "proxy/https/dial.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include "tests/proxy/https/server.h"

using namespace ipvsproxy;
using namespace ipvsproxy::https;
using namespace ipvsproxy::https_test;
using asio::ip::tcp;

namespace {

asio::awaitable<void> greet(Stream& stream, int) {
    const std::string heard = co_await read_request(stream);
    const std::string answer = "server heard " + heard;
    co_await stream.write(answer);
}

asio::awaitable<void> for_ever(Stream&, int) {
    asio::steady_timer timer{co_await asio::this_coro::executor, std::chrono::hours{1}};
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> ask(Route route, DialPace pace, std::string& heard) {
    Dialer dialer{pace};
    const auto stream = co_await dialer.dial(std::move(route));
    co_await stream->write("hello\r\n\r\n");
    heard = co_await read_request(*stream);
}

std::string talk(asio::io_context& context, Route route, DialPace pace = {}) {
    std::string heard;
    run(context, ask(std::move(route), pace, heard));
    return heard;
}

Url local(const std::string& scheme, std::uint16_t port, const std::string& user = "") {
    return parse_url(scheme + "://" + user + "127.0.0.1:" + std::to_string(port)).value();
}

/// Copies what comes on one connection to the other, until either ends.
asio::awaitable<void> copy(Stream& from, Stream& to) {
    std::string room(4096, '\0');
    for (;;) {
        const std::span<char> space{room};
        const auto count = co_await from.read_some(space);
        if (count == 0) co_return;
        const std::string_view piece{room.data(), count};
        co_await to.write(piece);
    }
}

/// One question and one answer are carried to and fro.
asio::awaitable<void> relay(Stream& client, std::uint16_t port) {
    Dialer dialer;
    Route route{.server = local("http", port)};
    const auto server = co_await dialer.dial(std::move(route));
    const std::string question = co_await read_request(client);
    co_await server->write(question);
    const std::string answer = co_await read_request(*server);
    co_await client.write(answer);
}

} // namespace

TEST_CASE("Addresses of both families take turns, each in its order", "[https]") {
    const auto end = [](const char* address) {
        return tcp::endpoint{asio::ip::make_address(address), 1};
    };
    CHECK(interleaved({}).empty());
    CHECK(interleaved({end("::1"), end("::2"), end("::3"), end("10.0.0.1"), end("10.0.0.2")}) ==
          std::vector{end("::1"), end("10.0.0.1"), end("::2"), end("10.0.0.2"), end("::3")});
    CHECK(interleaved({end("10.0.0.1"), end("::1"), end("::2")}) ==
          std::vector{end("10.0.0.1"), end("::1"), end("::2")});
}

TEST_CASE("A name whose first address does not answer is reached at the next", "[https]") {
    asio::io_context context;
    const Server server{context, greet}; // on 127.0.0.1; localhost may be ::1 first
    const auto url = parse_url("http://localhost:" + std::to_string(server.port())).value();
    CHECK(talk(context, {.server = url}) == "server heard hello\r\n\r\n");
}

TEST_CASE("A refused connection is told with address and cause", "[https]") {
    asio::io_context context;
    std::uint16_t port{};
    {
        const Server closed{context, greet};
        port = closed.port();
    }
    const auto text = std::to_string(port);
    CHECK_THROWS_WITH(talk(context, {.server = local("http", port)}),
                      "connecting to 127.0.0.1:" + text + ": 127.0.0.1:" + text +
                          ": Connection refused");
}

TEST_CASE("A name that is not known is told", "[https]") {
    asio::io_context context;
    CHECK_THROWS_WITH(talk(context, {.server = parse_url("http://no.such.name.invalid").value()}),
                      Catch::StartsWith("looking up no.such.name.invalid: "));
}

TEST_CASE("A server that keeps silent in the TLS handshake is given up", "[https][tls]") {
    asio::io_context context;
    const Server server{context, for_ever};
    const Route route{.server = local("https", server.port()),
                      .tls = make_tls_context({.insecure = true})};
    try {
        talk(context, route, {.handshake = std::chrono::milliseconds{30}});
        FAIL("it was not given up");
    } catch (const boost::system::system_error& error) {
        CHECK(error.code() == asio::error::timed_out);
        CHECK(std::string{error.what()} ==
              "server 127.0.0.1:" + std::to_string(server.port()) + ": Connection timed out");
    }
}

TEST_CASE("An HTTP proxy is asked for a tunnel", "[https][proxy]") {
    asio::io_context context;
    const Server server{context, greet};
    std::string asked;
    const Server proxy{context, [&](Stream& stream, int) -> asio::awaitable<void> {
                           asked = co_await read_request(stream);
                           co_await stream.write("HTTP/1.1 200 Connection established\r\n\r\n");
                           co_await relay(stream, server.port());
                       }};
    const auto heard = talk(context, {.server = local("http", server.port()),
                                      .proxy = local("http", proxy.port(), "me:secret@")});
    CHECK(heard == "server heard hello\r\n\r\n");
    CHECK_THAT(asked, Catch::StartsWith("CONNECT 127.0.0.1:" + std::to_string(server.port()) +
                                        " HTTP/1.1\r\n"));
    CHECK_THAT(asked, Catch::Contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
}

TEST_CASE("TLS to a server goes through TLS to a proxy", "[https][proxy][tls]") {
    asio::io_context context;
    Authority authority;
    const ServerTls tls{authority.issue("a", "IP:127.0.0.1")};
    const Server server{context, greet, tls};
    const Server proxy{context,
                       [&](Stream& stream, int) -> asio::awaitable<void> {
                           (void)co_await read_request(stream);
                           co_await stream.write("HTTP/1.1 200 OK\r\n\r\n");
                           Dialer dialer;
                           Route inner{.server = local("http", server.port())};
                           const auto onward = co_await dialer.dial(std::move(inner));
                           asio::co_spawn(context, copy(*onward, stream),
                                          [](const std::exception_ptr&) {});
                           co_await copy(stream, *onward);
                       },
                       tls};
    const auto trusting = make_tls_context({.ca_pem = authority.certificate()});
    const Route route{.server = local("https", server.port()),
                      .proxy = local("https", proxy.port()),
                      .tls = trusting,
                      .proxy_tls = trusting};
    CHECK(talk(context, route) == "server heard hello\r\n\r\n");
    CHECK(proxy.connections() == 1);
    context.poll();
}

TEST_CASE("A proxy that refuses is named with its answer", "[https][proxy]") {
    asio::io_context context;
    const Server proxy{
        context, [&](Stream& stream, int) -> asio::awaitable<void> {
            (void)co_await read_request(stream);
            co_await stream.write(
                "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        }};
    const auto address = "127.0.0.1:" + std::to_string(proxy.port());
    CHECK_THROWS_WITH(talk(context, {.server = parse_url("https://kube:6443").value(),
                                     .proxy = local("http", proxy.port())}),
                      "proxy " + address + ": the proxy answered 407 to CONNECT kube:6443");
}

TEST_CASE("A SOCKS proxy resolves the server's name itself", "[https][proxy]") {
    asio::io_context context;
    const Server server{context, greet};
    std::string asked;
    const Server proxy{
        context, [&](Stream& stream, int) -> asio::awaitable<void> {
            std::string room(512, '\0');
            const std::span<char> space{room};
            auto count = co_await stream.read_some(space);
            asked += room.substr(0, count);
            co_await stream.write(std::string_view{"\x05\x02", 2});
            count = co_await stream.read_some(space);
            asked += room.substr(0, count);
            co_await stream.write(std::string_view{"\x01\x00", 2});
            count = co_await stream.read_some(space);
            asked += room.substr(0, count);
            co_await stream.write(std::string_view{"\x05\x00\x00\x01\x7f\x00\x00\x01\x10\x00", 10});
            co_await relay(stream, server.port());
        }};
    const auto heard = talk(context, {.server = parse_url("http://kube:6443").value(),
                                      .proxy = local("socks5", proxy.port(), "me:pw@")});
    CHECK(heard == "server heard hello\r\n\r\n");
    const std::string wanted{"\x05\x02\x00\x02"
                             "\x01\x02me\x02pw"
                             "\x05\x01\x00\x03\x04kube\x19\x2b",
                             4 + 7 + 11};
    CHECK(asked == wanted);
}

TEST_CASE("A SOCKS proxy's refusal is told in words", "[https][proxy]") {
    asio::io_context context;
    const Server proxy{
        context, [&](Stream& stream, int) -> asio::awaitable<void> {
            std::string room(512, '\0');
            const std::span<char> space{room};
            (void)co_await stream.read_some(space);
            co_await stream.write(std::string_view{"\x05\x00", 2});
            (void)co_await stream.read_some(space);
            co_await stream.write(std::string_view{"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", 10});
        }};
    CHECK_THROWS_WITH(talk(context, {.server = parse_url("http://10.0.0.1").value(),
                                     .proxy = local("socks5", proxy.port())}),
                      Catch::EndsWith("the SOCKS proxy: connection refused"));
}
