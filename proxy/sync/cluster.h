// The objects, the node, and the state they ask for: everything a round is decided from.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proxy/model/store.h"
#include "proxy/plan/drain.h"
#include "proxy/plan/node_facts.h"
#include "proxy/plan/node_state.h"
#include "proxy/sync/kernel.h"
#include "proxy/sync/patience.h"

namespace ipvsproxy::sync {

/// One object that the kernel refused, in words for people.
struct RefusedObject {
    std::string object; ///< `virtual server 10.96.0.10:80/TCP`
    std::string cause;  ///< the kernel's words
    std::string remedy; ///< what an operator can do about it; empty when nothing is known
    Part part{};
    std::error_code error{};
    std::string text() const;
    friend bool operator==(const RefusedObject&, const RefusedObject&) = default;
};

/// What a round came to.
struct Report {
    std::size_t changes{};                      ///< objects written
    std::vector<RefusedObject> refused{};       ///< all of this round
    std::vector<RefusedObject> newly_refused{}; ///< those not told before, or with another cause
    ipvs::Destinations leaving{};               ///< real servers left draining
    std::size_t forgotten_flows{};
    PerFamily<std::optional<Forgetting>> flows{}; ///< by family
    PerFamily<bool> rules_refused{};
    std::set<Part> doubtful{}; ///< to be read again before they are believed
    bool held{};               ///< something waits for its next try, of this or an earlier round
    bool clean() const noexcept { return refused.empty() && doubtful.empty(); }
};

/// No I/O, and time is an argument. Used by one thread.
class Cluster {
public:
    /// @param store is kept by whoever feeds it, and outlives the cluster.
    Cluster(model::Store& store, plan::Settings settings, plan::NodeFacts facts);

    model::Store& store() noexcept { return store_; }
    plan::NodeState& state() noexcept { return state_; }
    const plan::NodeFacts& facts() const noexcept { return facts_; }

    /// What the Node object decides; every service is derived anew if it changed.
    void set_node(model::Symbol name, model::Symbol zone, const PerFamily<Address>& ip);
    /// What the interfaces decide; only services that depend on what changed are derived anew.
    /// @return whether anything changed.
    bool set_interfaces(std::span<const InterfaceAddress> elsewhere);

    /// Derives the services that changed.
    void derive();
    /// Derives default/kubernetes alone, which a node that begins has before all else is known.
    /// @return whether it has a real server.
    bool derive_first();
    /// Services that asked for a virtual server of another since the last call.
    std::vector<plan::Contest> take_contests() { return state_.take_contests(); }

    /// What is to be done at `now`; empty when nothing is.
    Round take_round(plan::Moment now);
    /// The same of a node that begins; empty where it would change or take away anything, for
    /// which all has to be known first.
    Round take_first_round(plan::Moment now);
    /// Nothing counts as seen or as derived any more: the node is about to be adopted.
    void begin_anew();
    /// Learns what became of the round.
    Report settle(const Round& round, const Outcome& outcome);
    /// When something that was put off may be tried again.
    std::optional<plan::Moment> next_due(plan::Moment now) const;

    /// The kernel's state, cut into portions that are read one at a time; a whole audit is all of
    /// them. Real servers come in slices of at most `slice` virtual servers.
    std::vector<Portion> portions(std::size_t slice = 512) const;
    std::vector<Portion> portions(const std::set<Part>& parts, std::size_t slice = 512) const;

    /// Names the virtual servers that a portion of real servers covers now.
    void fill(Portion& portion) const;

    /// Services whose local traffic policy finds no local endpoint, for the metric of that name.
    struct NoLocal {
        PerFamily<std::size_t> internal{}, external{};
    };
    NoLocal services_without_local_endpoints() const;
    std::size_t draining() const noexcept { return drains_.size(); }
    /// What Services ask to be probed for, as it was last derived.
    const std::map<model::ObjectName, plan::HealthCheck>& health_checks() const noexcept {
        return health_checks_;
    }
    /// Services whose health check came, went or changed since the last call.
    std::set<model::ObjectName> take_changed_health_checks() {
        return std::exchange(changed_health_checks_, {});
    }
    /// The store's changes that have been taken up.
    const model::Store::Changed& derived() const noexcept { return derived_; }
    /// What slices of these families were changed for, and is derived by now; each once.
    std::vector<model::Store::Trigger> take_triggers(const PerFamily<bool>& families_taken);
    /// Whether the device, and the sets and rules of the family, are not being refused.
    bool in_order(Family family, plan::Moment now) const;

private:
    void derive(const model::ObjectName& name, const model::Service* service,
                const model::Store::Slices& slices);
    void derive_all_anew();
    void index(const model::ObjectName& name, const model::Service* service);
    void probe(const model::ObjectName& name, const std::optional<plan::HealthCheck>& check);
    void hold_device(Round& round);
    bool all_come(const ipvs::Services& coming) const;
    void complete_servers(plan::NodeChanges& changes, plan::Moment now);
    void open_doors(Round& round);
    bool holds_anything(plan::Moment now);

    plan::NodeFacts facts_;
    model::Store& store_;
    plan::NodeState state_;
    plan::Drains drains_;
    Patience patience_;
    SortedSet<model::ObjectName> to_derive_;
    std::set<model::ObjectName> flows_due_;     ///< services whose UDP flows are to be looked at
    std::set<model::ObjectName> on_node_ports_; ///< services with node ports
    std::map<Address, std::set<model::ObjectName>> by_outer_address_; ///< external and ingress
    std::map<model::ObjectName, std::vector<Address>> outer_addresses_;
    std::map<model::ObjectName, plan::HealthCheck> health_checks_;
    std::set<model::ObjectName> changed_health_checks_;
    model::Store::Changed derived_;
    std::vector<model::Store::Trigger> triggers_;
    std::map<std::string, std::string> told_; ///< refused object → cause, as last reported
};

/// What an operator can do about an error, by the table it came from; empty when nothing is known.
std::string remedy(Part part, const std::error_code& error);

} // namespace ipvsproxy::sync
