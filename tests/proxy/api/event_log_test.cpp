#include "proxy/api/event_log.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy::api;
using std::chrono::minutes;

namespace {

const ApiEvent starting{.reason = "Starting",
                        .action = "StartKubeProxy",
                        .regarding = {.kind = "Node", .name = "node-1"}};
const ApiEvent refused{.type = "Warning",
                       .reason = "FailedToStartServiceHealthcheck",
                       .action = "Listen",
                       .regarding = {.kind = "Service", .name = "web", .name_space = "shop"},
                       .note = "port 80 is in use"};
const EventRecord::Time noon{std::chrono::microseconds{1'795'226'747'000'123}};

} // namespace

TEST_CASE("An event is created as the API server wants it", "[api][events]") {
    EventLog log;
    const auto record = log.observe(starting, noon);
    const auto request = create_request(record.value(), "node-1");
    CHECK(request.method == "POST");
    CHECK(request.target == "/apis/events.k8s.io/v1/namespaces/default/events");
    CHECK(request.content_type == "application/json");
    CHECK(
        request.body ==
        R"({"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":{"name":"node-1.18e9ed370238ee78","namespace":"default"},)"
        R"("eventTime":"2026-11-21T02:05:47.000123Z","reportingController":"kube-proxy","reportingInstance":"kube-proxy-node-1",)"
        R"("action":"StartKubeProxy","reason":"Starting","regarding":{"kind":"Node","name":"node-1","apiVersion":"v1"},"note":"","type":"Normal"})");
}

TEST_CASE("An event about an object goes to its namespace", "[api][events]") {
    EventLog log;
    const auto request = create_request(log.observe(refused, noon).value(), "node-1");
    CHECK(request.target == "/apis/events.k8s.io/v1/namespaces/shop/events");
    CHECK_THAT(
        request.body,
        Catch::Contains(
            R"("regarding":{"kind":"Service","name":"web","apiVersion":"v1","namespace":"shop"})"));
    CHECK_THAT(request.body, Catch::Contains(R"("type":"Warning")"));
    auto vague = refused;
    vague.regarding.api_version.clear();
    vague.regarding.uid = "shop/web";
    CHECK_THAT(
        create_request(log.observe(vague, noon).value(), "node-1").body,
        Catch::Contains(
            R"("regarding":{"kind":"Service","name":"web","namespace":"shop","uid":"shop/web"})"));
}

TEST_CASE("A note is cut to what the API takes, between characters", "[api][events]") {
    EventLog log;
    auto long_one = refused;
    long_one.note = std::string(1023, 'x') + "ü and more";
    const auto request = create_request(log.observe(long_one, noon).value(), "n");
    CHECK_THAT(request.body, Catch::Contains("\"note\":\"" + std::string(1023, 'x') + "\""));
}

TEST_CASE("What happens again is a series, whatever its note", "[api][events]") {
    EventLog log;
    auto again = refused;
    again.note = "port 80 is still in use";
    CHECK(log.observe(refused, noon));
    CHECK(log.observe(starting, noon)); // another
    const auto series = log.observe(again, noon + minutes{1});
    REQUIRE(series);
    const auto request = series_request(*series);
    CHECK(request.method == "PATCH");
    CHECK_THAT(request.target,
               Catch::StartsWith("/apis/events.k8s.io/v1/namespaces/shop/events/web."));
    CHECK(request.content_type == "application/strategic-merge-patch+json");
    CHECK(request.body ==
          R"({"series":{"count":2,"lastObservedTime":"2026-11-21T02:06:47.000123Z"}})");
    CHECK_THAT(create_request(*series, "n").body, Catch::Contains(R"("series":{"count":2)"));
    CHECK(!log.observe(again, noon + minutes{2}));
}

TEST_CASE("A series is written every half hour, and at its end", "[api][events]") {
    EventLog log;
    for (int minute = 0; minute <= 29; ++minute) {
        log.observe(refused, noon + minutes{minute});
        CHECK(log.due(noon + minutes{minute}).empty());
    }
    log.observe(refused, noon + minutes{31}); // the first repetition was written at minute 1
    const auto due = log.due(noon + minutes{31});
    REQUIRE(due.size() == 1);
    CHECK(due[0].count == 31);
    CHECK(log.due(noon + minutes{36}).empty());
    log.observe(refused, noon + minutes{36});
    const auto last = log.due(noon + minutes{42});
    REQUIRE(last.size() == 1);
    CHECK(last[0].count == 32);
    CHECK(log.empty());
    CHECK(log.observe(refused, noon + minutes{43})->count == 1); // another story
}

TEST_CASE("A single event is forgotten without a word", "[api][events]") {
    EventLog log;
    log.observe(starting, noon);
    CHECK(log.due(noon + minutes{5}).empty());
    CHECK(!log.empty());
    CHECK(log.due(noon + minutes{6}).empty());
    CHECK(log.empty());
}
