#include <catch2/catch.hpp>

#include "ipvs/memory_table.h"
#include "proxy/plan/drain.h"
#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;
using namespace std::chrono_literals;

namespace {

const Moment now{1h};
constexpr auto tcp = "10.96.0.10:80/TCP", udp = "10.96.0.10:53/UDP", sctp = "10.96.0.10:70/SCTP";

ipvs::DestinationKey real(std::string_view server, const char* address = "10.244.0.1") {
    return {key(server), ip(address), Port{8080}};
}

/// A kernel with one real server behind each of three virtual servers.
ipvs::MemoryTable kernel() {
    ipvs::MemoryTable table;
    for (const auto* server : {tcp, udp, sctp})
        table.put(real(server), {});
    return table;
}

ipvs::TableChanges removal(std::initializer_list<ipvs::DestinationKey> keys) {
    ipvs::TableChanges changes;
    changes.destinations.remove = keys;
    return changes;
}

Leaving drained(ipvs::MemoryTable& table, ipvs::TableChanges& changes,
                const Deadlines& deadlines = {}) {
    return drain(changes, table.look_up(leaving_to_count(changes)), deadlines, now);
}

} // namespace

TEST_CASE("P-180 an idle TCP real server is removed at once", "[plan]") {
    auto table = kernel();
    auto changes = removal({real(tcp)});
    CHECK(drained(table, changes).empty());
    CHECK(changes.destinations.remove.size() == 1);
    CHECK(changes.destinations.update.empty());
}

TEST_CASE("P-181 a TCP real server with connections is left at weight 0", "[plan]") {
    const auto status = GENERATE(ipvs::DestinationStatus{10, 10, 0}, ipvs::DestinationStatus{1},
                                 ipvs::DestinationStatus{0, 1, 0});
    auto table = kernel();
    table.connect(real(tcp), status);
    auto changes = removal({real(tcp)});
    const auto leaving = drained(table, changes);
    CHECK(changes.destinations.remove.empty());
    REQUIRE(changes.destinations.update.size() == 1);
    CHECK(changes.destinations.update.at(real(tcp)).weight == 0);
    CHECK(leaving == changes.destinations.update);
    CHECK(text(describe_leaving(leaving)) ==
          "# node\n~ ipvsadm -e -t 10.96.0.10:80 -r 10.244.0.1:8080 -m -w 0"
          "  # leaving, has connections\n");
}

TEST_CASE("persistence templates alone keep nobody", "[plan]") {
    auto table = kernel();
    table.connect(real(tcp), {.persistent_connections = 5});
    auto changes = removal({real(tcp)});
    CHECK(drained(table, changes).empty());
    CHECK(changes.destinations.remove.size() == 1);
}

TEST_CASE("P-182 UDP and SCTP real servers go at once, whatever they carry", "[plan]") {
    auto table = kernel();
    for (const auto* server : {udp, sctp}) {
        table.connect(real(server), {10, 10, 0});
        auto changes = removal({real(server)});
        CHECK(leaving_to_count(changes).empty());
        // Even a count that somebody made does not hold them.
        const std::vector all{key(udp), key(sctp)};
        CHECK(drain(changes, table.destinations(all), {}, now).empty());
        CHECK(changes.destinations.remove.size() == 1);
    }
}

TEST_CASE("P-183 a real server that the kernel does not have leaves no trace", "[plan]") {
    auto table = kernel();
    table.connect(real(tcp), {10, 10, 0});
    auto changes = removal({real(tcp, "10.244.0.9")});
    CHECK(drained(table, changes).empty());
    CHECK(changes.destinations.update.empty());
}

TEST_CASE("X-018 a virtual server that goes takes busy real servers along", "[plan]") {
    auto table = kernel();
    table.connect(real(tcp), {10, 10, 0});
    auto changes = removal({real(tcp)});
    changes.services.remove = {key(tcp)};
    CHECK(leaving_to_count(changes).empty());
    const std::vector all{key(tcp)};
    CHECK(drain(changes, table.destinations(all), {}, now).empty());
    CHECK(changes.destinations.update.empty());
}

TEST_CASE("D-08 one that drains already costs no write, and keeps what else is set", "[plan]") {
    auto table = kernel();
    table.put(real(tcp), {.weight = 0, .upper_threshold = 7});
    table.connect(real(tcp), {1, 0, 0});
    auto changes = removal({real(tcp)});
    const auto leaving = drained(table, changes);
    CHECK(changes.empty());
    CHECK(leaving.at(real(tcp)) == ipvs::DestinationSpec{.weight = 0, .upper_threshold = 7});
}

TEST_CASE("D-08 past its deadline a busy real server goes", "[plan]") {
    auto table = kernel();
    table.connect(real(tcp), {1, 0, 0});
    for (const auto& [deadline, goes] : std::map<Moment, bool>{
             {now - 1s, true}, {now, true}, {now + 1s, false}, {Moment::max(), false}}) {
        auto changes = removal({real(tcp)});
        CHECK(drained(table, changes, {{real(tcp), deadline}}).empty() == goes);
        CHECK(changes.destinations.remove.empty() != goes);
    }
}

TEST_CASE("only TCP real servers that leave a virtual server which stays are counted", "[plan]") {
    auto changes = removal({real(tcp), real(tcp, "10.244.0.2"), real(udp), real(sctp),
                            real("10.96.0.11:80/TCP"), real("10.96.0.12:80/TCP")});
    changes.services.remove = {key("10.96.0.12:80/TCP")};
    CHECK(leaving_to_count(changes) ==
          std::vector{real(tcp), real(tcp, "10.244.0.2"), real("10.96.0.11:80/TCP")});
}

TEST_CASE("D-08 draining is looked at soon, then less often, and at the limit", "[plan]") {
    Drains drains{30s};
    auto at = now;
    std::vector<std::chrono::seconds> pauses;
    for (int i = 0; i < 7; ++i) {
        const auto next = drains.put_off(real(tcp), at);
        pauses.push_back(std::chrono::duration_cast<std::chrono::seconds>(next - at));
        at = next;
    }
    CHECK(pauses == std::vector{1s, 2s, 4s, 8s, 10s, 5s, 0s});
    CHECK(drains.deadlines() == Deadlines{{real(tcp), now + 30s}});
    CHECK(drains.size() == 1);
    drains.forget(real(tcp));
    CHECK(drains.size() == 0);
    CHECK(drains.put_off(real(tcp), at) == at + 1s); // it begins anew
}

TEST_CASE("D-08 a limit of zero is none", "[plan]") {
    Drains drains{0s};
    CHECK(drains.put_off(real(tcp), now) == now + 1s);
    CHECK(drains.deadlines().at(real(tcp)) == Moment::max());
}

TEST_CASE("D-08 an endpoint that comes back while it drains is given its weight again", "[plan]") {
    Scenario node;
    node.put(web()).put(slice("R.1 R.2"));
    node.round();
    node.put(slice("R.2"));
    auto changes = node.state().changes();
    REQUIRE(changes.ipvs.destinations.remove.size() == 1);
    // What a round does with a busy one: weight 0 is written and believed, the removal waits.
    const ipvs::DestinationSpec quiet{.weight = 0};
    node.state().destinations().observe(real(tcp), quiet);
    node.state().destinations().hold(real(tcp), now + 1s);
    CHECK(node.state().changes(now).empty());
    CHECK(node.state().changes(now + 1s).ipvs.destinations.remove.size() == 1);

    node.put(slice("R.1 R.2"));
    changes = node.state().changes(now);
    CHECK(changes.ipvs.destinations.remove.empty());
    CHECK(changes.ipvs.destinations.update ==
          ipvs::Destinations{{real(tcp), ipvs::DestinationSpec{}}});
}
