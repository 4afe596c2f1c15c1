// A narrow door to the kernel's IPVS, and the contract its twin keeps too.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "ipvs/types.h"

namespace ipvsproxy::ipvs {

/// Changes to one namespace's IPVS. A removed virtual server takes its real servers with it;
/// they need no removal of their own (one that is listed all the same is not an error).
struct TableChanges {
    ServiceChanges services;
    DestinationChanges destinations;
    bool empty() const noexcept { return services.empty() && destinations.empty(); }
};

/// What the kernel did not take. When the outcome of a batch was lost (ENOBUFS), `unknown` is
/// true: read the table again before trusting what is remembered of it.
struct Outcome {
    std::vector<Refusal<ServiceKey>> services;
    std::vector<Refusal<DestinationKey>> destinations;
    bool unknown{};
    bool clean() const noexcept { return services.empty() && destinations.empty() && !unknown; }
};

/// KernelTable writes netlink; MemoryTable keeps the same rules in a map and can be told to
/// refuse. Virtual servers known by a firewall mark are invisible in both.
class Table {
public:
    virtual ~Table() = default;
    /// Every virtual server, in canonical form (no IP_VS_SVC_F_HASHED).
    /// @throws std::system_error when the kernel cannot be asked.
    virtual Services services() = 0;
    /// Whether any virtual server uses this scheduler ("rr"). Where one does, the answer costs less
    /// than reading all of them. @throws std::system_error when the kernel cannot be asked.
    virtual bool schedules_by(std::string_view scheduler) {
        return std::ranges::any_of(services(), [scheduler](const auto& each) {
            return each.second.scheduler == scheduler;
        });
    }
    /// The real servers of those virtual servers; one that is gone meanwhile has none.
    /// @throws std::system_error when the kernel cannot be asked.
    virtual ObservedDestinations destinations(std::span<const ServiceKey> services) = 0;
    /// Those of these real servers that are there. @param keys in rising order
    /// @throws std::system_error when the kernel cannot be asked.
    virtual ObservedDestinations look_up(std::span<const DestinationKey> keys);
    /// Tries every change; one that is refused never holds up another. Order: new and changed
    /// virtual servers, their real servers (additions and updates before removals), removed
    /// virtual servers. A new `mh` virtual server is built as `rr` and switched once it is full.
    /// Adding what exists is refused with EEXIST, changing what is missing with ESRCH (virtual
    /// server) or ENOENT (real server); removing what is missing counts as done.
    /// @throws std::system_error only when the socket itself is lost.
    virtual Outcome apply(const TableChanges& changes) = 0;
    virtual Timeouts timeouts() = 0;
    /// @throws std::system_error with the kernel's errno.
    virtual void set_timeouts(const Timeouts& timeouts) = 0;
};

/// The virtual servers of real servers, each once. @param keys in rising order
std::vector<ServiceKey> services_of(std::span<const DestinationKey> keys);

} // namespace ipvsproxy::ipvs
