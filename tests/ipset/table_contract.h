// One contract for the twin and for the kernel.
#pragma once

#include <catch2/catch.hpp>
#include <cerrno>
#include <functional>
#include <string>

#include "ipset/error.h"
#include "ipset/table.h"
#include "tests/ipset/entries.h"

namespace ipvsproxy::ipset::test {

/// An empty table, and what a Table has no way to do.
struct Bench {
    Table& table;
    std::function<void(const std::string&)> use;     ///< as if a rule named the set
    std::function<void(const std::string&)> foreign; ///< makes a set of a type that is not ours
};

using Refused = std::vector<Refusal<Subject>>;

inline std::error_code errno_code(int number) {
    return {number, std::generic_category()};
}

/// Any kind of set is created, filled, read back, changed and destroyed.
inline void keeps_every_kind_of_set(Table& table, const SetSpec& spec) {
    const std::string set = "KUBE-6-LOAD-BALANCER-SOURCE-CID"; // as long as a name may be
    INFO(spec);
    const auto first = entries(spec, 7);
    REQUIRE(table.apply(create(set, spec, first)).clean());
    const auto count = static_cast<std::uint32_t>(first.size());
    CHECK(table.headers() == SetHeaders{{set, {spec, count}}});
    CHECK(table.entries(set) == as_set(first));

    // All that is there already, and all that is missing already, counts as done.
    auto again = create(set, spec, first);
    again.sets.at(set).remove = entries(spec, 3, 100);
    CHECK(table.apply(again).clean());
    CHECK(table.entries(set) == as_set(first));

    CHECK(table
              .apply(change(set,
                            {.spec = spec, .remove = entries(spec, 5), .add = entries(spec, 4, 7)}))
              .clean());
    CHECK(table.entries(set) == as_set(entries(spec, 6, 5)));

    TableChanges end;
    end.destroy = {set, "KUBE-NEVER-WAS"};
    CHECK(table.apply(end).clean());
    CHECK(table.headers().empty());
    CHECK(table.entries(set) == std::nullopt);
}

inline void keeps_entry_rules(Table& table) {
    SECTION("entries that do not fit are refused by name, those that do are in") {
        const SetSpec spec{.type = Type::hash_ip_port, .max_entries = 4};
        const auto six = entries(spec, 6);
        const auto outcome = table.apply(create("small", spec, six));
        CHECK(outcome.refused ==
              Refused{{{"small", six[4]}, Error::full}, {{"small", six[5]}, Error::full}});
        CHECK(outcome.unknown.empty());
        CHECK(table.entries("small") == as_set(entries(spec, 4)));
        SECTION("one that a full set holds may be added to it again") {
            CHECK(table.apply(change("small", {.spec = spec, .add = {six[0], six[3]}})).clean());
        }
        SECTION("removals come first and make room") {
            CHECK(table
                      .apply(change(
                          "small",
                          {.spec = spec, .remove = {six[0], six[1]}, .add = {six[4], six[5]}}))
                      .clean());
            CHECK(table.entries("small") == as_set(entries(spec, 4, 2)));
        }
    }
    SECTION("a refused entry holds up none of the others") {
        const SetSpec spec{.type = Type::hash_ip_port_net};
        auto list = entries(spec, 9);
        list[4].second = Prefix{*Address::parse("0.0.0.0"), 0};
        list[6].address = address(Family::v6, 1);
        const auto outcome = table.apply(create("nets", spec, list));
        CHECK(outcome.refused == Refused{{{"nets", list[4]}, Error::invalid_prefix},
                                         {{"nets", list[6]}, Error::protocol}});
        auto rest = as_set(list);
        rest.erase(list[4]);
        rest.erase(list[6]);
        CHECK(table.entries("nets") == rest);
    }
    SECTION("an address of zero is no entry of hash:ip") {
        const SetSpec spec{.type = Type::hash_ip, .family = GENERATE(Family::v4, Family::v6)};
        Entry zero;
        if (spec.family == Family::v6) zero.address = *Address::parse("::");
        const auto outcome = table.apply(create("ips", spec, {zero, entry(spec, 1)}));
        if (spec.family == Family::v4)
            CHECK(outcome.refused == Refused{{{"ips", zero}, Error::invalid_entry}});
        CHECK(table.entries("ips") == Entries{entry(spec, 1)});
    }
    SECTION("an IPv4-mapped address of an IPv6 set is found again") {
        const SetSpec spec{.type = Type::hash_ip_port_net, .family = Family::v6};
        Entry mapped{.address = *Address::parse("192.0.2.1"), .port = {80}};
        mapped.second = Prefix{*Address::parse("198.51.100.0"), 24};
        REQUIRE(table.apply(create("mapped", spec, {mapped})).clean());
        CHECK(table.entries("mapped") == Entries{mapped});
        CHECK(table.apply(change("mapped", {.spec = spec, .remove = {mapped}})).clean());
        CHECK(table.entries("mapped") == Entries{});
    }
}

inline void keeps_missing_and_foreign_rules(const Bench& bench) {
    Table& table = bench.table;
    const SetSpec spec;
    SECTION("a missing set is refused once, and only that one") {
        TableChanges changes = change("gone", {.spec = spec, .add = entries(spec, 3)});
        changes.sets.emplace("here",
                             SetChanges{.create = spec, .spec = spec, .add = entries(spec, 2)});
        const auto outcome = table.apply(changes);
        CHECK(outcome.refused == Refused{{{"gone"}, errno_code(ENOENT)}});
        CHECK(table.entries("gone") == std::nullopt);
        CHECK(table.entries("here") == as_set(entries(spec, 2)));
    }
    SECTION("a name of no or of more than 31 characters is refused") {
        const std::string name(GENERATE(0U, 32U), 'x');
        const auto refused = Refused{{{name}, errno_code(EINVAL)}};
        CHECK(table.apply(create(name, spec, entries(spec, 1))).refused == refused);
        TableChanges end;
        end.destroy = {name};
        CHECK(table.apply(end).refused == refused);
        CHECK(table.entries(name) == std::nullopt);
    }
    SECTION("a set of a type that is not ours shows its name only") {
        bench.foreign("strange");
        CHECK(table.headers().at("strange").spec == std::nullopt);
        CHECK_THROWS_AS(table.entries("strange"), std::system_error);
        SECTION("and gives way to ours when nothing uses it") {
            CHECK(table.apply(create("strange", spec, entries(spec, 2))).clean());
            CHECK(table.entries("strange") == as_set(entries(spec, 2)));
        }
    }
}

inline void keeps_creation_rules(const Bench& bench) {
    Table& table = bench.table;
    const SetSpec spec{.max_entries = 8};
    const auto eight = entries(spec, 8);
    REQUIRE(table.apply(create("set", spec, eight)).clean());
    SECTION("a set grows with its entries, whether a rule names it or not") {
        if (GENERATE(false, true)) bench.use("set");
        const SetSpec larger{.max_entries = 16};
        CHECK(table.apply(create("set", larger, entries(spec, 8, 8))).clean());
        CHECK(table.headers().at("set").spec == larger);
        CHECK(table.entries("set") == as_set(entries(spec, 16)));
    }
    SECTION("a larger one than wanted serves as it is") {
        CHECK(table.apply(create("set", SetSpec{.max_entries = 4})).clean());
        CHECK(table.headers().at("set").spec == spec);
        CHECK(table.entries("set") == as_set(eight));
    }
    SECTION("one of another type or family is replaced") {
        const auto other =
            GENERATE(SetSpec{.type = Type::hash_ip_port_ip}, SetSpec{.type = Type::bitmap_port},
                     SetSpec{.family = Family::v6});
        CHECK(table.apply(create("set", other, entries(other, 2))).clean());
        CHECK(table.headers().at("set").spec == other);
        CHECK(table.entries("set") == as_set(entries(other, 2)));
    }
    SECTION("but refused while a rule names it, which keeps its entries") {
        bench.use("set");
        const SetSpec other{.type = Type::hash_ip_port_net};
        const auto outcome = table.apply(create("set", other, entries(other, 2)));
        CHECK(outcome.refused == Refused{{{"set"}, Error::type_mismatch}});
        CHECK(table.headers().at("set").spec == spec);
        CHECK(table.entries("set") == as_set(eight));
    }
    SECTION("the destruction of a set in use is refused") {
        bench.use("set");
        TableChanges end;
        end.destroy = {"set"};
        const auto outcome = table.apply(end);
        CHECK(outcome.refused == Refused{{{"set"}, Error::busy}});
        CHECK(outcome.refused.at(0).error == std::errc::device_or_resource_busy);
        CHECK(table.entries("set") == as_set(eight));
    }
}

/// P-193: what the entries were and what they should be.
inline void reaches_what_is_wanted(Table& table) {
    const auto entry_of = [](const char* ip, Protocol protocol, std::uint16_t port) {
        return Entry{.address = *Address::parse(ip), .protocol = protocol, .port = {port}};
    };
    const Entry tcp = entry_of("172.16.4.5", Protocol::tcp, 80);
    const Entry udp = entry_of("172.16.4.5", Protocol::udp, 80);
    const Entry sctp = entry_of("172.16.4.5", Protocol::sctp, 80);
    const Entry v6 = entry_of("2001:db8::5", Protocol::tcp, 80);
    const SetSpec v4_set;
    const SetSpec v6_set{.family = Family::v6};
    struct Case {
        SetSpec spec;
        Entries present, wanted;
    };
    const auto each =
        GENERATE_COPY(Case{v4_set, {}, {}}, Case{v4_set, {tcp}, {tcp}}, Case{v4_set, {udp}, {tcp}},
                      Case{v4_set, {tcp}, {udp}}, Case{v4_set, {tcp, udp}, {}},
                      Case{v4_set, as_set(entries(v4_set, 40)), {tcp}}, Case{v6_set, {}, {v6}},
                      Case{v6_set, as_set(entries(v6_set, 3)), {v6}},
                      Case{v4_set, {tcp, sctp}, {sctp}}, Case{v4_set, {}, {tcp, udp, sctp}});
    REQUIRE(
        table.apply(create("s", each.spec, {each.present.begin(), each.present.end()})).clean());
    SetChanges changes{.spec = each.spec};
    for (const auto& entry : each.present)
        if (!each.wanted.contains(entry)) changes.remove.push_back(entry);
    for (const auto& entry : each.wanted)
        if (!each.present.contains(entry)) changes.add.push_back(entry);
    CHECK(table.apply(change("s", changes)).clean());
    CHECK(table.entries("s") == each.wanted);
}

} // namespace ipvsproxy::ipset::test
