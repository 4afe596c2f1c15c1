// The chains and rules of one family: which rule stands when.
#pragma once

#include <bitset>
#include <set>
#include <vector>

#include "proxy/iptables/types.h"
#include "proxy/plan/contribution.h"
#include "proxy/plan/sets.h"
#include "proxy/plan/settings.h"

namespace ipvsproxy::plan {

/// What the rules depend on besides the settings.
struct RuleInputs {
    std::bitset<set_count> filled{}; ///< sets that have any wanted entry, by SetId::index()
    std::set<GuardedVip> guarded{};  ///< of the family
    friend bool operator==(const RuleInputs&, const RuleInputs&) = default;
};

/// Our own chains, each with its whole content.
iptables::Chains chains(Family family, const RuleInputs& inputs, const Settings& settings);

/// The jumps from built-in chains to ours, in the order they are put at the head of their chain:
/// the later one ends up before the earlier one.
std::vector<iptables::PlacedRule> jumps();

/// What makes the observed tables hold our chains and jumps: chains whose text differs are
/// replaced, jumps that stand nowhere in their chain are inserted. Foreign chains and rules are not
/// looked at.
iptables::TableChanges rule_changes(const iptables::Chains& observed,
                                    const iptables::Chains& desired);

} // namespace ipvsproxy::plan
