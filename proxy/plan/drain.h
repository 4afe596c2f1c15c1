// Leaving real servers keep the connections they have.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <vector>

#include "ipvs/table.h"
#include "proxy/plan/ledger.h"

namespace ipvsproxy::plan {

/// When each real server that is on its way out must go, whatever connections it has.
using Deadlines = std::map<ipvs::DestinationKey, Moment>;

/// The real servers whose connections must be counted before `changes` are applied, in rising
/// order: TCP ones that leave a virtual server which stays. UDP and SCTP real servers go at once,
/// as do those of a virtual server that goes itself.
std::vector<ipvs::DestinationKey> leaving_to_count(const ipvs::TableChanges& changes);

/// The removals that are put off, and what the kernel holds for each meanwhile (weight 0).
using Leaving = ipvs::Destinations;

/// Turns each removal of a TCP real server that has connections into weight 0, until its deadline
/// (one without a deadline has just begun to leave). `changes` is left with what is to be written;
/// a real server that has weight 0 already costs nothing.
Leaving drain(ipvs::TableChanges& changes, const ipvs::ObservedDestinations& seen,
              const Deadlines& deadlines, Moment now);

/// Keeps the deadlines and says when to look again: after a second first, then twice as long each
/// time up to ten seconds, and at the deadline.
class Drains {
public:
    explicit Drains(std::chrono::seconds limit) : limit_{limit} {}
    const Deadlines& deadlines() const noexcept { return deadlines_; }
    /// The real server was left draining at `now`. @return when to look again.
    Moment put_off(const ipvs::DestinationKey& key, Moment now);
    /// It is gone, or wanted again.
    void forget(const ipvs::DestinationKey& key);
    std::size_t size() const noexcept { return deadlines_.size(); }

private:
    std::chrono::seconds limit_;
    Deadlines deadlines_;
    std::map<ipvs::DestinationKey, std::chrono::seconds> pauses_;
};

} // namespace ipvsproxy::plan
