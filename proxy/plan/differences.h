// Where the kernel is known to hold something else than it should.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "netlink/sorted_map.h"

namespace ipvsproxy::plan {

/// A moment of the clock that rounds and back-off are measured by.
using Moment = std::chrono::steady_clock::time_point;

/// The kernel's state at a key where it is not the desired one.
template <class Spec> struct Difference {
    std::optional<Spec> observed{}; ///< nothing: the key is missing there
    Moment not_before{};            ///< when it may be tried (again)
    std::uint32_t refusals{};       ///< in a row
};

/// The differences of one table, by key. Those who keep it know what is wanted.
template <class Key, class Spec> class Differences {
public:
    using Map = SortedMap<Key, Difference<Spec>>;

    const Map& all() const noexcept { return map_; }
    /// The kernel holds this there; what was known of the key's back-off stays.
    void note(const Key& key, const std::optional<Spec>& observed) {
        map_[key].observed = observed;
    }
    void erase(const Key& key) { map_.erase(key); }
    /// @param keys in rising order
    void erase_all(const std::vector<Key>& keys) { map_.erase_all(keys); }

    /// The wish at a key changed: what was the wish is what the kernel holds, unless known better.
    /// A new wish is tried at once, whatever the old one's back-off.
    void wish_changed(const Key& key, const std::optional<Spec>& before,
                      const std::optional<Spec>& after) {
        const auto [at, added] = map_.try_emplace(key, Difference<Spec>{.observed = before});
        if (at->second.observed == after) map_.erase(at);
        else if (!added) at->second = Difference<Spec>{.observed = at->second.observed};
    }

    /// Leaves the key alone until then. Without a difference there, nothing happens.
    void hold(const Key& key, Moment until) {
        if (const auto at = map_.find(key); at != map_.end()) at->second.not_before = until;
    }
    /// The kernel refused a change of this key: counts it. @return how often in a row.
    std::uint32_t refuse(const Key& key) {
        const auto at = map_.find(key);
        return at == map_.end() ? 0 : ++at->second.refusals;
    }
    /// Whether a change of any key was refused.
    bool any_refused() const {
        return std::ranges::any_of(map_,
                                   [](const auto& entry) { return entry.second.refusals > 0; });
    }
    /// When the earliest held-back difference may be tried; nothing when none is held back.
    std::optional<Moment> next_due(Moment now) const {
        std::optional<Moment> earliest;
        for (const auto& [key, difference] : map_)
            if (difference.not_before > now)
                earliest = std::min(earliest.value_or(Moment::max()), difference.not_before);
        return earliest;
    }

    /// Replaces what is known of the keys between two by what is seen, told in rising order: one
    /// walk. Differences that were known keep their back-off.
    class Replacement {
    public:
        Replacement(Differences& all, const std::optional<Key>& first,
                    const std::optional<Key>& last)
            : map_{all.map_}, known_{first ? map_.lower_bound(*first) : map_.begin()},
              end_{last ? map_.lower_bound(*last) : map_.end()} {}

        /// The kernel holds this at a key where it should hold something else.
        /// @return whether that is news.
        bool differs(const Key& key, const std::optional<Spec>& observed) {
            for (; known_ != end_ && known_->first < key; ++known_)
                agreed_.push_back(known_->first);
            if (known_ == end_ || key < known_->first) {
                fresh_.push_back({key, Difference<Spec>{.observed = observed}});
                return true;
            }
            return std::exchange((known_++)->second.observed, observed) != observed;
        }
        /// All other keys are as they should be.
        void finish() {
            for (; known_ != end_; ++known_)
                agreed_.push_back(known_->first);
            map_.erase_all(agreed_);
            for (const auto& [key, difference] : fresh_)
                map_.try_emplace(key, difference);
        }

    private:
        Map& map_;
        typename Map::iterator known_, end_;
        std::vector<Key> agreed_;
        std::vector<typename Map::value_type> fresh_;
    };

private:
    Map map_;
};

} // namespace ipvsproxy::plan
