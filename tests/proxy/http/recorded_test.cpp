// Answers of a real kube-apiserver, read in pieces of many sizes.
#include <catch2/catch.hpp>

#include "proxy/http/codec.h"
#include "tests/proxy/api/recorded.h"

using namespace ipvsproxy;
using namespace ipvsproxy::http;

TEST_CASE("Recorded answers of kube-apiserver are read whole, byte by byte too", "[http]") {
    const auto* const name = GENERATE(
        "endpointslices-list-gzip", "endpointslices-list", "endpointslices-watchlist",
        "event-created", "nodes-list", "notfound", "readyz", "services-list", "services-list-page2",
        "services-list-expired-continue", "services-watch", "services-watch-future",
        "services-watch-too-old", "services-watchlist", "unauthorized", "version");
    CAPTURE(name);
    const auto bytes = api::file_text(std::string{RECORDED_DIR} + "/" + name + ".http");
    const auto expected = api::recorded(name);
    for (const std::size_t size : {std::size_t{1}, std::size_t{100}, bytes.size()}) {
        std::string body;
        ResponseReader reader{[&](std::string_view piece) { body += piece; }};
        std::size_t at = 0;
        while (at < bytes.size() && !reader.done())
            at += *reader.feed(std::string_view{bytes}.substr(at, size));
        CHECK(at == bytes.size());
        CHECK((reader.done() && reader.keep_alive() && !reader.end()));
        CHECK(body == expected.body);
        CHECK(expected.head.starts_with("HTTP/1.1 " + std::to_string(reader.status()) + " "));
        CHECK(reader.headers().contains("audit-id"));
        const bool chunked = expected.head.find("chunked") != std::string::npos;
        CHECK(reader.body_end() == (chunked ? BodyEnd::chunks : BodyEnd::length));
    }
}
