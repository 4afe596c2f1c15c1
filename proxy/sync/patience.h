// Back-off of what is written whole: the device, a set, the rules of a family.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "proxy/plan/ledger.h"

namespace ipvsproxy::sync {

/// A second after the first refusal, then twice as long each time, up to half a minute.
/// @param refusals in a row, from 1.
inline std::chrono::seconds pause_after_refusals(std::uint32_t refusals) {
    const auto doublings = std::min<std::uint32_t>(refusals == 0 ? 0 : refusals - 1, 5);
    return std::min(std::chrono::seconds{30}, std::chrono::seconds{1U << doublings});
}

/// Counts refusals in a row, by what was refused. Single keys count theirs in their ledger.
class Patience {
public:
    /// It was refused once more. @return when it may be tried again.
    plan::Moment refused(const std::string& object, plan::Moment now) {
        auto& held = held_[object];
        if (now > held.not_before + std::chrono::seconds{60}) held.refusals = 0; // another story
        return held.not_before = now + pause_after_refusals(++held.refusals);
    }
    /// It was written, or need not be any more.
    void taken(const std::string& object) { held_.erase(object); }
    bool holds(const std::string& object, plan::Moment now) const {
        const auto at = held_.find(object);
        return at != held_.end() && at->second.not_before > now;
    }
    /// It was refused when it was last tried. What is still wanted is tried at least every half
    /// minute, so an old refusal is of something that nobody wants any more.
    bool failing(const std::string& object, plan::Moment now) const {
        const auto at = held_.find(object);
        return at != held_.end() && at->second.not_before + std::chrono::seconds{60} > now;
    }
    /// `time_point::min()` when it is not held at all.
    plan::Moment not_before(const std::string& object) const {
        const auto at = held_.find(object);
        return at == held_.end() ? plan::Moment::min() : at->second.not_before;
    }
    bool holds_anything(plan::Moment now) const {
        return std::ranges::any_of(
            held_, [=](const auto& entry) { return entry.second.not_before > now; });
    }

private:
    struct Held {
        std::uint32_t refusals{};
        plan::Moment not_before{};
    };
    std::map<std::string, Held> held_;
};

} // namespace ipvsproxy::sync
