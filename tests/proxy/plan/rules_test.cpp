#include <algorithm>
#include <catch2/catch.hpp>

#include "proxy/plan/rules.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;
using iptables::TableName;

namespace {

RuleInputs with(std::initializer_list<SetRole> filled, Family family = Family::v4) {
    RuleInputs inputs;
    for (const auto role : filled)
        inputs.filled.set(SetId{role, family}.index());
    return inputs;
}

Lines chain(TableName table, const char* name, const RuleInputs& inputs,
            const Settings& settings = {}, Family family = Family::v4) {
    return chains(family, inputs, settings).at({table, name});
}

/// A rule as the parity cases name it: its verdict, and the set it matches.
std::string gist(const std::string& rule) {
    const auto word_after = [&](std::string_view option) {
        const auto at = rule.find(option);
        if (at == std::string::npos) return std::string{};
        const auto begin = at + option.size();
        return rule.substr(begin, rule.find(' ', begin) - begin);
    };
    const auto set = word_after("--match-set ");
    return word_after("-j ") + (set.empty() ? "" : '(' + set + ')');
}

Lines gists(TableName table, const char* name, const RuleInputs& inputs) {
    Lines all;
    for (const auto& rule : chain(table, name, inputs))
        all.push_back(gist(rule));
    return all;
}

} // namespace

TEST_CASE("P-040 masquerading is fully random where the kernel knows how", "[plan]") {
    Settings settings;
    CHECK(chain(TableName::nat, "KUBE-POSTROUTING", {}).back() ==
          "-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE "
          "--random-fully");
    settings.random_fully.v4 = false;
    CHECK(chain(TableName::nat, "KUBE-POSTROUTING", {}, settings).back() ==
          "-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE");
    CHECK(chain(TableName::nat, "KUBE-POSTROUTING", {}, settings, Family::v6)
              .back()
              .ends_with("--random-fully"));
}

TEST_CASE("P-041 traffic from loopback addresses is never service traffic", "[plan]") {
    CHECK(chain(TableName::nat, "KUBE-SERVICES", {}).front() == "-s 127.0.0.0/8 -j RETURN");
    CHECK(chain(TableName::nat, "KUBE-SERVICES", {}, {}, Family::v6).front() ==
          "-s ::1/128 -j RETURN");
}

TEST_CASE("P-024 P-028 P-029 KUBE-NODE-PORT has rules for the sets that have entries", "[plan]") {
    const auto node_port = [](std::initializer_list<SetRole> filled) {
        return gists(TableName::nat, "KUBE-NODE-PORT", with(filled));
    };
    CHECK(node_port({}).empty());
    CHECK(node_port({SetRole::node_port_udp}) == Lines{"KUBE-MARK-MASQ(KUBE-NODE-PORT-UDP)"});
    CHECK(node_port({SetRole::node_port_tcp, SetRole::node_port_local_tcp}) ==
          Lines{"RETURN(KUBE-NODE-PORT-LOCAL-TCP)", "KUBE-MARK-MASQ(KUBE-NODE-PORT-TCP)"});
    CHECK(node_port({SetRole::node_port_sctp, SetRole::node_port_local_sctp}) ==
          Lines{"RETURN(KUBE-NODE-PORT-LOCAL-SCTP-HASH)",
                "KUBE-MARK-MASQ(KUBE-NODE-PORT-SCTP-HASH)"});
    CHECK(chain(TableName::nat, "KUBE-NODE-PORT", with({SetRole::node_port_sctp})) ==
          Lines{"-p sctp -m comment --comment \"Kubernetes nodeport SCTP port for masquerade "
                "purpose with type \\'hash ip:port\\'\" -m set --match-set "
                "KUBE-NODE-PORT-SCTP-HASH dst,dst -j KUBE-MARK-MASQ"});
    CHECK(gists(TableName::filter, "KUBE-NODE-PORT", {}) ==
          Lines{"ACCEPT(KUBE-HEALTH-CHECK-NODE-PORT)"});
}

TEST_CASE("P-024 P-045 P-048 KUBE-SERVICES has rules for the sets that have entries", "[plan]") {
    const auto services = [](std::initializer_list<SetRole> filled) {
        return gists(TableName::nat, "KUBE-SERVICES", with(filled));
    };
    CHECK(services({}) == Lines{"RETURN", "KUBE-NODE-PORT"});
    CHECK(services({SetRole::cluster_ip}) == Lines{"RETURN", "KUBE-MARK-MASQ(KUBE-CLUSTER-IP)",
                                                   "KUBE-NODE-PORT", "ACCEPT(KUBE-CLUSTER-IP)"});
    CHECK(services({SetRole::cluster_ip, SetRole::load_balancer}) ==
          Lines{"RETURN", "KUBE-LOAD-BALANCER(KUBE-LOAD-BALANCER)",
                "KUBE-MARK-MASQ(KUBE-CLUSTER-IP)", "KUBE-NODE-PORT", "ACCEPT(KUBE-CLUSTER-IP)",
                "ACCEPT(KUBE-LOAD-BALANCER)"});
    CHECK(services({SetRole::cluster_ip, SetRole::load_balancer, SetRole::external_ip,
                    SetRole::external_ip_local}) ==
          Lines{"RETURN", "KUBE-LOAD-BALANCER(KUBE-LOAD-BALANCER)",
                "KUBE-MARK-MASQ(KUBE-CLUSTER-IP)", "KUBE-MARK-MASQ(KUBE-EXTERNAL-IP)",
                "ACCEPT(KUBE-EXTERNAL-IP)", "ACCEPT(KUBE-EXTERNAL-IP)",
                "ACCEPT(KUBE-EXTERNAL-IP-LOCAL)", "ACCEPT(KUBE-EXTERNAL-IP-LOCAL)",
                "KUBE-NODE-PORT", "ACCEPT(KUBE-CLUSTER-IP)", "ACCEPT(KUBE-LOAD-BALANCER)"});
}

TEST_CASE("P-045 P-046 P-047 X-004 load balancers and their firewall", "[plan]") {
    CHECK(gists(TableName::nat, "KUBE-LOAD-BALANCER", {}) == Lines{"KUBE-MARK-MASQ"});
    CHECK(gists(TableName::nat, "KUBE-LOAD-BALANCER", with({SetRole::load_balancer_local})) ==
          Lines{"RETURN(KUBE-LOAD-BALANCER-LOCAL)", "KUBE-MARK-MASQ"});
    CHECK(gists(TableName::filter, "KUBE-PROXY-FIREWALL", {}).empty());
    CHECK(gists(TableName::filter, "KUBE-SOURCE-RANGES-FIREWALL", {}) == Lines{"DROP"});
    const auto restricted = with({SetRole::load_balancer_fw, SetRole::load_balancer_source_cidr});
    CHECK(gists(TableName::filter, "KUBE-PROXY-FIREWALL", restricted) ==
          Lines{"KUBE-SOURCE-RANGES-FIREWALL(KUBE-LOAD-BALANCER-FW)"});
    CHECK(gists(TableName::filter, "KUBE-SOURCE-RANGES-FIREWALL", restricted) ==
          Lines{"RETURN(KUBE-LOAD-BALANCER-SOURCE-CIDR)", "DROP"});
    CHECK(gists(TableName::filter, "KUBE-SOURCE-RANGES-FIREWALL",
                with({SetRole::load_balancer_source_cidr, SetRole::load_balancer_source_ip})) ==
          Lines{"RETURN(KUBE-LOAD-BALANCER-SOURCE-CIDR)", "RETURN(KUBE-LOAD-BALANCER-SOURCE-IP)",
                "DROP"});
}

TEST_CASE("entries of the other family fill no rule of this one", "[plan]") {
    const auto six = with({SetRole::cluster_ip, SetRole::load_balancer}, Family::v6);
    CHECK(chains(Family::v4, six, {}) == chains(Family::v4, {}, {}));
    CHECK(chains(Family::v6, six, {}) != chains(Family::v6, {}, {}));
}

TEST_CASE("X-013 what counts as coming from outside, and is masqueraded", "[plan]") {
    Settings settings;
    const auto third = [&](Family family = Family::v4) {
        return chain(TableName::nat, "KUBE-SERVICES", with({SetRole::cluster_ip}, family), settings,
                     family)
            .at(1);
    };
    const std::string comment =
        "-m comment --comment \"Kubernetes service cluster ip + port for masquerade purpose\" ";
    const auto match = [&](const char* words) {
        return comment + "-m set --match-set KUBE-CLUSTER-IP " + words + " -j KUBE-MARK-MASQ";
    };
    CHECK(third() == match("src,dst"));
    settings.local.v4.cidr = Prefix::parse("10.244.0.0/16");
    CHECK(third() == "! -s 10.244.0.0/16 " + match("dst,dst"));
    CHECK(third(Family::v6) == comment + "-m set --match-set KUBE-6-CLUSTER-IP src,dst "
                                         "-j KUBE-MARK-MASQ");
    settings.local.v4 = {.interface = "cbr0"};
    CHECK(third() == "! -i cbr0 " + match("dst,dst"));
    settings.local.v4 = {.interface = "veth+"};
    CHECK(third() == "! -i veth+ " + match("dst,dst"));
    settings.masquerade_all = true;
    CHECK(third() == match("dst,dst"));
}

TEST_CASE("masqueradeBit is the mark of every rule that marks or asks for the mark", "[plan]") {
    for (const auto& [bit, mark] :
         std::map<std::uint8_t, std::string>{{0, "0x1"}, {5, "0x20"}, {31, "0x80000000"}}) {
        Settings settings;
        settings.masquerade_bit = bit;
        CHECK(chain(TableName::nat, "KUBE-MARK-MASQ", {}, settings) ==
              Lines{"-j MARK --set-xmark " + mark + '/' + mark});
        const auto post = chain(TableName::nat, "KUBE-POSTROUTING", {}, settings);
        CHECK(post.at(0) == "-m mark ! --mark " + mark + '/' + mark + " -j RETURN");
        CHECK(post.at(1) == "-j MARK --set-xmark " + mark + "/0x0");
        CHECK(chain(TableName::filter, "KUBE-FORWARD", {}, settings)
                  .front()
                  .ends_with("-m mark --mark " + mark + '/' + mark + " -j ACCEPT"));
    }
}

TEST_CASE("hairpin traffic is masqueraded before the mark is asked for", "[plan]") {
    CHECK(gists(TableName::nat, "KUBE-POSTROUTING", with({SetRole::loop_back})) ==
          Lines{"MASQUERADE(KUBE-LOOP-BACK)", "RETURN", "MARK", "MASQUERADE"});
    CHECK_FALSE(chain(TableName::nat, "KUBE-POSTROUTING", with({SetRole::loop_back}))
                    .front()
                    .ends_with("--random-fully"));
}

TEST_CASE("D-01 VIPs answer echo requests, and only these", "[plan]") {
    const auto four = chain(TableName::filter, "KUBE-IPVS-FILTER", {});
    const auto six = chain(TableName::filter, "KUBE-IPVS-FILTER", {}, {}, Family::v6);
    REQUIRE(four.size() == 7);
    CHECK(four.at(5) == "-p icmp -m icmp --icmp-type 8 -j RETURN");
    CHECK(six.at(5) == "-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j RETURN");
    CHECK(four.back().ends_with("-j REJECT --reject-with icmp-port-unreachable"));
    CHECK(six.back().ends_with("-j REJECT --reject-with icmp6-port-unreachable"));
}

TEST_CASE("only chains that differ are written, and only jumps that are missing", "[plan]") {
    const auto desired = chains(Family::v4, with({SetRole::cluster_ip}), {});
    auto observed = desired;
    for (const auto& [chain, rule] : jumps())
        observed[chain].insert(observed[chain].begin(), rule);
    CHECK(rule_changes(observed, desired).empty());
    const iptables::Chain input{TableName::filter, "INPUT"};

    SECTION("a foreign rule before ours is left where it is") {
        auto& rules = observed.at(input);
        rules.insert(rules.begin(), "-p tcp -j ACCEPT");
        observed[{TableName::nat, "CNI-POSTROUTING"}] = {"-j RETURN"};
        CHECK(rule_changes(observed, desired).empty());
    }
    SECTION("a jump that was flushed is put back, in order") {
        observed.at(input).clear();
        const auto changes = rule_changes(observed, desired);
        CHECK(changes.replace.empty());
        Lines targets;
        for (const auto& [chain, rule] : changes.insert) {
            CHECK(chain == input);
            targets.push_back(gist(rule));
        }
        CHECK(targets == Lines{"KUBE-NODE-PORT", "KUBE-PROXY-FIREWALL", "KUBE-IPVS-FILTER"});
    }
    SECTION("a chain with another order of rules is another chain") {
        const iptables::Chain services{TableName::nat, "KUBE-SERVICES"};
        std::ranges::reverse(observed.at(services));
        CHECK(rule_changes(observed, desired).replace ==
              iptables::Chains{{services, desired.at(services)}});
    }
    SECTION("everything is missing from empty tables") {
        const auto changes = rule_changes({}, desired);
        CHECK(changes.replace == desired);
        CHECK(changes.insert == jumps());
    }
}

TEST_CASE("the order of guarded VIPs does not matter, their number does", "[plan]") {
    RuleInputs inputs;
    inputs.guarded = {{ip("203.0.113.9"), Protocol::tcp, Port{80}},
                      {ip("203.0.113.10"), Protocol::udp, Port{53}}};
    const auto desired = chains(Family::v4, inputs, {});
    auto observed = desired;
    for (const auto& [chain, rule] : jumps())
        observed[chain].insert(observed[chain].begin(), rule);
    auto& out_filter = observed.at({TableName::filter, "KUBE-IPVS-OUT-FILTER"});
    std::ranges::reverse(out_filter);
    CHECK(rule_changes(observed, desired).empty());
    out_filter.push_back(out_filter.front());
    CHECK(rule_changes(observed, desired).replace.size() == 1);
}
