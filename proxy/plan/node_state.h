// The union of all contributions, and where the kernel differs from it.
#pragma once

#include <array>
#include <bitset>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "netlink/sorted_set.h"
#include "proxy/model/objects.h"
#include "proxy/plan/changes.h"
#include "proxy/plan/contribution.h"
#include "proxy/plan/ledger.h"
#include "proxy/plan/rules.h"

namespace ipvsproxy::plan {

/// Two services ask for the same virtual server; the one that asked first in time has it (D-16).
struct Contest {
    ipvs::ServiceKey key;
    model::ObjectName winner, loser;
    friend bool operator==(const Contest&, const Contest&) = default;
};

/// Desired state of a node and what is known of its kernel, kept so that a change of one service
/// costs work in proportion to that change. No I/O, no clock.
class NodeState {
public:
    explicit NodeState(Settings settings) : settings_{std::move(settings)} {}

    /// What the service asks for from now on; an empty contribution takes it out.
    void replace(const model::ObjectName& service, Contribution&& contribution);
    /// Nothing when the service asks for nothing.
    const Contribution* contribution(const model::ObjectName& service) const;
    const std::map<model::ObjectName, Contribution>& contributions() const {
        return contributions_;
    }
    /// The service that a virtual server is served for.
    const model::ObjectName* owner(const ipvs::ServiceKey& key) const;
    /// Contests that arose since the last call.
    std::vector<Contest> take_contests();

    /// What the kernel was seen to hold; what lies in `excludeCIDRs`, belongs to a family that is
    /// not enabled, or has another name than ours is passed over. Each forgets what was believed
    /// before.
    std::size_t observe(const NodeSnapshot& seen);
    std::size_t observe_device(const DeviceState& seen);
    std::size_t observe_services(const ipvs::Services& seen);
    /// The real servers of the virtual servers from `first` up to `last` (not included).
    std::size_t observe_destinations(const ipvs::Destinations& seen,
                                     const std::optional<ipvs::ServiceKey>& first = {},
                                     const std::optional<ipvs::ServiceKey>& last = {});
    /// @param spec nothing when there is no such set (or one of a foreign type)
    std::size_t observe_set(SetId id, const std::optional<ipset::SetSpec>& spec,
                            const ipset::Entries& entries);
    std::size_t observe_rules(Family family, const iptables::Chains& seen);

    /// What is to be done that may be tried at `now`.
    NodeChanges changes(Moment now = Moment::max());
    /// When the earliest held-back change may be tried.
    std::optional<Moment> next_due(Moment now) const;

    /// The desired state as a snapshot would show it.
    NodeSnapshot desired() const;

    /// @name The tables. Refusals and back-off are written straight into them.
    ///@{
    Ledger<DeviceAddress, DeviceAddressSpec>& addresses() { return addresses_; }
    Ledger<ipvs::ServiceKey, ipvs::ServiceSpec>& services() { return services_; }
    Ledger<ipvs::DestinationKey, ipvs::DestinationSpec>& destinations() { return destinations_; }
    const Ledger<ipvs::ServiceKey, ipvs::ServiceSpec>& services() const { return services_; }
    const Ledger<ipvs::DestinationKey, ipvs::DestinationSpec>& destinations() const {
        return destinations_;
    }
    Ledger<ipset::Entry, Present>& set(SetId id) { return sets_.at(id.index()).entries; }
    ///@}
    bool device_present() const noexcept { return device_present_; }
    void device_created() noexcept { device_present_ = true; }
    /// The set as the kernel has it; nothing when there is none.
    const std::optional<ipset::SetSpec>& set_in_kernel(SetId id) const {
        return sets_.at(id.index()).spec;
    }
    void set_created(SetId id, const ipset::SetSpec& spec) { sets_.at(id.index()).spec = spec; }
    /// Whether the kernel was seen to be without it.
    bool chain_missing(Family family, const iptables::Chain& chain) const {
        return rules_[family].seen && !rules_[family].observed.contains(chain);
    }
    /// The rules were written.
    void rules_applied(Family family, const iptables::TableChanges& changes);
    /// Holds back every change of the family's rules.
    void hold_rules(Family family, Moment until) { rules_[family].not_before = until; }
    void hold_set(SetId id, Moment until) { sets_.at(id.index()).not_before = until; }
    const Settings& settings() const noexcept { return settings_; }

private:
    using Claimant = const model::ObjectName*; ///< a key of contributions_
    struct SetState {
        Ledger<ipset::Entry, Present> entries;
        std::optional<ipset::SetSpec> spec{}; ///< as the kernel has it
        Moment not_before{};
    };
    struct RuleState {
        bool seen{}; ///< the kernel's, since the state was made
        iptables::Chains observed;
        std::map<GuardedVip, std::uint32_t> guarded; ///< with the number of owners
        std::bitset<set_count> filled;               ///< when `changes` was computed
        iptables::TableChanges changes;
        bool stale{true}; ///< an input of `changes` has changed
        Moment not_before{};
    };

    using Service = std::map<model::ObjectName, Contribution>::value_type;

    DeviceAddress bound(const Address& address) const;
    void replace_servers(const model::ObjectName& name, const Contribution& before,
                         const Contribution& after);
    void claim(const model::ObjectName& name, const VirtualServer& server);
    void release(const model::ObjectName& name, const VirtualServer& server);
    void enact(const VirtualServer& server);
    void withdraw(const VirtualServer& server);
    bool outranks(const model::ObjectName& one, const model::ObjectName& other) const;
    const VirtualServer& server(const model::ObjectName& name, const ipvs::ServiceKey& key) const;
    bool is_excluded(const ipvs::ServiceKey& key) const;
    void lose_destinations();
    void leave_alone(const VirtualServer& server);
    ipset::SetSpec desired_set(SetId id) const;
    void add_set_changes(SetId id, Moment now, ipset::TableChanges& out) const;
    RuleInputs rule_inputs(Family family) const;
    const iptables::TableChanges& rule_changes_of(Family family);

    Settings settings_;
    std::map<model::ObjectName, Contribution> contributions_;
    SortedMap<ipvs::ServiceKey, Claimant> claims_;             ///< who has each virtual server
    std::map<ipvs::ServiceKey, std::vector<Claimant>> losers_; ///< who else asks for it
    std::vector<Contest> contests_;
    bool device_present_{};
    Ledger<DeviceAddress, DeviceAddressSpec> addresses_;
    Ledger<ipvs::ServiceKey, ipvs::ServiceSpec> services_;
    Ledger<ipvs::DestinationKey, ipvs::DestinationSpec> destinations_;
    std::array<SetState, set_count> sets_;
    PerFamily<RuleState> rules_;
};

} // namespace ipvsproxy::plan
