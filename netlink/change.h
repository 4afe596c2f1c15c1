// The one difference algorithm: what turns the observed state of a table into the desired one.
#pragma once

#include <compare>
#include <ostream>
#include <set>
#include <string>
#include <system_error>

#include "netlink/sorted_map.h"

namespace ipvsproxy {

template <class Key, class Spec> struct Changes {
    SortedMap<Key, Spec> add{}, update{};
    std::set<Key> remove{};

    bool empty() const noexcept { return add.empty() && update.empty() && remove.empty(); }
    std::size_t size() const noexcept { return add.size() + update.size() + remove.size(); }
    friend bool operator==(const Changes&, const Changes&) = default;
};

/// Walks two ordered ranges of (key, spec) pairs side by side and visits every key at which they
/// differ: `visit(key, observed, desired)`, pointers to the specs, null where there is none. The
/// one comparison of the project; everything that looks for differences stands on it.
template <class Observed, class Desired, class Visit>
void for_each_difference(Observed have, Observed have_end, Desired want, Desired want_end,
                         const Visit& visit) {
    while (have != have_end && want != want_end) {
        if (have->first == want->first) { // mostly, and that is found sooner than order
            if (!(have->second == want->second)) visit(want->first, &have->second, &want->second);
            ++have;
            ++want;
        } else if (have->first < want->first) {
            visit(have->first, &have->second, nullptr);
            ++have;
        } else {
            visit(want->first, nullptr, &want->second);
            ++want;
        }
    }
    for (; have != have_end; ++have)
        visit(have->first, &have->second, nullptr);
    for (; want != want_end; ++want)
        visit(want->first, nullptr, &want->second);
}

/// What turns `observed` into `desired`, both in canonical form. One walk over both, no I/O.
template <class Map> Changes<typename Map::key_type, typename Map::mapped_type>
diff(const Map& observed, const Map& desired) {
    using Key = typename Map::key_type;
    using Spec = typename Map::mapped_type;
    Changes<Key, Spec> changes;
    const auto visit = [&changes](const Key& key, const Spec* have, const Spec* want) {
        if (want == nullptr) changes.remove.insert(changes.remove.end(), key);
        else if (have == nullptr) changes.add.try_emplace(key, *want);
        else changes.update.try_emplace(key, *want);
    };
    for_each_difference(observed.begin(), observed.end(), desired.begin(), desired.end(), visit);
    return changes;
}

/// `state` with `changes` made to it: the law `patch(x, diff(x, y)) == y` ties the two together.
template <class Map>
void patch(Map& state, const Changes<typename Map::key_type, typename Map::mapped_type>& changes) {
    for (const auto& key : changes.remove)
        state.erase(key);
    for (const auto& [key, spec] : changes.update)
        state.insert_or_assign(key, spec);
    for (const auto& [key, spec] : changes.add)
        state.insert_or_assign(key, spec);
}

/// One change that the kernel did not take.
template <class Key> struct Refusal {
    Key key{};
    std::error_code error{}; ///< the kernel's errno (generic_category), or a category of the table
    friend bool operator==(const Refusal&, const Refusal&) = default;
};

template <class Key> std::ostream& operator<<(std::ostream& out, const Refusal<Key>& refusal) {
    return out << refusal.key << ": " << refusal.error.message();
}

template <class Key, class Spec>
std::ostream& operator<<(std::ostream& out, const Changes<Key, Spec>& changes) {
    for (const auto& key : changes.remove)
        out << "- " << key << '\n';
    for (const auto& [key, spec] : changes.update)
        out << "~ " << key << ' ' << spec << '\n';
    for (const auto& [key, spec] : changes.add)
        out << "+ " << key << ' ' << spec << '\n';
    return out;
}

} // namespace ipvsproxy
