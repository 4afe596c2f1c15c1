// The order between tables: make before break.
#pragma once

#include <set>
#include <variant>
#include <vector>

#include "proxy/plan/changes.h"
#include "proxy/plan/contribution.h"

namespace ipvsproxy::plan {

struct CreateDevice {};
struct DestroyDevice {};
struct RuleStep {
    Family family{};
    iptables::TableChanges changes;
};

/// One call of one table.
using Step = std::variant<CreateDevice, DestroyDevice, DeviceAddressChanges, ipset::TableChanges,
                          RuleStep, ipvs::TableChanges>;

/// What is to be written before everything else: the keys that the most wanted services ask for.
struct Urgent {
    std::set<ipvs::ServiceKey> services;
    std::set<Address> addresses;
    std::set<std::pair<std::string, ipset::Entry>> entries; ///< by set name
    void add(const Contribution& contribution);
    bool empty() const noexcept { return services.empty(); }
};

/// Cuts the changes into steps, in an order in which no packet meets half of a service. Empty steps
/// are left out.
std::vector<Step> steps(NodeChanges changes, const Urgent& urgent);

/// Puts a step back: the steps of some changes, all absorbed, are those changes again. Moves, so
/// that the changes of a cold start are held once.
void absorb(NodeChanges& all, Step step);

} // namespace ipvsproxy::plan
