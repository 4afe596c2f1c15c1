// The one difference algorithm: what turns the observed state of a table into the desired one.
#pragma once

#include <map>
#include <ostream>
#include <set>
#include <string>
#include <system_error>

namespace ipvsproxy {

template <class Key, class Spec> struct Changes {
    std::map<Key, Spec> add{}, update{};
    std::set<Key> remove{};

    bool empty() const noexcept { return add.empty() && update.empty() && remove.empty(); }
    std::size_t size() const noexcept { return add.size() + update.size() + remove.size(); }
    friend bool operator==(const Changes&, const Changes&) = default;
};

/// What turns `observed` into `desired`, both in canonical form. One walk over both, no I/O.
template <class Key, class Spec>
Changes<Key, Spec> diff(const std::map<Key, Spec>& observed, const std::map<Key, Spec>& desired) {
    Changes<Key, Spec> changes;
    auto have = observed.begin();
    auto want = desired.begin();
    while (have != observed.end() || want != desired.end()) {
        if (want == desired.end() || (have != observed.end() && have->first < want->first)) {
            changes.remove.insert(changes.remove.end(), have->first);
            ++have;
        } else if (have == observed.end() || want->first < have->first) {
            changes.add.emplace_hint(changes.add.end(), *want);
            ++want;
        } else {
            if (!(have->second == want->second))
                changes.update.emplace_hint(changes.update.end(), *want);
            ++have;
            ++want;
        }
    }
    return changes;
}

/// `state` with `changes` made to it: the law `patch(x, diff(x, y)) == y` ties the two together.
template <class Key, class Spec>
void patch(std::map<Key, Spec>& state, const Changes<Key, Spec>& changes) {
    for (const auto& key : changes.remove) state.erase(key);
    for (const auto& [key, spec] : changes.update) state.insert_or_assign(key, spec);
    for (const auto& [key, spec] : changes.add) state.insert_or_assign(key, spec);
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
    for (const auto& key : changes.remove) out << "- " << key << '\n';
    for (const auto& [key, spec] : changes.update) out << "~ " << key << ' ' << spec << '\n';
    for (const auto& [key, spec] : changes.add) out << "+ " << key << ' ' << spec << '\n';
    return out;
}

} // namespace ipvsproxy
