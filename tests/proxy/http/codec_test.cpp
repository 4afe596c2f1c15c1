// The readers of HTTP/1.1: every way a message ends, cuts anywhere, and what is refused.
#include "proxy/http/codec.h"

#include <catch2/catch.hpp>
#include <ostream>

using namespace ipvsproxy::http;

namespace ipvsproxy::http {

std::ostream& operator<<(std::ostream& out, const Problem& problem) {
    return out << problem.status << " " << problem.reason;
}

} // namespace ipvsproxy::http

namespace {

using Expect = ResponseReader::Expect;

struct Read {
    unsigned status{};
    std::string body;
    BodyEnd end{};
    bool done{}, keep{};
    std::size_t taken{};
    std::optional<Problem> problem;
    friend bool operator==(const Read&, const Read&) = default;
};

/// Reads an answer that comes in pieces of a size, and the peer's close if it is not whole then.
Read read(std::string_view bytes, std::size_t size, Expect expect = Expect::body,
          Limits limits = {}) {
    Read read;
    ResponseReader reader{[&](std::string_view piece) { read.body += piece; }, expect, limits};
    while (read.taken < bytes.size() && !reader.done()) {
        const auto piece = bytes.substr(read.taken, size);
        const auto taken = reader.feed(piece);
        if (!taken) {
            read.problem = taken.error();
            CHECK(reader.feed("x").error() == taken.error());
            return read;
        }
        read.taken += *taken;
    }
    if (!reader.done()) read.problem = reader.end();
    read.status = reader.status();
    read.end = reader.body_end();
    read.done = reader.done();
    read.keep = reader.keep_alive();
    return read;
}

Read read(std::string_view bytes) {
    const auto whole = read(bytes, bytes.size() + 1);
    for (const std::size_t size : {1U, 2U, 3U, 7U})
        CHECK(read(bytes, size) == whole);
    return whole;
}

std::optional<Problem> refused(std::string_view bytes, Limits limits = {1024, 1024}) {
    RequestReader reader{limits};
    for (std::size_t at = 0; at < bytes.size() && !reader.done();) {
        const auto taken = reader.feed(bytes.substr(at, 1));
        if (!taken) return taken.error();
        at += *taken;
    }
    return {};
}

} // namespace

TEST_CASE("An answer with a length ends with it", "[http]") {
    const auto got = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    CHECK(got == Read{200, "hello", BodyEnd::length, true, true, 43, {}});
}

TEST_CASE("An answer in chunks is joined, extensions and trailers are passed over", "[http]") {
    const auto got = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
                          "5;a=\"b\"\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n");
    CHECK(got.body == "hello world");
    CHECK(got.end == BodyEnd::chunks);
    CHECK((got.done && got.keep && !got.problem));
}

TEST_CASE("An answer without a length ends with the connection", "[http]") {
    const auto got = read("HTTP/1.1 200 OK\r\n\r\nhello");
    CHECK(got.body == "hello");
    CHECK(got.end == BodyEnd::close);
    CHECK((got.done && !got.keep && !got.problem));
}

TEST_CASE("Connection: close and HTTP/1.0 end the connection", "[http]") {
    CHECK_FALSE(read("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").keep);
    CHECK_FALSE(read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keep);
    CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").keep);
}

TEST_CASE("An answer to HEAD or CONNECT ends with its head", "[http]") {
    const std::string_view head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
    const auto got = read(head, head.size(), Expect::head_only);
    CHECK(got == Read{200, "", BodyEnd::none, true, true, head.size(), {}});
    const auto tunnel = read("HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01", 100, Expect::head_only);
    CHECK(tunnel.taken == 19); // what follows is the tunnel's
    CHECK(tunnel.done);
    CHECK(read("HTTP/1.1 204 No Content\r\n\r\n").end == BodyEnd::none);
    CHECK(read("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n").done);
}

TEST_CASE("Interim answers are passed over", "[http]") {
    const auto got = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
                          "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
    CHECK(got.status == 201);
    CHECK(got.body == "ok");
    CHECK((got.done && got.keep));
    const auto cut = read("HTTP/1.1 100 Continue\r\n\r\n");
    REQUIRE(cut.problem);
    CHECK(cut.problem->reason == "the connection was closed within its head");
    std::string endless;
    for (int i = 0; i < 6; ++i)
        endless += "HTTP/1.1 100 Continue\r\n\r\n";
    CHECK(read(endless, 1).problem->reason == "too many interim answers came before it");
    CHECK(read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 1)
              .problem->reason == "it switches to a protocol that was not asked for");
}

TEST_CASE("A cut answer is told from a whole one, wherever it is cut", "[http]") {
    for (const std::string_view whole :
         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"})
        for (std::size_t length = 0; length < whole.size(); ++length) {
            const auto got = read(whole.substr(0, length), 100);
            REQUIRE(got.problem);
            CHECK_FALSE((got.done || got.keep));
            CHECK(std::string_view{"hello"}.starts_with(got.body));
        }
    CHECK(read("").problem->reason == "the connection was closed before it came");
    CHECK(read("HTTP/1.1 2").problem->reason == "the connection was closed within its head");
    CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell").problem->reason ==
          "the connection was closed within its body");
}

TEST_CASE("What follows an answer is not taken", "[http]") {
    const auto got = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200", 1000);
    CHECK(got.taken == 40);
    CHECK(got.body == "ok");
}

TEST_CASE("The head of an answer can be asked before its body has come", "[http]") {
    std::string body;
    ResponseReader reader{[&](std::string_view piece) { body += piece; }};
    CHECK_FALSE(reader.started());
    REQUIRE(reader.feed("HTTP/1.1 429 Slow\r\nretry-after: 7\r\nContent-Length: 3\r\n\r\na"));
    CHECK((reader.started() && reader.head_done() && !reader.done()));
    CHECK(reader.status() == 429);
    CHECK(*reader.headers().find("Retry-After") == "7");
    CHECK(reader.content_length() == 3U);
    CHECK(body == "a"); // pieces are not held back
    ResponseReader moved{std::move(reader)};
    REQUIRE(moved.feed("bc"));
    CHECK((moved.done() && body == "abc"));
}

TEST_CASE("Answers that are none are refused", "[http]") {
    const auto reason = [](std::string_view bytes) {
        const auto got = read(bytes, 1, Expect::body, {256, 64});
        return got.problem ? got.problem->reason : "";
    };
    CHECK(reason("SSH-2.0-OpenSSH\r\n") == "it is not HTTP");
    CHECK(reason("HTTP/2.0 200 OK\r\n\r\n").starts_with("it is not HTTP/1.1: "));
    CHECK(reason("\x15\x03\x01") == "it is not HTTP"); // a TLS alert
    CHECK(reason("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n") ==
          "its Transfer-Encoding is not chunked");
    CHECK(reason("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
              .starts_with("it is not HTTP/1.1: "));
    CHECK(reason("HTTP/1.1 200 OK\r\nA: " + std::string(300, 'a') + "\r\n\r\n") ==
          "its head is too large");
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 100; ++i)
        many += "A: b\r\n";
    CHECK(reason(many + "\r\n") == "its head is too large");
    CHECK(reason("HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n") == "its body is too large");
    CHECK(reason("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\nabc") ==
          "its body is too large");
    CHECK(reason("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc")
              .starts_with("it is not HTTP/1.1: "));
    CHECK(reason("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                 std::string(300, 'x')) == "its head is too large");
}

TEST_CASE("Requests of one connection are read one after the other", "[http]") {
    const std::string_view both = "PUT /debug/flags/v HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
                                  "\r\n4GET /healthz?a HTTP/1.1\r\nhost: h\r\n\r\n";
    for (const std::size_t size : {1U, 5U, 1000U}) {
        RequestReader reader;
        std::vector<Request> requests;
        for (std::size_t at = 0; at < both.size();) {
            at += *reader.feed(both.substr(at, size));
            if (!reader.done()) continue;
            CHECK(reader.keep_alive());
            requests.push_back(reader.take());
            CHECK_FALSE((reader.started() || reader.done()));
        }
        REQUIRE(requests.size() == 2);
        CHECK(requests[0] ==
              Request{"PUT", "/debug/flags/v", {{"Host", "h"}, {"Content-Length", "1"}}, "4"});
        CHECK(requests[1] == Request{"GET", "/healthz?a", {{"host", "h"}}, ""});
    }
}

TEST_CASE("A request tells whether its connection stays", "[http]") {
    const auto keeps = [](std::string_view bytes) {
        RequestReader reader;
        REQUIRE(reader.feed(bytes));
        REQUIRE(reader.done());
        return reader.keep_alive();
    };
    CHECK(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST_CASE("A client that waits for 100 Continue is told so until its body comes", "[http]") {
    RequestReader reader;
    REQUIRE(reader.feed("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n"));
    CHECK(reader.expects_continue());
    REQUIRE(reader.feed("2\r\nab\r\n0\r\n\r\n"));
    CHECK_FALSE(reader.expects_continue());
    CHECK(reader.take().body == "ab");
}

TEST_CASE("Requests that are none are refused with the status that says so", "[http]") {
    const auto status = [](std::string_view bytes) {
        const auto problem = refused(bytes);
        return problem ? problem->status : 200;
    };
    CHECK(status("GET / HTTP/1.1\r\nHost: h\r\n\r\n") == 200);
    CHECK(status("GET / HTTP/1.1\r\n\r\n") == 400); // no Host
    CHECK(status("nonsense\r\n\r\n") == 400);
    CHECK(status("GET  / HTTP/1.1\r\n\r\n") == 400);
    CHECK(status("GET / HTTP/1.1\r\nHost : h\r\n\r\n") == 400);
    CHECK(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 400);
    CHECK(status("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n") == 501);
    CHECK(status("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n") == 400);
    CHECK(status("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n") ==
          400);
    CHECK(status("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n") == 400);
    CHECK(status("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n"
                 "\r\n") == 400);
    CHECK(status("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1025\r\n\r\n") == 413);
    CHECK(status("GET /" + std::string(2000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n") == 431);
}
