#include "ipset/memory_table.h"

#include <catch2/catch.hpp>

#include "tests/ipset/table_contract.h"

namespace ipvsproxy::ipset::test {
namespace {

Bench bench_of(MemoryTable& table) {
    return {table, [&](const std::string& set) { table.use(set); },
            [&](const std::string& set) { table.add_foreign(set); }};
}

TEST_CASE("MemoryTable keeps every kind of set", "[ipset]") {
    MemoryTable table;
    for (const auto& spec : all_specs())
        keeps_every_kind_of_set(table, spec);
}

TEST_CASE("MemoryTable keeps the rules of entries", "[ipset]") {
    MemoryTable table;
    keeps_entry_rules(table);
}

TEST_CASE("MemoryTable keeps the rules of missing and foreign sets", "[ipset]") {
    MemoryTable table;
    keeps_missing_and_foreign_rules(bench_of(table));
}

TEST_CASE("MemoryTable keeps the rules of creation", "[ipset]") {
    MemoryTable table;
    keeps_creation_rules(bench_of(table));
}

TEST_CASE("P-193 the twin's entries become what is wanted, whatever they were", "[ipset]") {
    MemoryTable table;
    reaches_what_is_wanted(table);
}

TEST_CASE("MemoryTable refuses what it is told to, until told otherwise", "[ipset]") {
    MemoryTable table;
    const SetSpec spec;
    const Entry odd = entry(spec, 1);
    table.refuse({"set", odd}, errno_code(EINVAL));
    table.refuse({"other"}, errno_code(ENOMEM));
    auto changes = create("set", spec, entries(spec, 3));
    changes.sets.emplace("other", SetChanges{.create = spec, .spec = spec, .add = {odd}});
    CHECK(table.apply(changes).refused ==
          Refused{{{"other"}, errno_code(ENOMEM)}, {{"set", odd}, errno_code(EINVAL)}});
    CHECK(table.entries("set") == Entries{entry(spec, 0), entry(spec, 2)});
    CHECK(table.entries("other") == std::nullopt);
    table.accept({"set", odd});
    table.accept({"other"});
    CHECK(table.apply(changes).clean());
    CHECK(table.entries("set") == as_set(entries(spec, 3)));
}

TEST_CASE("MemoryTable loses the outcome of a batch that it did", "[ipset]") {
    MemoryTable table;
    const SetSpec spec{.max_entries = 2};
    table.lose_outcome("set");
    const auto outcome = table.apply(create("set", spec, entries(spec, 3)));
    CHECK(outcome.unknown == std::set<std::string>{"set"});
    CHECK(outcome.refused.empty());
    CHECK(table.entries("set") == as_set(entries(spec, 2)));
    CHECK(table.apply(create("set", spec)).clean());
}

TEST_CASE("MemoryTable counts what is written", "[ipset]") {
    MemoryTable table;
    const SetSpec spec;
    CHECK(table.apply(create("set", spec, entries(spec, 3))).clean());
    CHECK(table.writes() == 4);
    CHECK(table.headers().size() == 1);
    CHECK(table.entries("set")->size() == 3);
    CHECK(table.apply({}).clean());
    CHECK(table.writes() == 4);
}

TEST_CASE("MemoryTable throws while it is broken", "[ipset]") {
    MemoryTable table;
    table.break_with(errno_code(EPERM));
    CHECK_THROWS_AS(table.headers(), std::system_error);
    CHECK_THROWS_AS(table.entries("set"), std::system_error);
    CHECK_THROWS_AS(table.apply({}), std::system_error);
    table.break_with({});
    CHECK(table.headers().empty());
}

} // namespace
} // namespace ipvsproxy::ipset::test
