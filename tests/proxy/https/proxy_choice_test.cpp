#include "proxy/https/proxy_choice.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy::https;

namespace {

/// Whether a request for `server` goes through the proxy, with this NO_PROXY.
bool proxied(const char* server, const char* no_proxy) {
    const ProxyEnvironment environment{.https_proxy = "proxy:3128", .no_proxy = no_proxy};
    return choose_proxy(parse_url(server).value(), environment).value().has_value();
}

} // namespace

TEST_CASE("The environment's proxy is the one for the server's scheme", "[https]") {
    const ProxyEnvironment environment{.http_proxy = "http://plain:1",
                                       .https_proxy = "socks5://safe:2"};
    CHECK(choose_proxy(parse_url("https://a").value(), environment).value()->text() ==
          "socks5://safe:2");
    CHECK(choose_proxy(parse_url("http://a").value(), environment).value()->text() ==
          "http://plain:1");
    CHECK(!choose_proxy(parse_url("https://a").value(), {.http_proxy = "x"}).value());
    CHECK(choose_proxy(parse_url("https://a").value(), {.https_proxy = "x:1"}).value()->scheme ==
          "http");
    CHECK(choose_proxy(parse_url("https://a").value(), {.https_proxy = "ftp://x"}).has_error());
}

TEST_CASE("This host is never asked for through a proxy", "[https]") {
    for (const auto* const server : {"https://localhost", "https://127.0.0.1:6443",
                                     "https://127.8.0.1", "https://[::1]:6443"}) {
        CAPTURE(server);
        CHECK(!proxied(server, ""));
    }
    CHECK(proxied("https://10.96.0.1", ""));
}

TEST_CASE("NO_PROXY names what goes straight", "[https]") {
    CHECK(!proxied("https://10.96.0.1", "*"));
    CHECK(!proxied("https://10.96.0.1", "example.com, 10.96.0.1"));
    CHECK(!proxied("https://10.96.0.1:6443", "10.96.0.0/12"));
    CHECK(proxied("https://10.112.0.1", "10.96.0.0/12"));
    CHECK(!proxied("https://[fd00::1]:6443", "fd00::/8"));
    CHECK(!proxied("https://[fd00::1]:6443", "fd00::1"));
    CHECK(!proxied("https://[fd00::1]:6443", "[fd00::1]:6443"));
    CHECK(proxied("https://[fd00::1]:6443", "[fd00::1]:443"));
    CHECK(!proxied("https://kube.example.com", "example.com"));
    CHECK(!proxied("https://example.com", "example.com"));
    CHECK(proxied("https://badexample.com", "example.com"));
    CHECK(!proxied("https://kube.example.com", ".example.com"));
    CHECK(proxied("https://example.com", ".example.com"));
    CHECK(!proxied("https://kube.example.com", "*.example.com"));
    CHECK(!proxied("https://kube:6443", "kube:6443"));
    CHECK(proxied("https://kube:6443", "kube:443"));
    CHECK(proxied("https://kube", " , ,"));
}
