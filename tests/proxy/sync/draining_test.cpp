// Real servers on their way out, from round to round.
#include <catch2/catch.hpp>

#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;

namespace {

constexpr auto web = "10.96.0.10:80/TCP";
const auto leaving = real_server(web, "10.244.0.2");
const auto object = service("web", "10.96.0.10");

/// A busy real server that is no endpoint any more: one round later.
class Leaving : public PaperNode {
public:
    explicit Leaving(std::chrono::seconds limit = 15min) : PaperNode{settings(limit)} {
        put(object, "L.1 R.2");
        adopt();
        REQUIRE(round().clean());
        tables.ipvs.connect(leaving, {.active_connections = 3});
        put(object, "L.1");
        report = round();
    }
    Report report;

    /// Nothing: it has gone.
    std::optional<std::int32_t> weight() const {
        const auto at = tables.ipvs.held_destinations().find(leaving);
        return at == tables.ipvs.held_destinations().end() ? std::nullopt
                                                           : std::optional{at->second.weight};
    }

private:
    static plan::Settings settings(std::chrono::seconds limit) {
        plan::Settings all;
        all.drain_limit = limit;
        return all;
    }
};

} // namespace

TEST_CASE("D-08 a busy real server drains and goes soon after its last connection", "[sync]") {
    Leaving node;
    CHECK(node.weight() == 0);
    CHECK(node.report.clean());
    CHECK(node.report.leaving.size() == 1);
    CHECK(node.cluster().draining() == 1);
    CHECK(node.cluster().next_due(node.now) == node.now + 1s);
    const auto writes = node.tables.writes();
    CHECK(node.round().leaving.empty()); // not looked at before its time
    CHECK(node.round_in(1s).leaving.size() == 1);
    CHECK(node.tables.writes() == writes); // looking is no writing
    node.tables.ipvs.connect(leaving, {});
    CHECK(node.weight() == 0);
    CHECK(node.round_in(2s).changes == 1);
    CHECK_FALSE(node.weight());
    CHECK(node.cluster().draining() == 0);
    CHECK_FALSE(node.cluster().next_due(node.now));
    CHECK(node.tables.text() == node.wanted());
}

TEST_CASE("D-08 at the limit a draining real server goes with its connections", "[sync]") {
    Leaving node{60s};
    const auto begun = node.now;
    int looks = 0;
    while (node.weight()) {
        const auto due = node.cluster().next_due(node.now);
        REQUIRE(due);
        REQUIRE(*due <= begun + 60s);
        node.now = *due;
        node.round();
        ++looks;
    }
    CHECK(node.now == begun + 60s);
    CHECK(looks < 15);
    CHECK(node.cluster().draining() == 0);
}

TEST_CASE("D-08 without a limit it keeps its connections as long as they last", "[sync]") {
    Leaving node{0s};
    for (int i = 0; i < 100; ++i)
        node.round_in(1h);
    CHECK(node.weight() == 0);
    node.tables.ipvs.connect(leaving, {});
    node.round_in(10s);
    CHECK_FALSE(node.weight());
}

TEST_CASE("a draining real server that is wanted again gets its weight back in place", "[sync]") {
    Leaving node;
    const auto writes = node.tables.ipvs.writes();
    node.put(object, "L.1 R.2");
    const auto report = node.round();
    CHECK(report.changes == 1);
    CHECK(node.tables.ipvs.writes() == writes + 1);
    CHECK(node.weight() == 1);
    CHECK(node.cluster().draining() == 0);
    // Leaving once more, it has all its time again.
    node.put(object, "L.1");
    node.round_in(1h);
    CHECK(node.weight() == 0);
    CHECK(node.cluster().draining() == 1);
}

TEST_CASE("D-08 draining is taken up again after a restart", "[sync]") {
    Leaving node{60s};
    const auto writes = node.tables.writes();
    node.restart();
    const auto report = node.round();
    CHECK(report.leaving.size() == 1);
    CHECK(node.tables.writes() == writes);
    CHECK(node.weight() == 0);
    CHECK(node.cluster().draining() == 1);
    node.tables.ipvs.connect(leaving, {});
    node.round_in(1s);
    CHECK_FALSE(node.weight());
}

TEST_CASE("an audit sees nothing wrong with a draining real server", "[sync]") {
    Leaving node;
    CHECK(node.audit() == 0);
    SECTION("unless somebody gives it weight again") {
        node.tables.ipvs.put(leaving, {.weight = 1});
        CHECK(node.audit() == 1);
        node.round_in(1s);
        CHECK(node.weight() == 0);
    }
    SECTION("or it has gone") {
        node.tables.ipvs.drop(leaving);
        CHECK(node.audit() == 0);
        CHECK(node.round_in(1s).changes == 0);
        CHECK_FALSE(node.cluster().next_due(node.now));
    }
}

TEST_CASE("a draining real server goes with its virtual server", "[sync]") {
    Leaving node;
    node.remove("web");
    node.round();
    CHECK(node.tables.ipvs.held_services().empty());
    node.settle();
    CHECK(node.cluster().draining() == 0);
    CHECK(node.tables.text() == node.wanted());
}

TEST_CASE("connections that cannot be counted are not cut", "[sync]") {
    Leaving node;
    node.put(object, "R.3");
    node.tables.ipvs.fail(std::errc::no_buffer_space, 1);
    const auto report = node.round();
    CHECK(node.tables.ipvs.held_destinations().contains(real_server(web, "10.244.0.1")));
    CHECK(node.tables.ipvs.held_destinations().contains(real_server(web, "10.244.0.3")));
    CHECK(report.doubtful == std::set{Part::destinations});
    CHECK(report.refused[0].object == "IPVS real servers");
    node.audit(report.doubtful);
    node.tables.ipvs.connect(leaving, {});
    node.now += 10s;
    node.settle();
    CHECK(node.tables.text() == node.wanted());
}

TEST_CASE("a real server that may not be quietened stays, is told, and tried again", "[sync]") {
    PaperNode node;
    node.put(object, "L.1 R.2");
    node.adopt();
    node.round();
    node.tables.ipvs.connect(leaving, {.active_connections = 3});
    node.tables.ipvs.refuse(leaving, std::errc::not_enough_memory, 1);
    node.put(object, "L.1");
    const auto report = node.round();
    CHECK(report.refused.size() == 1);
    CHECK(node.tables.ipvs.held_destinations().at(leaving).weight == 1);
    node.round_in(1s);
    CHECK(node.tables.ipvs.held_destinations().at(leaving).weight == 0);
}
