#include <catch2/catch.hpp>

#include "proxy/iptables/nft_raw.h"
#include "proxy/plan/rules.h"
#include "proxy/sync/leftovers.h"
#include "proxy/sync/real_kernel.h"
#include "tests/kernel/namespace.h"
#include "tests/kernel/process.h"
#include "tests/proxy/sync/iptables_mode.h"

// [.kernel] with the legacy variant, [.nft] where the kernel has nf_tables' compatibility layer.

namespace ipvsproxy::sync {
namespace {

using Catch::Matchers::Contains;
using iptables::Backend;
using kernel_test::must_run;
using kernel_test::Namespace;

std::string tool(Backend variant, Family family, const std::string& verb) {
    return (family == Family::v4 ? "iptables-" : "ip6tables-") +
           std::string{variant == Backend::legacy ? "legacy" : "nft"} + verb;
}

std::string saved(Backend variant, Family family) {
    return must_run({tool(variant, family, "-save")});
}

/// Our own rules, as after a first round.
void write_ours(Backend ours) {
    for (const auto family : families) {
        const auto tables = open_tables(ours, family);
        auto desired = plan::chains(family, {}, {});
        for (auto& [chain, rules] : desired) // less what needs sets, or the match ipvs
            std::erase_if(rules, [](const iptables::Rule& rule) {
                return rule.find("--match-set") != std::string::npos ||
                       rule.find("-m ipvs") != std::string::npos;
            });
        const auto refused = tables->apply(plan::rule_changes(tables->snapshot(), desired));
        for (const auto& refusal : refused)
            FAIL_CHECK(refusal.reason);
    }
}

/// What iptables mode left, in both families; then our own rules.
void take_over(Backend leftover, Backend ours) {
    for (const auto family : families)
        must_run({tool(leftover, family, "-restore")}, iptables_mode_rules);
    write_ours(ours);
}

void expect_ours_alone(Backend ours) {
    for (const auto family : families) {
        const auto text = saved(ours, family);
        CAPTURE(text);
        for (const auto* const gone :
             {"KUBE-SVC-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-FW-", "KUBE-NODEPORTS",
              "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-CANARY", "load balancer firewall",
              "ctstate NEW"})
            CHECK(text.find(gone) == std::string::npos);
        CHECK_THAT(text, Contains(":KUBE-NODE-PORT ") && Contains(":KUBE-MARK-MASQ "));
        CHECK_THAT(text, Contains("\"kubernetes service portals\" -j KUBE-SERVICES"));
    }
}

void expect_others_to_stay(Backend variant) {
    for (const auto family : families)
        CHECK_THAT(saved(variant, family), Contains(":MINE ") &&
                                               Contains("-A PREROUTING -j MINE") &&
                                               Contains(":KUBE-KUBELET-CANARY "));
}

void expect_removal(const Leftovers& found) {
    CHECK_FALSE(found.empty());
    for (const auto& line : remove(found))
        FAIL_CHECK(line);
}

} // namespace

TEST_CASE("a node where no other mode ran has no leftovers", "[.kernel][.nft]") {
    const Namespace own;
    write_ours(Backend::legacy);
    CHECK(find_leftovers(Backend::legacy, {true, true}).empty());
}

TEST_CASE("what iptables mode left beside our legacy rules goes, and nothing else",
          "[.kernel][.nft]") {
    const Namespace own;
    take_over(Backend::legacy, Backend::legacy);
    const auto found = find_leftovers(Backend::legacy, {true, true});
    CHECK_THAT(found.names(), Catch::VectorContains(
                                  std::string{"iptables (legacy) nat KUBE-SEP-ABCDEFGHIJKLMNOP"}));
    expect_removal(found);
    expect_ours_alone(Backend::legacy);
    expect_others_to_stay(Backend::legacy);
    CHECK(find_leftovers(Backend::legacy, {true, true}).empty());
}

TEST_CASE("a family that is not proxied is left alone", "[.kernel]") {
    const Namespace own;
    take_over(Backend::legacy, Backend::legacy);
    expect_removal(find_leftovers(Backend::legacy, {true, false}));
    CHECK_THAT(saved(Backend::legacy, Family::v6), Contains(":KUBE-SVC-ERIFXISQEP7F7OF4 "));
    CHECK(saved(Backend::legacy, Family::v4).find("KUBE-SVC-") == std::string::npos);
}

TEST_CASE("what iptables mode left beside our nft rules goes, and nothing else", "[.nft]") {
    const Namespace own;
    take_over(Backend::nft, Backend::nft);
    expect_removal(find_leftovers(Backend::nft, {true, true}));
    expect_ours_alone(Backend::nft);
    expect_others_to_stay(Backend::nft);
    CHECK(find_leftovers(Backend::nft, {true, true}).empty());
}

TEST_CASE("what a proxy left in the other variant of iptables goes whole", "[.nft]") {
    const Namespace own;
    const auto ours = GENERATE(Backend::legacy, Backend::nft);
    const auto theirs = ours == Backend::legacy ? Backend::nft : Backend::legacy;
    take_over(theirs, theirs); // ipvs mode ran there too
    write_ours(ours);
    expect_removal(find_leftovers(ours, {true, true}));
    expect_ours_alone(ours);
    expect_others_to_stay(theirs);
    for (const auto family : families) {
        const auto text = saved(theirs, family);
        CAPTURE(text);
        for (const auto* const gone : {"KUBE-SERVICES", "KUBE-NODE-PORT", "KUBE-MARK-MASQ"})
            CHECK(text.find(gone) == std::string::npos);
    }
    CHECK(find_leftovers(ours, {true, true}).empty());
}

TEST_CASE("the tables of nftables mode go, those of others stay", "[.nft]") {
    const Namespace own;
    for (const auto* const table :
         {"ip kube-proxy", "ip6 kube-proxy", "ip mine", "inet kube-proxy"})
        must_run({"nft", "-f", "-"}, std::string{"add table "} + table + "\nadd chain " + table +
                                         " services\nadd chain " + table +
                                         " nat { type filter hook input priority 0; }\nadd rule " +
                                         table + " nat jump services\n");
    const auto found = find_leftovers(Backend::nft, {true, true});
    CHECK(found.names() == std::vector<std::string>{"table ip kube-proxy", "table ip6 kube-proxy"});
    expect_removal(found);
    CHECK(must_run({"nft", "list", "tables"}) == "table ip mine\ntable inet kube-proxy\n");
    CHECK(find_leftovers(Backend::nft, {true, true}).empty());
    CHECK(iptables::delete_nft_mode_table(Family::v4) == std::errc::no_such_file_or_directory);
}

} // namespace ipvsproxy::sync
