#include "proxy/api/https_client.h"

#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

#include "proxy/api/token_bucket.h"
#include "tests/proxy/api/client_fixture.h"
#include "tests/proxy/api/recorded.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;
using namespace ipvsproxy::api_test;
using https_test::Authority;
using https_test::Server;
using https_test::ServerTls;
using Lines = std::vector<std::string>;

namespace {

/// An answer of a real API server, byte for byte.
std::string wire(const std::string& name) {
    return file_text(std::string{RECORDED_DIR} + "/" + name + ".http");
}

boost::system::error_code failure_of(Fixture& fixture, Client& client, Request request) {
    try {
        fixture.ask(client, std::move(request));
    } catch (const boost::system::system_error& error) {
        return error.code();
    }
    return {};
}

/// Writes this and then keeps silent.
Server::Serve stall_after(std::string text) {
    return [text](https::Stream& stream, int) -> asio::awaitable<void> {
        (void)co_await https_test::read_request(stream);
        co_await stream.write(text);
        asio::steady_timer timer{co_await asio::this_coro::executor, std::chrono::hours{1}};
        co_await timer.async_wait(asio::use_awaitable);
    };
}

} // namespace

TEST_CASE("A request says who asks, for what, and takes packed answers", "[api][client]") {
    Fixture fixture;
    const Server server{fixture.context, fixture.answers({ok("{}")})};
    Access access{.token = {.text = "secret"}, .impersonation = {{"Impersonate-User", "joe"}}};
    access.server.path = "/k8s/c-1";
    const auto client = fixture.client(server, access);
    CHECK(fixture
              .ask(*client, {.method = "POST",
                             .target = "/apis/x",
                             .content_type = "application/json",
                             .body = "{}"})
              .body == "{}");
    CHECK(fixture.requests == Lines{"POST /k8s/c-1/apis/x HTTP/1.1\r\nHost: 127.0.0.1:" +
                                    std::to_string(server.port()) +
                                    "\r\nUser-Agent: ipvsproxy/test\r\nAccept: "
                                    "application/json\r\nAccept-Encoding: gzip\r\n"
                                    "Authorization: Bearer secret\r\nImpersonate-User: "
                                    "joe\r\nContent-Type: application/json\r\n"
                                    "Content-Length: 2\r\n\r\n{}"});
    CHECK(fixture.notes.lines == Lines{"POST 200 2", "read 2"});
}

TEST_CASE("Answers of a real API server come through as they were recorded", "[api][client]") {
    Fixture fixture;
    for (const auto& entry : std::filesystem::directory_iterator{RECORDED_DIR}) {
        const auto name = entry.path().stem().string();
        CAPTURE(name);
        const Server server{fixture.context, fixture.answers({wire(name)})};
        const auto client = fixture.client(server);
        const auto read = fixture.ask(*client);
        CHECK(std::to_string(read.status) == wire(name).substr(9, 3));
        if (!name.ends_with("-gzip")) CHECK(read.body == recorded(name).body);
    }
}

TEST_CASE("A packed list is the same list", "[api][client]") {
    Fixture fixture;
    const Server server{fixture.context, fixture.answers({wire("endpointslices-list-gzip")})};
    const auto client = fixture.client(server);
    const auto body = fixture.ask(*client).body;
    CHECK_THAT(body, Catch::StartsWith("{\n  \"kind\": \"EndpointSliceList\""));
    CHECK_THAT(body, Catch::EndsWith("\n}"));
    CHECK(body.size() > wire("endpointslices-list-gzip").size());
}

TEST_CASE("An answer cut to single bytes is the same", "[api][client]") {
    Fixture fixture;
    const auto whole = wire("services-watch");
    const Server server{fixture.context, [&](https::Stream& stream, int) -> asio::awaitable<void> {
                            (void)co_await https_test::read_request(stream);
                            for (const char each : whole) {
                                const std::string_view byte{&each, 1};
                                co_await stream.write(byte);
                            }
                        }};
    const Server at_once{fixture.context, fixture.answers({whole})};
    const auto client = fixture.client(server);
    const auto other = fixture.client(at_once);
    CHECK(fixture.ask(*client).body == fixture.ask(*other).body);
}

TEST_CASE("A packed answer that is damaged, or ends too early, is told", "[api][client]") {
    Fixture fixture;
    const auto whole = wire("endpointslices-list-gzip");
    const auto head = whole.find("\r\n", whole.find("\r\n\r\n") + 4) + 2; // of its first chunk
    const std::string packed = "Content-Encoding: gzip\r\n";
    SECTION("no gzip") {
        const Server server{fixture.context, fixture.answers({answer("200 OK", packed, "{}")})};
        const auto client = fixture.client(server);
        CHECK_THROWS_WITH(fixture.ask(*client), Catch::Contains("gzip is damaged"));
    }
    SECTION("cut, though the answer is whole") {
        const Server server{fixture.context,
                            fixture.answers({answer("200 OK", packed, whole.substr(head, 1000))})};
        const auto client = fixture.client(server);
        CHECK(failure_of(fixture, *client, {.target = "/"}) == boost::system::errc::protocol_error);
    }
    SECTION("packed as nobody asked for") {
        const Server server{fixture.context,
                            fixture.answers({answer("200 OK", "Content-Encoding: br\r\n", "{}")})};
        const auto client = fixture.client(server);
        CHECK_THROWS_WITH(fixture.ask(*client), Catch::Contains("packed as \"br\""));
    }
}

TEST_CASE("Requests that follow one another take turns on one connection", "[api][client]") {
    Fixture fixture;
    const Server server{
        fixture.context,
        fixture.answers({ok("1"), answer("200 OK", "Connection: close\r\n", "2"), ok("3")})};
    const auto client = fixture.client(server);
    CHECK(fixture.ask(*client).body == "1");
    CHECK(fixture.ask(*client).body == "2");
    CHECK(server.connections() == 1);
    CHECK(fixture.ask(*client).body == "3");
    CHECK(server.connections() == 2);
}

TEST_CASE("A kept connection that has died is replaced without a word", "[api][client]") {
    Fixture fixture;
    const Server server{fixture.context, fixture.answers({ok("1"), "", ok("2")})};
    const auto client = fixture.client(server);
    CHECK(fixture.ask(*client).body == "1");
    SECTION("what may be repeated is sent again") {
        CHECK(fixture.ask(*client).body == "2");
        CHECK(server.connections() == 2);
    }
    SECTION("what may have had an effect is not") {
        CHECK(failure_of(fixture, *client, {.method = "POST", .target = "/e", .body = "x"}) ==
              asio::error::connection_reset);
        CHECK(server.connections() == 1);
    }
}

TEST_CASE("A fresh connection that dies is the caller's to know", "[api][client]") {
    Fixture fixture;
    const Server server{fixture.context, fixture.answers({""})};
    const auto client = fixture.client(server);
    CHECK(failure_of(fixture, *client, {.target = "/"}) == asio::error::connection_reset);
    CHECK(fixture.notes.lines == Lines{"GET 0 0"});
    CHECK_THROWS_WITH(fixture.ask(*client),
                      Catch::EndsWith("the connection was closed before an answer came"));
}

TEST_CASE("A body that is cut, or silent, is told; what came before was good", "[api][client]") {
    Fixture fixture;
    SECTION("cut") {
        const auto whole = wire("services-list");
        const Server server{
            fixture.context, [&](https::Stream& stream, int) -> asio::awaitable<void> {
                (void)co_await https_test::read_request(stream);
                co_await stream.write(std::string_view{whole}.substr(0, whole.size() - 100));
            }};
        const auto client = fixture.client(server);
        CHECK(failure_of(fixture, *client, {.target = "/"}) == asio::error::eof);
    }
    SECTION("silent in the body") {
        const Server server{fixture.context,
                            stall_after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")};
        const auto client = fixture.client(server);
        CHECK(failure_of(fixture, *client,
                         {.target = "/", .idle_limit = std::chrono::milliseconds{30}}) ==
              asio::error::timed_out);
    }
    SECTION("silent in a body that has become another") {
        const Server server{fixture.context,
                            stall_after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")};
        const auto client = fixture.client(server);
        const auto read = [](Client& from) -> asio::awaitable<void> {
            Request request{.target = "/", .idle_limit = std::chrono::hours{1}};
            const auto answer = co_await from.send(std::move(request));
            const auto first = co_await answer->more();
            CHECK(first == "abc");
            answer->limit_idle(std::chrono::milliseconds{30});
            (void)co_await answer->more();
        };
        boost::system::error_code code;
        try {
            https_test::run(fixture.context, read(*client));
        } catch (const boost::system::system_error& error) {
            code = error.code();
        }
        CHECK(code == asio::error::timed_out);
    }
    SECTION("silent before the head") {
        const Server server{fixture.context, stall_after("HTTP/1.1 200 OK\r\n")};
        const auto client = fixture.client(server);
        CHECK(failure_of(fixture, *client,
                         {.target = "/", .head_limit = std::chrono::milliseconds{30}}) ==
              asio::error::timed_out);
    }
    SECTION("no HTTP") {
        const Server server{fixture.context, stall_after("SSH-2.0-OpenSSH\r\n\r\n")};
        const auto client = fixture.client(server);
        CHECK(failure_of(fixture, *client, {.target = "/"}) == boost::system::errc::protocol_error);
    }
}

TEST_CASE("An answer that asks for patience is waited for and asked again", "[api][client]") {
    Fixture fixture;
    const auto busy = answer("429 Too Many Requests", "Retry-After: 3\r\n", "busy");
    SECTION("until it is another") {
        const Server server{
            fixture.context,
            fixture.answers({busy, answer("503 Away", "Retry-After: 1\r\n"), ok("done")})};
        const auto client = fixture.client(server);
        CHECK(fixture.ask(*client, {.method = "POST", .target = "/e", .body = "x"}).body == "done");
        CHECK(fixture.clock.pauses == std::vector<std::chrono::milliseconds>{
                                          std::chrono::seconds{3}, std::chrono::seconds{1}});
        CHECK(fixture.requests.at(2).ends_with("x"));
        CHECK(server.connections() == 1);
        CHECK(fixture.notes.lines == Lines{"POST 429 1", "retried 429", "read 4", "POST 503 1",
                                           "retried 503", "read 0", "POST 200 1", "read 4"});
    }
    SECTION("ten times, then it is the caller's") {
        const Server server{fixture.context, fixture.answers({busy})};
        const auto client = fixture.client(server);
        CHECK(fixture.ask(*client).status == 429);
        CHECK(fixture.requests.size() == 11);
    }
    SECTION("without a time it is not") {
        const Server server{
            fixture.context,
            fixture.answers({answer("503 Away", ""), answer("429 Busy", "Retry-After: soon\r\n"),
                             answer("500 Oh", "Retry-After: 7200\r\n"),
                             answer("410 Gone", "Retry-After: 1\r\n")})};
        const auto client = fixture.client(server);
        CHECK(fixture.ask(*client).status == 503);
        CHECK(fixture.ask(*client).status == 429);
        CHECK(fixture.ask(*client).retry_after == "7200");
        CHECK(fixture.ask(*client).status == 410);
        CHECK(fixture.clock.pauses.empty());
    }
}

TEST_CASE("A refused token is read again, once", "[api][client]") {
    Fixture fixture;
    Authority folder;
    const Access access{.token = {.file = folder.write("token", "old\n")}};
    const auto bearer = [&](std::size_t request) {
        const auto& text = fixture.requests.at(request);
        const auto at = text.find("Bearer ") + 7;
        return text.substr(at, text.find('\r', at) - at);
    };
    SECTION("and the new one is tried") {
        const Server server{fixture.context,
                            fixture.answers({ok("1"), wire("unauthorized"), ok("2")})};
        const auto client = fixture.client(server, access);
        CHECK(fixture.ask(*client).body == "1");
        folder.write("token", "new");
        CHECK(fixture.ask(*client).body == "2");
        CHECK(bearer(1) == "old");
        CHECK(bearer(2) == "new");
    }
    SECTION("and a second refusal is the answer") {
        const Server server{fixture.context, fixture.answers({wire("unauthorized")})};
        const auto client = fixture.client(server, access);
        CHECK(fixture.ask(*client).status == 401);
        CHECK(fixture.requests.size() == 2);
    }
    SECTION("also without a refusal after a minute") {
        const Server server{fixture.context, fixture.answers({ok("")})};
        const auto client = fixture.client(server, access);
        fixture.ask(*client);
        folder.write("token", "new");
        fixture.clock.advance(std::chrono::seconds{61});
        fixture.ask(*client);
        CHECK(bearer(1) == "new");
    }
}

TEST_CASE("What a plugin gave is used until it expires or is refused", "[api][client]") {
    Fixture fixture;
    Authority folder;
    const auto path = folder.write(
        "plugin", "#!/bin/sh\ncd " + folder.folder().string() +
                      "\necho x >> runs\n"
                      "echo "
                      "'{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/"
                      "v1\",\"status\":"
                      "{\"token\":\"'$(wc -l < "
                      "runs)'\",\"expirationTimestamp\":\"1970-01-01T02:00:00Z\"}}'\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    Access access;
    access.exec = ExecPlugin{.api_version = "client.authentication.k8s.io/v1", .command = path};
    const Server server{fixture.context,
                        fixture.answers({ok(""), ok(""), wire("unauthorized"), ok("")})};
    const auto client = fixture.client(server, access);
    fixture.ask(*client);
    fixture.ask(*client);
    CHECK_THAT(fixture.requests.at(1), Catch::Contains("Bearer 1\r\n"));
    CHECK(fixture.ask(*client).status == 200);
    CHECK_THAT(fixture.requests.at(2), Catch::Contains("Bearer 1\r\n"));
    CHECK_THAT(fixture.requests.at(3), Catch::Contains("Bearer 2\r\n"));
    fixture.clock.advance(std::chrono::hours{1}); // the clock began at one o'clock
    fixture.ask(*client);
    CHECK_THAT(fixture.requests.at(4), Catch::Contains("Bearer 3\r\n"));
}

TEST_CASE("Certificates that are replaced are used for new connections", "[api][client][tls]") {
    Fixture fixture;
    Authority old_ca;
    Authority new_ca;
    Authority files;
    const auto server_identity = old_ca.issue("kube", "IP:127.0.0.1");
    auto mine = old_ca.issue("me", "");
    const Access access{.ca = {.text = old_ca.certificate()},
                        .certificate = {.file = files.write("me.crt", mine.certificate)},
                        .key = {.file = files.write("me.key", mine.key)}};
    const Server server{fixture.context, fixture.answers({ok("1")}),
                        ServerTls{server_identity, old_ca.certificate() + new_ca.certificate()}};
    const auto client = fixture.client(server, access, "https");
    CHECK(fixture.ask(*client).body == "1");
    CHECK(fixture.ask(*client).body == "1");
    CHECK(server.connections() == 1);
    mine = new_ca.issue("me", "");
    files.write("me.crt", mine.certificate);
    fixture.clock.advance(std::chrono::seconds{11}); // between the two writings they do not fit
    CHECK(fixture.ask(*client).body == "1");
    CHECK(server.connections() == 1);
    files.write("me.key", mine.key);
    fixture.clock.advance(std::chrono::seconds{11});
    CHECK(fixture.ask(*client).body == "1");
    CHECK(server.connections() == 2);
}

TEST_CASE("Without credentials that can be read nothing is sent", "[api][client]") {
    Fixture fixture;
    const Server server{fixture.context, fixture.answers({ok("1")})};
    const auto client = fixture.client(server, {.token = {.file = "/no/such/token"}});
    CHECK_THROWS_WITH(fixture.ask(*client), "the test names a token file that cannot be read: "
                                            "/no/such/token: No such file or directory");
    CHECK(fixture.requests.empty());
}

TEST_CASE("The bucket gives its burst at once, then a token at a time", "[api]") {
    TokenBucket bucket{5, 2};
    const TokenBucket::Moment start{};
    using std::chrono::milliseconds;
    CHECK(bucket.take(start).count() == 0);
    CHECK(bucket.take(start).count() == 0);
    CHECK(bucket.take(start) == milliseconds{200});
    CHECK(bucket.take(start) == milliseconds{400});
    CHECK(bucket.take(start + milliseconds{1000}).count() == 0); // 5 came, 2 were owed, 2 fit
    CHECK(bucket.take(start + std::chrono::hours{1}).count() == 0);
    CHECK(bucket.take(start + std::chrono::hours{1}).count() == 0);
    CHECK(bucket.take(start + std::chrono::hours{1}) == milliseconds{200});
    TokenBucket unlimited{-1, 1};
    for (int i = 0; i < 100; ++i)
        CHECK(unlimited.take(start).count() == 0);
}

TEST_CASE("The user agent names program, machine and what it stands for", "[api]") {
    CHECK_THAT(user_agent("1.2.3", "v1.36.2"),
               Catch::Matches(R"(ipvsproxy/1\.2\.3 \(linux/[a-z0-9_]+\) kube-proxy/v1\.36\.2)"));
}
