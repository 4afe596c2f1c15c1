#include "ipvs/memory_table.h"

#include <catch2/catch.hpp>

#include "tests/ipvs/table_contract.h"

namespace ipvsproxy::ipvs {
namespace {

const ServiceKey web = service("10.96.0.10");
const ServiceKey dns = service("10.96.0.11", 53, Protocol::udp);
const DestinationKey pod = destination(web, "10.244.0.5");

TEST_CASE("P-030 P-160 P-161 P-165 P-183 MemoryTable keeps the table contract", "[ipvs]") {
    MemoryTable table;
    contract::keeps_contract(table);
}

TEST_CASE("MemoryTable refuses a virtual server as often as it was told", "[ipvs]") {
    MemoryTable table;
    table.refuse(web, std::errc::not_enough_memory, 2);
    const TableChanges changes = adding({{web, plain(web)}, {dns, plain(dns)}});
    CHECK(table.apply(changes).services.front() ==
          Refusal<ServiceKey>{web, std::make_error_code(std::errc::not_enough_memory)});
    CHECK(table.held_services() == Services{{dns, plain(dns)}});
    CHECK_FALSE(table.apply(adding({{web, plain(web)}})).clean());
    CHECK(table.apply(adding({{web, plain(web)}})).clean());
    CHECK(table.writes() == 4);
}

TEST_CASE("MemoryTable refuses a real server until it relents", "[ipvs]") {
    MemoryTable table;
    table.put(web, plain(web));
    table.refuse(pod, std::errc::invalid_argument);
    for (int i = 0; i < 3; ++i)
        CHECK(table.apply(adding({}, {{pod, {}}})).destinations.size() == 1);
    table.relent();
    CHECK(table.apply(adding({}, {{pod, {}}})).clean());
    CHECK(table.writes() == 4);
}

TEST_CASE("MemoryTable loses an outcome half way", "[ipvs]") {
    MemoryTable table;
    const TableChanges changes = adding({{web, plain(web)}, {dns, plain(dns)}},
                                        {{pod, {}}, {destination(dns, "10.244.0.5", 53), {}}});
    table.lose_next_outcome();
    CHECK(table.apply({}).clean()); // nothing to lose yet
    const Outcome outcome = table.apply(changes);
    CHECK(outcome.unknown);
    CHECK(outcome.services.empty());
    CHECK(outcome.destinations.empty());
    CHECK(table.held_services().size() == 2);
    CHECK(table.held_destinations().empty());
    CHECK_FALSE(table.apply(changes).unknown);
    CHECK(table.held_destinations().size() == 2);
}

TEST_CASE("MemoryTable shows connections until the real server goes", "[ipvs]") {
    MemoryTable table;
    table.put(pod);
    table.connect(pod, {.active_connections = 3});
    CHECK(table.destinations(std::vector{web}).busy.at(pod).connections() == 3);
    CHECK(table.look_up(std::vector{pod}).busy.at(pod).connections() == 3);
    CHECK(table.apply(removing({}, {pod})).clean());
    table.put(pod);
    CHECK(table.destinations(std::vector{web}).busy.empty());
}

TEST_CASE("MemoryTable cannot be asked while it fails", "[ipvs]") {
    MemoryTable table;
    table.put(pod);
    table.fail(std::errc::operation_not_permitted, 2);
    CHECK_THROWS_AS(table.services(), std::system_error);
    CHECK_THROWS_AS(table.apply(removing({web})), std::system_error);
    CHECK(table.services().size() == 1);
    CHECK(table.writes() == 0);
    CHECK(table.reads() == 1);
}

} // namespace
} // namespace ipvsproxy::ipvs
