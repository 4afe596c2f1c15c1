// What is wanted of one table, and where the kernel is known to differ from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "netlink/change.h"
#include "proxy/plan/differences.h"

namespace ipvsproxy::plan {

/// Holds for whatever it is asked about.
struct Everything {
    bool operator()(const auto&) const noexcept { return true; }
};

/// Desired and observed state of one table, held once: the desired map, and beside it only the keys
/// at which the kernel is known to hold something else. An event touches the keys that it changes;
/// the changes to make are read off the second map alone, whatever the size of the first.
///
/// Until the kernel was seen to hold anything but a few of the wishes it counts as empty: every
/// other wish differs, and that is not listed. Of a node that starts, most becomes true of the
/// whole table at once.
///
/// Several owners may want the same key (an address shared by five service ports); it goes when the
/// last one drops it. They must agree on the spec; the latest word counts.
///
/// What walks the whole table (a range observed, changes, applied) is defined in ledger_walks.h.
template <class Key, class Spec> class Ledger {
public:
    struct Wanted {
        Spec spec{};
        std::uint32_t owners{};
        friend bool operator==(const Wanted& wanted, const Spec& other) {
            return wanted.spec == other;
        }
    };

    /// One more owner wants the key so.
    void want(const Key& key, const Spec& spec) {
        auto [at, added] = wanted_.try_emplace(key);
        at->second.owners++;
        if (!added && at->second.spec == spec) return;
        if (lists(key))
            differences_.wish_changed(key, added ? std::nullopt : std::optional{at->second.spec},
                                      spec);
        at->second.spec = spec;
    }
    /// One more owner wants all of these keys so. @param all from whose elements, in turn,
    /// `key_of` makes rising keys: behind one that came last no other is searched for.
    template <class List, class KeyOf>
    void want_rising(const List& all, const KeyOf& key_of, const Spec& spec) {
        bool last = false;
        for (const auto& element : all) {
            const Key key = key_of(element);
            last = last || wanted_.ends_before(key);
            if (!last) {
                want(key, spec);
                continue;
            }
            wanted_.append(key, Wanted{spec, 1});
            if (listed_) differences_.wish_changed(key, std::nullopt, spec);
        }
    }
    /// The owner that wanted it wants it otherwise now.
    void alter(const Key& key, const Spec& spec) {
        auto& wanted = wanted_.at(key);
        if (wanted.spec == spec) return;
        if (lists(key)) differences_.wish_changed(key, wanted.spec, spec);
        wanted.spec = spec;
    }
    /// One owner less.
    void drop(const Key& key) {
        const auto at = wanted_.find(key);
        if (at == wanted_.end() || --at->second.owners > 0) return;
        if (lists(key)) differences_.wish_changed(key, at->second.spec, std::nullopt);
        wanted_.erase(at);
    }

    /// The kernel was seen to hold this (nothing: no such key).
    void observe(const Key& key, const std::optional<Spec>& seen) {
        list();
        const auto want = wanted_.find(key);
        const bool same = want == wanted_.end() ? !seen : seen && *seen == want->second.spec;
        if (same) differences_.erase(key);
        else differences_.note(key, seen);
    }
    /// Everything the kernel holds between two keys (`last` not included; no bound: to that end)
    /// was seen. Differences already known keep their back-off. One walk over all of it.
    /// @param seen an ordered map. @param ours whether a key that nobody wants counts as seen
    /// @return at how many keys the kernel holds something else than was believed.
    template <class Seen, class Ours = Everything>
    std::size_t observe(const Seen& seen, const std::optional<Key>& first = {},
                        const std::optional<Key>& last = {}, const Ours& ours = {});

    /// What is to be done that may be tried at `now`.
    Changes<Key, Spec> changes(Moment now = Moment::max()) const;
    /// The kernel was given those changes and refused none of them.
    void applied(const Changes<Key, Spec>& changes);
    /// What the kernel holds at a key that nobody wants is no concern of ours any more.
    void forget(const Key& key) {
        if (!wanted_.contains(key)) differences_.erase(key);
    }
    /// Leaves the key alone until then. Without a difference there, nothing happens.
    void hold(const Key& key, Moment until) {
        list();
        differences_.hold(key, until);
    }
    /// The kernel refused a change of this key: counts it. @return how often in a row.
    std::uint32_t refuse(const Key& key) {
        list();
        return differences_.refuse(key);
    }
    bool any_refused() const { return differences_.any_refused(); }
    std::optional<Moment> next_due(Moment now) const { return differences_.next_due(now); }

    const Spec* wanted(const Key& key) const {
        const auto at = wanted_.find(key);
        return at == wanted_.end() ? nullptr : &at->second.spec;
    }
    const SortedMap<Key, Wanted>& wanted() const noexcept { return wanted_; }
    /// The table differs at every wish but those in held(), and `differences` is empty.
    bool counts_as_empty() const noexcept { return !listed_; }
    /// The few wishes that a table which counts as empty holds nevertheless.
    const std::set<Key>& held() const noexcept { return held_; }
    const typename Differences<Key, Spec>::Map& differences() const noexcept {
        return differences_.all();
    }
    /// Whether the kernel is believed to hold the key.
    bool believed_present(const Key& key) const {
        if (!listed_) return held_.contains(key);
        const auto at = differences().find(key);
        return at == differences().end() ? wanted_.contains(key) : at->second.observed.has_value();
    }

private:
    static constexpr std::size_t few = 16;

    /// Of a table that counted as empty: names each wish that it does not hold as a difference.
    void list() {
        if (std::exchange(listed_, true)) return;
        for (const auto& [key, wanted] : wanted_)
            if (!held_.contains(key)) differences_.note(key, std::nullopt);
        held_.clear();
    }
    /// Whether a change of the wish is to be listed.
    bool lists(const Key& key) {
        if (held_.contains(key)) list();
        return listed_;
    }
    template <class At, class Ours>
    std::optional<std::size_t> hold_few(At seen, At end, const std::optional<Key>& first,
                                        const std::optional<Key>& last, const Ours& ours);
    template <class Seen, class Ours>
    std::size_t list_all(const Seen& seen, const std::optional<Key>& first,
                         const std::optional<Key>& last, const Ours& ours,
                         const std::set<Key>& besides);
    template <class Entries, class KeyOf, class Seen>
    void believe(const Entries& entries, const KeyOf& key_of, const Seen& seen);

    SortedMap<Key, Wanted> wanted_;
    Differences<Key, Spec> differences_;
    bool listed_{};        ///< differences_ names them all
    std::set<Key> held_{}; ///< unless they are listed
};

} // namespace ipvsproxy::plan
