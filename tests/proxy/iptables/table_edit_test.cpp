#include <catch2/catch.hpp>

#include "proxy/iptables/table_edit.h"

namespace ipvsproxy::iptables {
namespace {

const Chain services{TableName::nat, "KUBE-SERVICES"};
const Chain output{TableName::nat, "OUTPUT"};
const Chain input{TableName::filter, "INPUT"};
const Rule jump = "-j KUBE-SERVICES";

TEST_CASE("a chain that holds the wanted rules already is left alone", "[iptables]") {
    const Chains observed{{services, {"-p tcp -j ACCEPT"}}};
    CHECK(edit_for(TableName::nat, observed, {.replace = {{services, {"-j ACCEPT -p 6"}}}})
              .changes.empty());
    CHECK(edit_for(TableName::nat, {}, {.replace = {{services, {}}}}).changes.replace ==
          Chains{{services, {}}});
}

TEST_CASE("a jump that stands anywhere in its chain is not inserted again", "[iptables]") {
    const Chains observed{{output, {"-j ACCEPT", jump}}};
    CHECK(edit_for(TableName::nat, observed, {.insert = {{output, jump}}}).changes.empty());
}

TEST_CASE("the rule inserted last ends up first", "[iptables]") {
    const TableChanges wanted{.insert = {{output, "-j A"}, {output, "-j B"}, {output, "-j A"}}};
    const TableEdit edit = edit_for(TableName::nat, {{output, {"-j C"}}}, wanted);
    CHECK(edit.after.at(output) == Rules{"-j B", "-j A", "-j C"});
    CHECK(edit.changes.insert.size() == 2);
}

TEST_CASE("a removal takes the first of equal rules, and none when there is none", "[iptables]") {
    const Chains observed{{output, {jump, "-j A", jump}}};
    const TableEdit edit =
        edit_for(TableName::nat, observed,
                 {.remove_rules = {{output, jump}, {output, "-j B"}}, .remove_chains = {services}});
    CHECK(edit.after.at(output) == Rules{"-j A", jump});
    CHECK(edit.changes == TableChanges{.remove_rules = {{output, jump}}});
}

TEST_CASE("changes of another table are not this one's", "[iptables]") {
    const TableChanges wanted{.replace = {{services, {}}}, .insert = {{input, jump}}};
    CHECK(edit_for(TableName::filter, {}, wanted).changes ==
          TableChanges{.insert = {{input, jump}}});
    CHECK(named_chains(TableName::nat, wanted) == std::set<Chain>{services});
    CHECK(named_chains(TableName::mangle, wanted).empty());
}

} // namespace
} // namespace ipvsproxy::iptables
