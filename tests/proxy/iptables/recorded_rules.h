// The rules of data/*.txt, and the sets they name.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>

#include "netlink/ip.h"
#include "proxy/iptables/types.h"

namespace ipvsproxy::iptables {

/// What the rules name, in type and family as kube-proxy makes it: `NAME TYPE`.
struct TestSet {
    std::string name, type;
};

inline std::vector<TestSet> test_sets(Family family) {
    const std::vector<TestSet> plain{{"LOOP-BACK", "hash:ip,port,ip"},
                                     {"CLUSTER-IP", "hash:ip,port"},
                                     {"EXTERNAL-IP", "hash:ip,port"},
                                     {"EXTERNAL-IP-LOCAL", "hash:ip,port"},
                                     {"LOAD-BALANCER", "hash:ip,port"},
                                     {"LOAD-BALANCER-FW", "hash:ip,port"},
                                     {"LOAD-BALANCER-LOCAL", "hash:ip,port"},
                                     {"LOAD-BALANCER-SOURCE-IP", "hash:ip,port,ip"},
                                     {"LOAD-BALANCER-SOURCE-CIDR", "hash:ip,port,net"},
                                     {"NODE-PORT-TCP", "bitmap:port"},
                                     {"NODE-PORT-LOCAL-TCP", "bitmap:port"},
                                     {"NODE-PORT-UDP", "bitmap:port"},
                                     {"NODE-PORT-LOCAL-UDP", "bitmap:port"},
                                     {"NODE-PORT-SCTP-HASH", "hash:ip,port"},
                                     {"NODE-PORT-LOCAL-SCTP-HASH", "hash:ip,port"},
                                     {"HEALTH-CHECK-NODE-PORT", "bitmap:port"},
                                     {"IPVS-IPS", "hash:ip"}};
    std::vector<TestSet> sets;
    for (const TestSet& set : plain) {
        const std::string prefix = family == Family::v4 ? "KUBE-" : "KUBE-6-";
        sets.push_back({(prefix + set.name).substr(0, 31), set.type});
    }
    return sets;
}

/// Rules from one file, in its order.
inline std::vector<PlacedRule> rules_in(const std::string& file) {
    std::ifstream in(std::string(IPTABLES_TEST_DATA) + "/" + file);
    if (!in) throw std::runtime_error("no test data " + file);
    std::vector<PlacedRule> rules;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with('#')) continue;
        const auto first = line.find(' ');
        const auto second = line.find(' ', first + 1);
        const TableName table = line.starts_with("nat ") ? TableName::nat : TableName::filter;
        rules.push_back(
            {{table, line.substr(first + 1, second - first - 1)}, line.substr(second + 1)});
    }
    return rules;
}

/// Recorded and additional ones.
inline std::vector<PlacedRule> all_rules(Family family) {
    const std::string suffix = family == Family::v4 ? "-v4.txt" : "-v6.txt";
    auto rules = rules_in("recorded" + suffix);
    for (auto& rule : rules_in("more" + suffix))
        rules.push_back(std::move(rule));
    return rules;
}

/// All of them as changes to empty tables: chains of ours replaced, the others' rules inserted.
inline TableChanges changes_for(const std::vector<PlacedRule>& rules) {
    TableChanges changes;
    for (const PlacedRule& placed : rules) {
        if (!placed.chain.name.starts_with("KUBE-")) changes.insert.push_back(placed);
        else changes.replace[placed.chain].push_back(placed.rule);
    }
    for (const TableName table : {TableName::nat, TableName::filter})
        for (const char* chain : {"KUBE-SERVICES", "KUBE-NODE-PORT", "KUBE-MARK-MASQ"})
            changes.replace.try_emplace({table, chain}); // jumped to by some rule
    return changes;
}

} // namespace ipvsproxy::iptables
