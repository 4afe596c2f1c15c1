#include "proxy/plan/order.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace ipvsproxy::plan {
namespace {

/// Moves what stands side by side from `first` on, and belongs together, from one map into another.
template <class Map, class Test>
void move_run(Map& from, Map& to, const typename Map::key_type& first, const Test& belongs) {
    for (auto at = from.lower_bound(first); at != from.end() && belongs(at->first);
         at = from.erase(at))
        to.try_emplace(at->first, std::move(at->second));
}

/// The additions and updates.
template <class Key, class Spec, class Test>
void move_writes(Changes<Key, Spec>& from, Changes<Key, Spec>& to,
                 const std::type_identity_t<Key>& first, const Test& belongs) {
    move_run(from.add, to.add, first, belongs);
    move_run(from.update, to.update, first, belongs);
}

/// What every service stands on comes first too: the device, the sets, and the chains, which are
/// few and come whole. A set is made in the size of all that is to come.
void take_ground(NodeChanges& all, NodeChanges& first) {
    first.create_device = std::exchange(all.create_device, false);
    for (auto& [name, set] : all.sets.sets) {
        if (!set.create) continue;
        auto& some = first.sets.sets[name];
        some.spec = set.spec;
        some.create = std::exchange(set.create, std::nullopt);
        some.expected = some.add.size() + set.add.size();
    }
    std::erase_if(all.sets.sets, [](const auto& set) {
        return !set.second.create && set.second.add.empty() && set.second.remove.empty();
    });
    first.rules = std::exchange(all.rules, {});
}

/// Takes the additions and updates that are urgent out of `all`.
NodeChanges take_urgent(NodeChanges& all, const Urgent& urgent) {
    NodeChanges first;
    for (const auto& address : urgent.addresses)
        move_writes(all.addresses, first.addresses, {address, 0, Binding::address},
                    [&](const DeviceAddress& key) { return key.address == address; });
    for (const auto& service : urgent.services) {
        move_writes(all.ipvs.services, first.ipvs.services, service,
                    [&](const ipvs::ServiceKey& key) { return key == service; });
        move_writes(all.ipvs.destinations, first.ipvs.destinations, {service, {}, {}},
                    [&](const ipvs::DestinationKey& key) { return key.service == service; });
    }
    for (auto& [name, set] : all.sets.sets) {
        std::set<ipset::Entry> few;
        for (const auto& [in, entry] : urgent.entries)
            if (in == name) few.insert(entry);
        if (few.empty()) continue;
        const auto is_urgent = [&](const ipset::Entry& entry) { return few.contains(entry); };
        const auto some =
            std::stable_partition(set.add.begin(), set.add.end(), std::not_fn(is_urgent));
        if (some == set.add.end()) continue;
        first.sets.sets[name] = {.spec = set.spec, .add = {some, set.add.end()}};
        set.add.erase(some, set.add.end());
    }
    // Without anything urgent nothing is taken out of the one order of removals and additions.
    if (!first.empty()) take_ground(all, first);
    return first;
}

/// The same address, made local in the other way.
DeviceAddress otherwise_bound(DeviceAddress key) {
    key.binding = key.binding == Binding::address ? Binding::route : Binding::address;
    return key;
}

void append(std::vector<Step>& out, NodeChanges changes) {
    // Rules are created before, and removed after, what they name; an address is the door, so it
    // opens last and closes first.
    if (changes.destroy_device) out.emplace_back(DestroyDevice{});
    if (changes.create_device) out.emplace_back(CreateDevice{});
    DeviceAddressChanges closing, opening, replaced;
    opening.add = std::move(changes.addresses.add);
    opening.update = std::move(changes.addresses.update);
    for (const auto& key : changes.addresses.remove)
        (opening.add.contains(otherwise_bound(key)) ? replaced : closing).remove.insert(key);
    if (!closing.empty()) out.emplace_back(std::move(closing));

    // Entries that let traffic in or masquerade it come before the virtual server they are about;
    // entries of what is gone go after it.
    ipset::TableChanges filling, emptying;
    for (auto& [name, set] : changes.sets.sets) {
        if (set.create || !set.add.empty())
            filling.sets[name] = {.create = set.create,
                                  .expected = set.expected,
                                  .spec = set.spec,
                                  .add = std::move(set.add)};
        if (!set.remove.empty())
            emptying.sets[name] = {.spec = set.spec, .remove = std::move(set.remove)};
    }
    emptying.destroy = std::move(changes.sets.destroy);
    if (!filling.empty()) out.emplace_back(std::move(filling));
    for (const auto family : families)
        if (!changes.rules[family].empty())
            out.emplace_back(RuleStep{family, std::move(changes.rules[family])});
    if (!changes.ipvs.empty()) out.emplace_back(std::move(changes.ipvs));
    if (!opening.empty()) out.emplace_back(std::move(opening));
    if (!replaced.empty()) out.emplace_back(std::move(replaced));
    if (!emptying.empty()) out.emplace_back(std::move(emptying));
}

} // namespace

namespace {

template <class Key, class Spec> void merge(Changes<Key, Spec>& all, Changes<Key, Spec>& some) {
    all.add.merge(some.add);
    all.update.merge(some.update);
    all.remove.merge(some.remove);
}

template <class T> void move_behind(std::vector<T>& all, std::vector<T>& some) {
    if (all.empty()) std::swap(all, some);
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
}

struct Absorber {
    NodeChanges& all;

    void operator()(CreateDevice) const { all.create_device = true; }
    void operator()(DestroyDevice) const { all.destroy_device = true; }
    void operator()(DeviceAddressChanges& some) const { merge(all.addresses, some); }
    void operator()(RuleStep& some) const { all.rules[some.family] = std::move(some.changes); }
    void operator()(ipvs::TableChanges& some) const {
        merge(all.ipvs.services, some.services);
        merge(all.ipvs.destinations, some.destinations);
    }
    void operator()(ipset::TableChanges& some) const {
        for (auto& [name, changes] : some.sets) {
            auto& set = all.sets.sets[name];
            set.spec = changes.spec;
            if (changes.create) set.create = changes.create;
            move_behind(set.add, changes.add);
            move_behind(set.remove, changes.remove);
        }
        all.sets.destroy.merge(some.destroy);
    }
};

} // namespace

void absorb(NodeChanges& all, Step step) {
    std::visit(Absorber{all}, step);
}

void Urgent::add(const Contribution& contribution) {
    for (const auto& server : contribution.virtual_servers)
        services.insert(server.key);
    for (const auto& entry : contribution.entries) {
        if (is_binding(entry)) addresses.insert(entry.second.address);
        entries.emplace(set_name(entry.first), entry.second);
    }
}

std::vector<Step> steps(NodeChanges changes, const Urgent& urgent) {
    std::vector<Step> all;
    if (!urgent.empty()) append(all, take_urgent(changes, urgent));
    append(all, std::move(changes));
    return all;
}

} // namespace ipvsproxy::plan
