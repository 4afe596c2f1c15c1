// HTTP messages: header fields, and what is written.
#include "proxy/http/message.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy::http;

TEST_CASE("Header fields are found whatever the case of their letters", "[http]") {
    Headers headers{{"Content-Type", "text/plain"}, {"Accept", "a/b"}, {"accept", "c/d;q=0.1"}};
    REQUIRE(headers.find("content-TYPE") != nullptr);
    CHECK(*headers.find("content-TYPE") == "text/plain");
    CHECK(headers.find("Content") == nullptr);
    CHECK(headers.joined("ACCEPT") == "a/b, c/d;q=0.1");
    CHECK(headers.joined("Host").empty());
    headers.add("Host", "h");
    CHECK(headers.contains("host"));
    CHECK(headers.size() == 4);
}

TEST_CASE("A request's target is split at the first question mark", "[http]") {
    const Request request{.target = "/healthz?verbose&a=b?c"};
    CHECK(request.path() == "/healthz");
    CHECK(request.query() == "verbose&a=b?c");
    CHECK(Request{.target = "/healthz"}.query().empty());
    CHECK(Request{.target = "/healthz"}.path() == "/healthz");
}

TEST_CASE("A request is written with the length of its body", "[http]") {
    const Request get{"GET", "/api?x=1", {{"Host", "[::1]:6443"}, {"Accept", "a"}}, ""};
    CHECK(*serialize(get) == "GET /api?x=1 HTTP/1.1\r\nHost: [::1]:6443\r\nAccept: a\r\n\r\n");
    const Request post{"POST", "/", {{"Host", "h"}}, "{}"};
    CHECK(*serialize(post) == "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
    const Request empty{"PUT", "/", {{"Host", "h"}}, ""};
    CHECK(*serialize(empty) == "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("What would break out of its line is not written", "[http]") {
    const auto refused = [](const Request& request) { return serialize(request).has_error(); };
    CHECK(serialize(Request{.headers = {{"Authorization", "Bearer a\r\nX: y"}}}).error().reason ==
          "header Authorization has a line break or control character in its value");
    CHECK(refused({.headers = {{"A", "b\nc"}}}));
    CHECK(refused({.headers = {{"A", std::string(1, '\0')}}}));
    CHECK(refused({.headers = {{"A b", "c"}}}));
    CHECK(refused({.headers = {{"A:", "c"}}}));
    CHECK(refused({.headers = {{"", "c"}}}));
    CHECK(refused({.method = "GET /x"}));
    CHECK(refused({.method = ""}));
    CHECK(refused({.target = "/a b"}));
    CHECK(refused({.target = "/a\r\n"}));
    CHECK(refused({.target = ""}));
    CHECK_FALSE(refused({.target = "/a%20b", .headers = {{"A", "tab\tand \xc3\xbc"}}}));
    CHECK(serialize(Response{200, {{"A", "b\r\n"}}, ""}, Connection::keep).has_error());
    CHECK(serialize(Response{.status = 99}, Connection::keep).has_error());
}

TEST_CASE("An answer says whether the connection stays", "[http]") {
    const Response answer{503, {{"Content-Type", "text/plain"}}, "no"};
    const std::string head =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n";
    CHECK(*serialize(answer, Connection::keep) == head + "\r\nno");
    CHECK(*serialize(answer, Connection::close) == head + "Connection: close\r\n\r\nno");
    CHECK(*serialize(answer, Connection::keep, true) == head + "\r\n");
    CHECK(*serialize(Response{.status = 204}, Connection::keep) ==
          "HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(*serialize(Response{.status = 299}, Connection::keep) ==
          "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n");
}
