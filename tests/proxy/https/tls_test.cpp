#include "proxy/https/tls.h"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "proxy/https/dial.h"
#include "tests/proxy/https/server.h"

using namespace ipvsproxy;
using namespace ipvsproxy::https;
using namespace ipvsproxy::https_test;

namespace {

/// A server with a certificate for `names`, and what a client with these settings makes of it.
struct Meeting {
    Authority authority{};
    asio::io_context context{};

    static asio::awaitable<void> echo(Stream& stream, int) {
        const std::string said = co_await read_request(stream);
        co_await stream.write(said);
    }
    asio::awaitable<void> talk(Route route, std::string& heard) {
        Dialer dialer;
        const auto stream = co_await dialer.dial(std::move(route));
        co_await stream->write("hello\r\n\r\n");
        heard = co_await read_request(*stream);
    }
    /// @return what the server said; throws what the client did.
    std::string meet(const ServerTls& tls, const TlsSettings& settings,
                     const std::string& name = "") {
        const Server server{context, echo, tls};
        const auto url = parse_url("https://127.0.0.1:" + std::to_string(server.port())).value();
        Route route{.server = url, .tls = make_tls_context(settings), .server_name = name};
        std::string heard;
        run(context, talk(std::move(route), heard));
        return heard;
    }
};

} // namespace

TEST_CASE("A certificate of the trusted CA for the server's address is accepted", "[https][tls]") {
    Meeting meeting;
    const ServerTls tls{meeting.authority.issue("kubernetes", "DNS:kubernetes,IP:127.0.0.1")};
    CHECK(meeting.meet(tls, {.ca_pem = meeting.authority.certificate()}) == "hello\r\n\r\n");
    CHECK(meeting.meet(tls, {.ca_pem = meeting.authority.certificate()}, "kubernetes") ==
          "hello\r\n\r\n");
    CHECK(meeting.meet(tls, {.ca_pem = tls.identity.certificate}) ==
          "hello\r\n\r\n"); // trusted by itself
}

TEST_CASE("A certificate for other names is refused, and the remedy named", "[https][tls]") {
    Meeting meeting;
    const TlsSettings settings{.ca_pem = meeting.authority.certificate()};
    const auto refused =
        Catch::Matches(".*: TLS: its certificate is for other names than .*tls-server-name.*");
    CHECK_THROWS_WITH(meeting.meet({meeting.authority.issue("a", "IP:127.0.0.2")}, settings),
                      refused);
    CHECK_THROWS_WITH(meeting.meet({meeting.authority.issue("a", "DNS:127.0.0.1")}, settings),
                      refused);
    CHECK_THROWS_WITH(meeting.meet({meeting.authority.issue("127.0.0.1", "")}, settings), refused);
    CHECK_THROWS_WITH(meeting.meet({meeting.authority.issue("a", "IP:127.0.0.1")}, settings, "b"),
                      refused);
    CHECK_THROWS_WITH(meeting.meet({meeting.authority.issue("b", "DNS:a")}, settings, "b"),
                      refused); // no CN
    CHECK(meeting.meet({meeting.authority.issue("a", "DNS:*.kube.example")}, settings,
                       "x.kube.example") == "hello\r\n\r\n");
}

TEST_CASE("A certificate of another CA is refused unless all are to be taken", "[https][tls]") {
    Meeting meeting;
    const Authority other;
    const ServerTls tls{meeting.authority.issue("a", "IP:127.0.0.1")};
    const auto refused =
        Catch::Matches("server 127\\.0\\.0\\.1:.*: TLS: its certificate is not trusted: .*");
    CHECK_THROWS_WITH(meeting.meet(tls, {.ca_pem = other.certificate()}), refused);
    CHECK_THROWS_WITH(meeting.meet(tls, {}), refused); // the system's
    CHECK(meeting.meet(tls, {.insecure = true}) == "hello\r\n\r\n");
    const auto both = other.certificate() + meeting.authority.certificate();
    CHECK(meeting.meet(tls, {.ca_pem = both}) == "hello\r\n\r\n");
}

TEST_CASE("A client certificate is shown where the server asks for one", "[https][tls]") {
    Meeting meeting;
    const ServerTls tls{meeting.authority.issue("a", "IP:127.0.0.1"),
                        meeting.authority.certificate()};
    TlsSettings settings{.ca_pem = meeting.authority.certificate()};
    CHECK_THROWS_AS(meeting.meet(tls, settings), boost::system::system_error);
    const auto mine = meeting.authority.issue("system:kube-proxy", "");
    settings.certificate_pem = mine.certificate;
    settings.key_pem = mine.key;
    CHECK(meeting.meet(tls, settings) == "hello\r\n\r\n");
}

TEST_CASE("Settings that are of no use are named", "[https][tls]") {
    Authority authority;
    const auto one = authority.issue("one", "");
    const auto two = authority.issue("two", "");
    CHECK_THROWS_WITH(make_tls_context({.ca_pem = "nonsense"}),
                      Catch::StartsWith("no certificate in the CA bundle"));
    CHECK_THROWS_WITH(make_tls_context({.certificate_pem = "x", .key_pem = one.key}),
                      Catch::StartsWith("no client certificate"));
    CHECK_THROWS_WITH(make_tls_context({.certificate_pem = one.certificate, .key_pem = "x"}),
                      Catch::StartsWith("no usable client key"));
    CHECK_THROWS_WITH(make_tls_context({.certificate_pem = one.certificate, .key_pem = two.key}),
                      Catch::StartsWith("the client key does not fit the certificate"));
}

TEST_CASE("A certificate's end is told", "[https][tls]") {
    Authority authority;
    CHECK(certificate_end(authority.certificate()).size() ==
          std::string{"2027-01-31T12:00:00Z"}.size());
    CHECK(certificate_end("nonsense").empty());
}
