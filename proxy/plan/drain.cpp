#include "proxy/plan/drain.h"

#include <algorithm>

namespace ipvsproxy::plan {
namespace {

constexpr std::chrono::seconds first_pause{1}, longest_pause{10};

bool may_drain(const ipvs::DestinationKey& key, const ipvs::TableChanges& changes) {
    return key.service.protocol == Protocol::tcp && !changes.services.remove.contains(key.service);
}

} // namespace

std::vector<ipvs::DestinationKey> leaving_to_count(const ipvs::TableChanges& changes) {
    std::vector<ipvs::DestinationKey> keys;
    for (const auto& key : changes.destinations.remove)
        if (may_drain(key, changes)) keys.push_back(key);
    return keys;
}

Leaving drain(ipvs::TableChanges& changes, const ipvs::ObservedDestinations& seen,
              const Deadlines& deadlines, Moment now) {
    Leaving leaving;
    auto& removals = changes.destinations.remove;
    for (auto at = removals.begin(); at != removals.end();) {
        const auto& key = *at;
        const auto busy = seen.busy.find(key);
        const auto spec = seen.specs.find(key);
        const auto deadline = deadlines.find(key);
        const bool in_use = may_drain(key, changes) && spec != seen.specs.end() &&
                            busy != seen.busy.end() && busy->second.connections() > 0;
        if (!in_use || (deadline != deadlines.end() && deadline->second <= now)) {
            ++at;
            continue;
        }
        auto quiet = spec->second;
        quiet.weight = 0;
        if (!(quiet == spec->second)) changes.destinations.update.try_emplace(key, quiet);
        leaving.emplace(key, quiet);
        at = removals.erase(at);
    }
    return leaving;
}

Moment Drains::put_off(const ipvs::DestinationKey& key, Moment now) {
    const auto never = Moment::max();
    const auto deadline =
        deadlines_.try_emplace(key, limit_.count() == 0 ? never : now + limit_).first->second;
    auto& pause = pauses_.try_emplace(key, first_pause).first->second;
    const auto next = std::min(now + pause, deadline);
    pause = std::min(2 * pause, longest_pause);
    return next;
}

void Drains::forget(const ipvs::DestinationKey& key) {
    deadlines_.erase(key);
    pauses_.erase(key);
}

} // namespace ipvsproxy::plan
