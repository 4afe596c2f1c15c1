// One contract for the twin, for the legacy tables and for iptables-nft.
#pragma once

#include <catch2/catch.hpp>

#include "proxy/iptables/table.h"

namespace ipvsproxy::iptables {

inline Rules rules_of(Tables& tables, const Chain& chain) {
    const Chains seen = tables.snapshot();
    const auto found = seen.find(chain);
    return found == seen.end() ? Rules{} : found->second;
}

/// @param tables of a network namespace nobody else writes to, with nothing in it yet
inline void keeps_contract(Tables& tables) {
    const Chain services{TableName::nat, "KUBE-SERVICES"};
    const Chain masq{TableName::nat, "KUBE-MARK-MASQ"};
    const Chain output{TableName::nat, "OUTPUT"};
    const Chain forward{TableName::filter, "KUBE-FORWARD"};
    const Rule jump = "-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES";
    const Rule to_masq = "-p tcp -j KUBE-MARK-MASQ";
    const Rule set_mark = "-j MARK --set-xmark 0x4000/0x4000";
    const Rule local = "-m addrtype --dst-type LOCAL -j RETURN";
    REQUIRE(tables
                .apply({.replace = {{services, {to_masq, local}}, {masq, {set_mark}}},
                        .insert = {{output, jump}}})
                .empty());

    SECTION("what was written is read back") {
        CHECK(rules_of(tables, services) == Rules{to_masq, local});
        CHECK(rules_of(tables, masq) == Rules{set_mark});
        CHECK(rules_of(tables, output) == Rules{jump});
    }
    SECTION("a chain is replaced as a whole, others stay") {
        REQUIRE(tables.apply({.replace = {{services, {local}}}}).empty());
        CHECK(rules_of(tables, services) == Rules{local});
        CHECK(rules_of(tables, masq) == Rules{set_mark});
        CHECK(rules_of(tables, output) == Rules{jump});
    }
    SECTION("an emptied chain still exists") {
        REQUIRE(tables.apply({.replace = {{services, {}}}}).empty());
        CHECK(tables.snapshot().contains(services));
        CHECK(rules_of(tables, services).empty());
    }
    SECTION("a built-in chain's rules can be replaced too") {
        REQUIRE(tables.apply({.replace = {{output, {to_masq, jump}}}}).empty());
        CHECK(rules_of(tables, output) == Rules{to_masq, jump});
    }
    SECTION("insertion is at the head, and happens once") {
        const TableChanges both{.insert = {{output, to_masq}, {output, jump}}};
        REQUIRE(tables.apply(both).empty());
        CHECK(rules_of(tables, output) == Rules{to_masq, jump});
        REQUIRE(tables.apply(both).empty());
        CHECK(rules_of(tables, output) == Rules{to_masq, jump});
    }
    SECTION("one rule is removed, and what is gone already is no failure") {
        REQUIRE(tables.apply({.remove_rules = {{services, to_masq}}}).empty());
        CHECK(rules_of(tables, services) == Rules{local});
        CHECK(tables.apply({.remove_rules = {{services, to_masq}}}).empty());
        CHECK(tables.apply({.remove_chains = {{TableName::nat, "KUBE-NO-SUCH"}}}).empty());
        CHECK(tables.apply({.remove_chains = {{TableName::mangle, "KUBE-NO-SUCH"}}}).empty());
    }
    SECTION("chains that refer to each other go together with the jump to them") {
        REQUIRE(tables.apply({.remove_rules = {{output, jump}}, .remove_chains = {services, masq}})
                    .empty());
        const Chains left = tables.snapshot();
        CHECK_FALSE(left.contains(services));
        CHECK_FALSE(left.contains(masq));
        CHECK(rules_of(tables, output).empty());
    }
    SECTION("a chain that is still jumped to is refused with its table, the other table is not") {
        const auto refusals =
            tables.apply({.replace = {{forward, {"-j DROP"}}}, .remove_chains = {services, masq}});
        REQUIRE(refusals.size() == 1);
        CHECK(refusals.front().table == TableName::nat);
        CHECK(refusals.front().error);
        CHECK(rules_of(tables, services) == Rules{to_masq, local});
        CHECK(rules_of(tables, forward) == Rules{"-j DROP"});
    }
    SECTION("a jump to a chain that does not exist is refused, and nothing of the table written") {
        const auto refusals =
            tables.apply({.replace = {{masq, {}}, {services, {"-j KUBE-NO-SUCH"}}}});
        REQUIRE(refusals.size() == 1);
        CHECK(refusals.front().error == std::errc::no_such_file_or_directory);
        CHECK(refusals.front().reason.find("KUBE-NO-SUCH") != std::string::npos);
        CHECK(rules_of(tables, masq) == Rules{set_mark});
    }
}

} // namespace ipvsproxy::iptables
