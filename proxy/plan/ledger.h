// What is wanted of one table, and where the kernel is known to differ from it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "netlink/change.h"
#include "netlink/sorted_map.h"

namespace ipvsproxy::plan {

/// A moment of the clock that rounds and back-off are measured by.
using Moment = std::chrono::steady_clock::time_point;

/// The spec of keys that merely are or are not there (set entries).
struct Present {
    friend bool operator==(Present, Present) = default;
};
inline std::ostream& operator<<(std::ostream& out, Present) {
    return out << "present";
}

/// Holds for whatever it is asked about.
struct Everything {
    bool operator()(const auto&) const noexcept { return true; }
};

/// Desired and observed state of one table, held once: the desired map, and beside it only the keys
/// at which the kernel is known to hold something else. An event touches the keys that it changes;
/// the changes to make are read off the second map alone, whatever the size of the first.
///
/// Several owners may want the same key (an address shared by five service ports); it goes when the
/// last one drops it. They must agree on the spec; the latest word counts.
template <class Key, class Spec> class Ledger {
public:
    struct Wanted {
        Spec spec{};
        std::uint32_t owners{};
        friend bool operator==(const Wanted& wanted, const Spec& other) {
            return wanted.spec == other;
        }
    };
    /// The kernel's state at a key where it is not the desired one.
    struct Difference {
        std::optional<Spec> observed{}; ///< nothing: the key is missing there
        Moment not_before{};            ///< when it may be tried (again)
        std::uint32_t refusals{};       ///< in a row
    };

    /// One more owner wants the key so.
    void want(const Key& key, const Spec& spec) {
        auto [at, added] = wanted_.try_emplace(key);
        at->second.owners++;
        if (!added && at->second.spec == spec) return;
        change(key, added ? std::nullopt : std::optional{at->second.spec}, spec);
        at->second.spec = spec;
    }
    /// The owner that wanted it wants it otherwise now.
    void alter(const Key& key, const Spec& spec) {
        auto& wanted = wanted_.at(key);
        if (wanted.spec == spec) return;
        change(key, wanted.spec, spec);
        wanted.spec = spec;
    }
    /// One owner less.
    void drop(const Key& key) {
        const auto at = wanted_.find(key);
        if (at == wanted_.end() || --at->second.owners > 0) return;
        change(key, at->second.spec, std::nullopt);
        wanted_.erase(at);
    }

    /// The kernel was seen to hold this (nothing: no such key).
    void observe(const Key& key, const std::optional<Spec>& seen) {
        const auto want = wanted_.find(key);
        const bool same = want == wanted_.end() ? !seen : seen && *seen == want->second.spec;
        if (same) differences_.erase(key);
        else differences_[key].observed = seen;
    }
    /// Everything the kernel holds between two keys (`last` not included; no bound: to that end)
    /// was seen. Differences already known keep their back-off. One walk over all of it.
    /// @param seen an ordered map. @param ours whether a key that nobody wants counts as seen
    /// @return at how many keys the kernel holds something else than was believed.
    template <class Seen, class Ours = Everything>
    std::size_t observe(const Seen& seen, const std::optional<Key>& first = {},
                        const std::optional<Key>& last = {}, const Ours& ours = {}) {
        const auto low = [&](auto& map) { return first ? map.lower_bound(*first) : map.begin(); };
        const auto high = [&](auto& map) { return last ? map.lower_bound(*last) : map.end(); };
        auto known = low(differences_);
        const auto end = high(differences_);
        std::vector<Key> agreed;
        std::vector<std::pair<Key, Difference>> fresh;
        std::size_t news = 0;
        for_each_difference(low(seen), high(seen), low(wanted_), high(wanted_),
                            [&](const Key& key, const Spec* have, const Wanted* want) {
                                if (want == nullptr && !ours(key)) return;
                                const auto now =
                                    have != nullptr ? std::optional{*have} : std::nullopt;
                                for (; known != end && known->first < key; ++known)
                                    agreed.push_back(known->first);
                                const bool was_known = known != end && known->first == key;
                                if (!was_known || known->second.observed != now) ++news;
                                if (!was_known)
                                    fresh.emplace_back(key, Difference{.observed = now});
                                else (known++)->second.observed = now;
                            });
        for (; known != end; ++known)
            agreed.push_back(known->first);
        differences_.erase_all(agreed);
        add_differences(std::move(fresh));
        return news;
    }

    /// What is to be done that may be tried at `now`.
    Changes<Key, Spec> changes(Moment now = Moment::max()) const {
        Changes<Key, Spec> all;
        auto want = wanted_.begin();
        for (const auto& [key, difference] : differences_) {
            if (difference.not_before > now) continue;
            want = wanted_.lower_bound(want, key);
            if (want == wanted_.end() || key < want->first)
                all.remove.insert(all.remove.end(), key);
            else if (difference.observed) all.update.try_emplace(key, want->second.spec);
            else all.add.try_emplace(key, want->second.spec);
        }
        return all;
    }
    /// The kernel was given those changes and refused none of them.
    void applied(const Changes<Key, Spec>& changes) {
        believe(
            changes.remove, [](const Key& key) -> const Key& { return key; },
            [](const Key&) -> const Spec* { return nullptr; });
        for (const auto* written : {&changes.update, &changes.add})
            believe(
                *written, [](const auto& entry) -> const Key& { return entry.first; },
                [](const auto& entry) { return &entry.second; });
    }
    /// What the kernel holds at a key that nobody wants is no concern of ours any more.
    void forget(const Key& key) {
        if (!wanted_.contains(key)) differences_.erase(key);
    }
    /// Leaves the key alone until then. Without a difference there, nothing happens.
    void hold(const Key& key, Moment until) {
        if (const auto at = differences_.find(key); at != differences_.end())
            at->second.not_before = until;
    }
    /// The kernel refused a change of this key: counts it. @return how often in a row.
    std::uint32_t refuse(const Key& key) {
        const auto at = differences_.find(key);
        return at == differences_.end() ? 0 : ++at->second.refusals;
    }
    /// When the earliest held-back difference may be tried; nothing when none is held back.
    std::optional<Moment> next_due(Moment now) const {
        std::optional<Moment> earliest;
        for (const auto& [key, difference] : differences_)
            if (difference.not_before > now)
                earliest = std::min(earliest.value_or(Moment::max()), difference.not_before);
        return earliest;
    }

    const Spec* wanted(const Key& key) const {
        const auto at = wanted_.find(key);
        return at == wanted_.end() ? nullptr : &at->second.spec;
    }
    const SortedMap<Key, Wanted>& wanted() const noexcept { return wanted_; }
    const SortedMap<Key, Difference>& differences() const noexcept { return differences_; }
    /// Whether the kernel is believed to hold the key.
    bool believed_present(const Key& key) const {
        const auto at = differences_.find(key);
        return at == differences_.end() ? wanted_.contains(key) : at->second.observed.has_value();
    }

private:
    /// @param fresh under keys that are not there yet
    void add_differences(std::vector<std::pair<Key, Difference>> fresh) {
        for (auto& [key, difference] : fresh)
            differences_.try_emplace(key, std::move(difference));
    }

    /// The kernel holds this at these keys, which come in rising order.
    template <class Entries, class KeyOf, class Seen>
    void believe(const Entries& entries, const KeyOf& key_of, const Seen& seen) {
        std::vector<Key> agreed;
        auto want = std::as_const(wanted_).begin();
        for (const auto& entry : entries) {
            const Key& key = key_of(entry);
            const Spec* const have = seen(entry);
            want = std::as_const(wanted_).lower_bound(want, key);
            const bool unwanted = want == std::as_const(wanted_).end() || key < want->first;
            if (unwanted ? have == nullptr : have != nullptr && *have == want->second.spec)
                agreed.push_back(key);
            else differences_[key].observed = have == nullptr ? std::nullopt : std::optional{*have};
        }
        differences_.erase_all(agreed);
    }
    /// The wish at a key changed: what was the wish is what the kernel holds, unless known better.
    /// A new wish is tried at once, whatever the old one's back-off.
    void change(const Key& key, const std::optional<Spec>& before,
                const std::optional<Spec>& after) {
        const auto [at, added] = differences_.try_emplace(key, Difference{.observed = before});
        if (at->second.observed == after) differences_.erase(at);
        else if (!added) at->second = Difference{.observed = at->second.observed};
    }

    SortedMap<Key, Wanted> wanted_;
    SortedMap<Key, Difference> differences_;
};

} // namespace ipvsproxy::plan
