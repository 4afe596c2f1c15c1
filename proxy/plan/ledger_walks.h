// The members of Ledger that walk whole tables, each in one pass: for the sources that call them.
#pragma once

#include "proxy/plan/ledger.h"

namespace ipvsproxy::plan {

template <class Key, class Spec> template <class Seen, class Ours>
std::size_t Ledger<Key, Spec>::observe(const Seen& seen, const std::optional<Key>& first,
                                       const std::optional<Key>& last, const Ours& ours) {
    const auto low = [&](const auto& map) { return first ? map.lower_bound(*first) : map.begin(); };
    const auto high = [&](const auto& map) { return last ? map.lower_bound(*last) : map.end(); };
    if (!listed_ && low(seen) == high(seen)) return 0; // as it was believed
    if (first || last) list();
    const bool counted_as_empty = !std::exchange(listed_, true);
    typename Differences<Key, Spec>::Replacement known{differences_, first, last};
    std::size_t news = 0;
    const auto visit = [&](const Key& key, const Spec* have, const Wanted* want) {
        if (want == nullptr && !ours(key)) return;
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
    if (!listed_)
        for (const auto& [key, wanted] : wanted_)
            all.add.append(key, wanted.spec);
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
    if (!listed_ && changes.update.empty() && changes.remove.empty()) {
        observe(changes.add);
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
