// One node's tables together: reading them, and writing changes to them in order.
#pragma once

#include <optional>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "ipset/table.h"
#include "ipvs/table.h"
#include "netlink/conntrack.h"
#include "netlink/device.h"
#include "netlink/sorted_set.h"
#include "proxy/iptables/table.h"
#include "proxy/plan/drain.h"
#include "proxy/plan/node_state.h"
#include "proxy/plan/order.h"

namespace ipvsproxy::sync {

/// The doors to one network namespace's kernel tables. Blocking: used from one thread at a time.
struct Kernel {
    Device& device;
    ipvs::Table& ipvs;
    ipset::Table& ipset;
    PerFamily<iptables::Tables*> rules; ///< null for a family that is not enabled
    Flows& flows;
    /// Doors to the same tables that another thread may read through meanwhile. Null: there are
    /// none, and reading waits for its turn.
    Kernel* readers{};
};

/// What one round is to do, as a value that is handed to the thread of the kernel.
struct Round {
    plan::NodeChanges changes;
    plan::Urgent urgent;
    /// Addresses to be bound that have a virtual server behind them already.
    SortedSet<Address> served{};
    plan::Deadlines deadlines;
    std::vector<StaleFlows> flows;           ///< to be forgotten once the changes are made …
    std::set<model::ObjectName> flow_owners; ///< … which are those of these services
    plan::Moment now;
    bool empty() const noexcept { return changes.empty() && flows.empty(); }
};

/// The parts of the kernel's state that are read, and doubted, as one.
enum class Part : std::uint8_t { device, services, destinations, sets, rules, flows };
std::string_view name(Part part) noexcept;

/// A table that could not be asked at all.
struct Failure {
    Part part{};
    std::error_code error{};
    std::string reason;
};

/// UDP flows of a family that were looked for and forgotten.
struct Forgetting {
    std::size_t deleted{};
    std::chrono::nanoseconds took{};
};

/// What became of a round.
struct Outcome {
    plan::NodeChanges written; ///< what was sent: the round's changes after draining
    plan::Leaving leaving;     ///< removals put off
    DeviceOutcome addresses;
    ipvs::Outcome ipvs;
    ipset::Outcome sets;
    PerFamily<std::vector<iptables::TableRefusal>> rules{};
    std::vector<DeviceAddress> skipped{}; ///< not bound, because no virtual server came behind them
    std::vector<Failure> failures{};
    PerFamily<std::optional<Forgetting>> flows{}; ///< of families that had any to look for
};

/// Counts connections, drains, writes the steps in order, forgets flows. The changes move from the
/// round into the outcome. A refused or failing step
/// never holds up another. Does not throw.
Outcome apply(Kernel& kernel, Round& round);

/// Everything that is ours to keep. @throws std::system_error when a table cannot be asked.
plan::NodeSnapshot snapshot(Kernel& kernel);

/// A part of the kernel's state that an audit reads in one go.
struct Portion {
    Part part{};
    Family family{};                          ///< of sets and rules
    std::optional<ipvs::ServiceKey> first{};  ///< of destinations: the range that is covered …
    std::optional<ipvs::ServiceKey> last{};   ///< … up to this one (not included)
    std::vector<ipvs::ServiceKey> services{}; ///< … and the virtual servers in it when it is read
};

/// What was seen there, to be handed to a NodeState.
struct Sight {
    Portion portion;
    std::variant<DeviceState, ipvs::Services, ipvs::ObservedDestinations,
                 std::map<std::string, std::optional<ipset::Set>>, iptables::Chains>
        seen;
};
/// @throws std::system_error when the table cannot be asked.
Sight look(Kernel& kernel, Portion portion);
/// @return how many objects are otherwise than was believed.
std::size_t observe(plan::NodeState& state, const Sight& sight);

} // namespace ipvsproxy::sync
