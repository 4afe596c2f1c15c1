// The members of Ledger that walk whole tables, each in one pass: for the sources that call them.
#pragma once

#include "proxy/plan/ledger.h"

namespace ipvsproxy::plan {

template <class Key, class Spec> template <class Seen, class Ours>
std::size_t Ledger<Key, Spec>::observe(const Seen& seen, const std::optional<Key>& first,
                                       const std::optional<Key>& last, const Ours& ours) {
    if (!listed_) {
        const auto low = first ? seen.lower_bound(*first) : seen.begin();
        const auto high = last ? seen.lower_bound(*last) : seen.end();
        if (const auto gone = hold_few(low, high, first, last, ours)) return *gone;
    }
    if (first || last) list();
    const auto held = std::exchange(held_, {});
    std::size_t gone = 0;
    for (const auto& key : held) // believed to be there, which other wishes were not
        if (seen.find(key) == seen.end()) ++gone;
    return gone + list_all(seen, first, last, ours, {});
}

/// What is seen of a table that counts as empty is no more than a few wishes, as they should be.
/// @return how many have gone of those held before; nothing where it is not so.
template <class Key, class Spec> template <class At, class Ours> std::optional<std::size_t>
Ledger<Key, Spec>::hold_few(At seen, At end, const std::optional<Key>& first,
                            const std::optional<Key>& last, const Ours& ours) {
    std::set<Key> now;
    for (; seen != end; ++seen) {
        const auto want = wanted_.find(seen->first);
        if (want == wanted_.end() && !ours(seen->first)) continue;
        if (want == wanted_.end() || !(want->second == seen->second)) return std::nullopt;
        now.insert(now.end(), seen->first);
        if (now.size() > few) return std::nullopt;
    }
    std::size_t gone = 0;
    auto at = first ? held_.lower_bound(*first) : held_.begin();
    for (const auto stop = last ? held_.lower_bound(*last) : held_.end(); at != stop;) {
        gone += now.contains(*at) ? 0U : 1U;
        at = held_.erase(at);
    }
    held_.merge(now);
    return gone;
}

/// @param besides wishes that the kernel holds as well
template <class Key, class Spec> template <class Seen, class Ours>
std::size_t Ledger<Key, Spec>::list_all(const Seen& seen, const std::optional<Key>& first,
                                        const std::optional<Key>& last, const Ours& ours,
                                        const std::set<Key>& besides) {
    const auto low = [&](const auto& map) { return first ? map.lower_bound(*first) : map.begin(); };
    const auto high = [&](const auto& map) { return last ? map.lower_bound(*last) : map.end(); };
    const bool counted_as_empty = !std::exchange(listed_, true);
    typename Differences<Key, Spec>::Replacement known{differences_, first, last};
    std::size_t news = 0;
    const auto visit = [&](const Key& key, const Spec* have, const Wanted* want) {
        if (want == nullptr && !ours(key)) return;
        if (have == nullptr && besides.contains(key)) return;
        const auto now = have != nullptr ? std::optional{*have} : std::nullopt;
        if (known.differs(key, now) && !(counted_as_empty && !now)) ++news;
    };
    for_each_difference(low(seen), high(seen), low(std::as_const(wanted_)),
                        high(std::as_const(wanted_)), visit);
    known.finish();
    return news;
}

template <class Key, class Spec> Changes<Key, Spec> Ledger<Key, Spec>::changes(Moment now) const {
    Changes<Key, Spec> all;
    if (!listed_) {
        auto held = held_.begin();
        for (const auto& [key, wanted] : wanted_)
            if (held == held_.end() || !(*held == key)) all.add.append(key, wanted.spec);
            else ++held;
    }
    auto want = wanted_.begin();
    for (const auto& [key, difference] : differences()) {
        if (difference.not_before > now) continue;
        want = wanted_.lower_bound(want, key);
        if (want == wanted_.end() || key < want->first) all.remove.insert(all.remove.end(), key);
        else if (difference.observed) all.update.try_emplace(key, want->second.spec);
        else all.add.try_emplace(key, want->second.spec);
    }
    return all;
}

template <class Key, class Spec>
void Ledger<Key, Spec>::applied(const Changes<Key, Spec>& changes) {
    if (changes.empty()) return;
    if (!listed_ && changes.update.empty() && changes.remove.empty()) {
        list_all(changes.add, {}, {}, Everything{}, std::exchange(held_, {}));
        return;
    }
    list();
    believe(
        changes.remove, [](const Key& key) -> const Key& { return key; },
        [](const Key&) -> const Spec* { return nullptr; });
    for (const auto* written : {&changes.update, &changes.add})
        believe(
            *written, [](const auto& entry) -> const Key& { return entry.first; },
            [](const auto& entry) { return &entry.second; });
}

/// The kernel holds this at these keys, which come in rising order.
template <class Key, class Spec> template <class Entries, class KeyOf, class Seen>
void Ledger<Key, Spec>::believe(const Entries& entries, const KeyOf& key_of, const Seen& seen) {
    std::vector<Key> agreed;
    auto want = std::as_const(wanted_).begin();
    for (const auto& entry : entries) {
        const Key& key = key_of(entry);
        const Spec* const have = seen(entry);
        want = std::as_const(wanted_).lower_bound(want, key);
        const bool unwanted = want == std::as_const(wanted_).end() || key < want->first;
        if (unwanted ? have == nullptr : have != nullptr && *have == want->second.spec)
            agreed.push_back(key);
        else differences_.note(key, have == nullptr ? std::nullopt : std::optional{*have});
    }
    differences_.erase_all(agreed);
}

} // namespace ipvsproxy::plan
