// The health of the proxy, by the numbered parity cases P-220 to P-226.
#include "proxy/serve/health.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy;
using namespace ipvsproxy::serve;
using std::chrono::seconds;

namespace {

/// 2026-11-21T02:03:31Z and some seconds.
Instant at(std::int64_t second) {
    return {std::chrono::steady_clock::time_point{seconds{1000 + second}},
            std::chrono::system_clock::time_point{seconds{1795226611 + second}}};
}

/// Limit 10 s; a Node without anything odd was seen.
HealthState state() {
    HealthState health{seconds{5}};
    const model::Node node{.name = "node-1"};
    health.set_node(&node);
    return health;
}

HealthState both_updated() {
    auto health = state();
    health.updated(Family::v4, at(0));
    health.updated(Family::v6, at(0));
    return health;
}

bool says(const http::Response& page, std::string_view text) {
    return page.body.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("P-220: while nothing was reported the proxy is healthy, without a status", "[serve]") {
    const auto page = state().healthz(at(0));
    CHECK(page.status == 200);
    CHECK(page.body == R"({"lastUpdated":"2026-11-21T02:03:31Z",)"
                       R"("currentTime":"2026-11-21T02:03:31Z","nodeEligible":true,)"
                       R"("healthy":true})");
    CHECK(*page.headers.find("Content-Type") == "application/json");
    CHECK(*page.headers.find("X-Content-Type-Options") == "nosniff");
}

TEST_CASE("P-221: an idle proxy stays healthy and was last updated now", "[serve]") {
    const auto page = both_updated().livez(at(25));
    CHECK(page.status == 200);
    CHECK(page.body ==
          R"({"lastUpdated":"2026-11-21T02:03:56Z","currentTime":"2026-11-21T02:03:56Z",)"
          R"("healthy":true,"status":{"IPv4":{"lastUpdated":"2026-11-21T02:03:31Z",)"
          R"("healthy":true},"IPv6":{"lastUpdated":"2026-11-21T02:03:31Z","healthy":true}}})");
}

TEST_CASE("X-021: syncs that fail while no change waits for them leave the proxy healthy",
          "[serve]") {
    auto health = both_updated();
    health.queued(Family::v4, at(1));
    health.updated(Family::v4, at(2));
    const auto page = health.healthz(at(600)); // of which nobody reported an update since
    CHECK(page.status == 200);
    CHECK(says(page, R"("healthy":true)"));
}

TEST_CASE("P-222, P-223: a family that does not take up a change is unhealthy until it has",
          "[serve]") {
    auto health = both_updated();
    health.queued(Family::v4, at(1));
    health.queued(Family::v4, at(10)); // the oldest counts
    CHECK(health.healthz(at(10)).status == 200);
    const auto page = health.healthz(at(26));
    CHECK(page.status == 503);
    CHECK(page.body ==
          R"({"lastUpdated":"2026-11-21T02:03:31Z","currentTime":"2026-11-21T02:03:57Z",)"
          R"("nodeEligible":true,"healthy":false,"status":{"IPv4":{"lastUpdated":)"
          R"("2026-11-21T02:03:31Z","healthy":false},"IPv6":{"lastUpdated":)"
          R"("2026-11-21T02:03:31Z","healthy":true}}})");
    CHECK(health.livez(at(26)).status == 503);
    health.updated(Family::v4, at(27));
    CHECK(health.healthz(at(27)).status == 200);
}

TEST_CASE("P-224: the other family's update does not help", "[serve]") {
    auto health = both_updated();
    health.queued(Family::v6, at(0));
    health.updated(Family::v4, at(20));
    CHECK(health.healthz(at(25)).status == 503);
    health.updated(Family::v6, at(25));
    CHECK(health.healthz(at(25)).status == 200);
}

TEST_CASE("P-225: with both late it takes both", "[serve]") {
    auto health = both_updated();
    health.queued(Family::v4, at(0));
    health.queued(Family::v6, at(0));
    CHECK(health.healthz(at(10)).status == 503); // at the limit itself
    health.updated(Family::v4, at(25));
    CHECK(health.healthz(at(25)).status == 503);
    health.updated(Family::v6, at(25));
    CHECK(health.healthz(at(25)).status == 200);
}

TEST_CASE("P-226: a node that is to go is healthy but not eligible, which /livez does not ask",
          "[serve]") {
    auto health = both_updated();
    model::Node node{.name = "node-1"};
    health.set_node(&node); // with a taint of another key
    CHECK(health.healthz(at(1)).status == 200);
    const bool deleted = GENERATE(true, false);
    (deleted ? node.being_deleted : node.to_be_deleted_taint) = true;
    health.set_node(&node);
    const auto page = health.healthz(at(1));
    CHECK(page.status == 503);
    CHECK(says(page, R"("nodeEligible":false,"healthy":true)"));
    CHECK(says(page, R"({"lastUpdated":"2026-11-21T02:03:31Z")")); // the newest real update
    CHECK(health.livez(at(1)).status == 200);
    CHECK_FALSE(says(health.livez(at(1)), "nodeEligible"));
    health.set_node(nullptr); // its object goes: what was seen last counts
    CHECK(health.healthz(at(1)).status == 503);
}

TEST_CASE("A Node that was never seen is not eligible, unless nobody could describe it",
          "[serve]") {
    HealthState health{seconds{5}};
    CHECK(health.healthz(at(0)).status == 503);
    CHECK(says(health.healthz(at(0)), R"({"lastUpdated":"0001-01-01T00:00:00Z")"));
    CHECK(health.livez(at(0)).status == 200);
    health.do_without_node();
    CHECK(health.healthz(at(0)).status == 200);
    const model::Node leaving{.name = "n", .being_deleted = true};
    health.set_node(&leaving);
    health.do_without_node();
    CHECK(health.healthz(at(0)).status == 503);
}

TEST_CASE("A jump of the clock makes nobody late", "[serve]") {
    auto health = both_updated();
    health.queued(Family::v4, at(0));
    auto later = at(1);
    later.wall += std::chrono::hours{24};
    CHECK(health.healthz(later).status == 200);
}

TEST_CASE("Timestamps are Go's", "[serve]") {
    using std::chrono::nanoseconds;
    const auto text = [](std::int64_t nanosecond) {
        return timestamp(at(0).wall + nanoseconds{nanosecond});
    };
    CHECK(text(0) == "2026-11-21T02:03:31Z");
    CHECK(text(1) == "2026-11-21T02:03:31.000000001Z");
    CHECK(text(120'000'000) == "2026-11-21T02:03:31.12Z");
    CHECK(text(999'999'999) == "2026-11-21T02:03:31.999999999Z");
}
