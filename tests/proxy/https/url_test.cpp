#include "proxy/https/url.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy;
using namespace ipvsproxy::https;

TEST_CASE("A URL is its scheme, host, port and path", "[https]") {
    const auto url = parse_url("HTTPS://Kube.Example:6443/k8s/clusters/c-1/").value();
    CHECK(url.scheme == "https");
    CHECK(url.host == "kube.example");
    CHECK(url.port == Port{6443});
    CHECK(url.path == "/k8s/clusters/c-1");
    CHECK(url.authority == "Kube.Example:6443");
    CHECK(url.text() == "https://Kube.Example:6443/k8s/clusters/c-1");
}

TEST_CASE("Ports come from the scheme where none is written", "[https]") {
    CHECK(parse_url("https://a").value().port == Port{443});
    CHECK(parse_url("http://a/").value().port == Port{80});
    CHECK(parse_url("socks5://a").value().port == Port{1080});
    CHECK(parse_url("a:8080", "http").value().port == Port{8080});
    CHECK(parse_url("a:8080", "http").value().scheme == "http");
    CHECK(parse_url("a", "https").value().port == Port{443});
}

TEST_CASE("An IPv6 address has brackets", "[https]") {
    const auto url = parse_url("https://[fd00::1]:6443").value();
    CHECK(url.host == "fd00::1");
    CHECK(url.authority == "[fd00::1]:6443");
    CHECK(url.address() == Address::parse("fd00::1"));
    CHECK(parse_url("https://[fe80::1%25eth0]").value().host == "fe80::1%eth0");
    CHECK(parse_url("https://[fe80::1%25eth0]").value().address() == Address::parse("fe80::1"));
    CHECK(parse_url("https://fd00::1").error().reason ==
          "an IPv6 address needs brackets: [fd00::1]");
    CHECK(join_host_port("fd00::1", Port{80}) == "[fd00::1]:80");
    CHECK(join_host_port("a", Port{80}) == "a:80");
}

TEST_CASE("User and password are unescaped, and kept out of messages", "[https]") {
    const auto url = parse_url("http://me:p%40ss@proxy:3128").value();
    CHECK(url.user == "me");
    CHECK(url.password == "p@ss");
    CHECK(url.host == "proxy");
    CHECK(url.text() == "http://proxy:3128");
}

TEST_CASE("What cannot be gone to is refused with the reason", "[https]") {
    const auto reason = [](const char* text) { return parse_url(text).error().reason; };
    CHECK(reason("ftp://a") == "scheme \"ftp\" is not known");
    CHECK(reason("https://") == "it has no host");
    CHECK(reason("https://:6443") == "it has no host");
    CHECK(reason("https://a:0") == "port \"0\" is not within 1..65535");
    CHECK(reason("https://a:65536") == "port \"65536\" is not within 1..65535");
    CHECK(reason("https://a:x") == "port \"x\" is not within 1..65535");
    CHECK(reason("https://[::1") == "the bracket before the IPv6 address is not closed");
    CHECK(reason("https://[web]") == "[web] is no IPv6 address");
    CHECK(reason("https://[::1]x") == "there is something after ]");
    CHECK(reason("https://a b") == "there is a blank or control character in it");
    CHECK(reason("https://a/?q=1") == "a query or fragment has no place in it");
}
