#include <catch2/catch.hpp>

#include "proxy/iptables/memory_tables.h"
#include "tests/proxy/iptables/recorded_rules.h"
#include "tests/proxy/iptables/tables_contract.h"

namespace ipvsproxy::iptables {
namespace {

TEST_CASE("MemoryTables keeps the table contract", "[iptables]") {
    MemoryTables tables(Family::v4);
    keeps_contract(tables);
}

TEST_CASE("MemoryTables takes all recorded rules, and the second time writes nothing",
          "[iptables]") {
    const Family family = GENERATE(Family::v4, Family::v6);
    MemoryTables tables(family);
    const TableChanges changes = changes_for(all_rules(family));
    REQUIRE(tables.apply(changes).empty());
    CHECK(tables.writes() == 2);
    for (const auto& [chain, rules] : changes.replace)
        CHECK(rules_of(tables, chain) == rules);
    REQUIRE(tables.apply(changes).empty());
    CHECK(tables.writes() == 2);
}

TEST_CASE("MemoryTables refuses the table it is told to, and only that", "[iptables]") {
    MemoryTables tables(Family::v4);
    const auto busy = make_error_code(std::errc::device_or_resource_busy);
    const Chain nat{TableName::nat, "KUBE-X"};
    const Chain filter{TableName::filter, "KUBE-X"};
    const TableChanges changes{.replace = {{nat, {}}, {filter, {}}}};
    tables.refuse(TableName::nat, busy);
    const auto refusals = tables.apply(changes);
    REQUIRE(refusals.size() == 1);
    CHECK(refusals.front().table == TableName::nat);
    CHECK(refusals.front().error == busy);
    CHECK_FALSE(tables.snapshot().contains(nat));
    CHECK(tables.snapshot().contains(filter));
    tables.refuse(TableName::nat, {});
    CHECK(tables.apply(changes).empty());
    CHECK(tables.snapshot().contains(nat));
}

TEST_CASE("P-040 whether MASQUERADE knows --random-fully is told by the tables", "[iptables]") {
    MemoryTables tables(Family::v4);
    CHECK(tables.random_fully());
    tables.set_random_fully(false);
    CHECK_FALSE(tables.random_fully());
}

} // namespace
} // namespace ipvsproxy::iptables
