#include "proxy/model/store.h"

#include <utility>

namespace ipvsproxy::model {
namespace {

/// Puts `value` at `key`, which may be a part of it. @return where it stands, and whether anything
/// differs from what stood there. Manifests and lists are mostly ordered, so that the end is looked
/// at first. `value` is used up.
template <class Map, class Key, class Value>
std::pair<typename Map::iterator, bool> put_at(Map& map, const Key& key, Value& value) {
    const auto before = map.size();
    const auto at = map.try_emplace(map.end(), key, std::move(value));
    if (map.size() != before) return {at, true};
    if (at->second == value) return {at, false}; // it was not moved from
    at->second = std::move(value);
    return {at, true};
}

template <class Map, class Key>
const typename Map::mapped_type* held_at(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
}

} // namespace

bool Store::put(Service&& service) {
    const auto [at, changed] = put_at(services_, service.name, service);
    if (!changed) return false;
    ++changed_.services;
    mark(at->first);
    return true;
}

bool Store::put(EndpointSlice&& slice) {
    const ObjectName name = slice.name;
    // A slice is found by its own name, wherever it is filed: its label may name another service
    // now.
    auto filed = slice_owner_.try_emplace(name, nullptr);
    if (!filed.second && *filed.first->second != slice.service) {
        remove_slice(name);
        filed = slice_owner_.try_emplace(name, nullptr);
    }
    const auto triggered = slice.triggered;
    const auto family = slice.family;
    const auto of_service = slices_.try_emplace(slices_.end(), slice.service);
    const auto& service = of_service->first;
    filed.first->second = &service;
    slice.service = service; // one copy of the text
    if (!put_at(of_service->second, name.name, slice).second) return false;
    ++changed_.slices;
    if (triggered) triggers_[service].push_back({family, *triggered});
    dirty_.insert(service, marked_); // a list of slices comes after that of their services
    return true;
}

bool Store::put(Node node) {
    const std::string name = node.name;
    if (!put_at(nodes_, name, node).second) return false;
    node_changed_ = true;
    return true;
}

bool Store::remove_service(const ObjectName& name) {
    const auto found = services_.find(name);
    if (found == services_.end()) return false;
    ++changed_.services;
    mark(found->first); // before the erase: `name` may be a reference into it
    services_.erase(found);
    return true;
}

bool Store::remove_slice(const ObjectName& name) {
    const auto filed = slice_owner_.find(name);
    if (filed == slice_owner_.end()) return false;
    const auto of_service = slices_.find(*filed->second);
    mark(of_service->first);
    of_service->second.erase(filed->first.name);
    ++changed_.slices;
    triggers_.erase(of_service->first);
    slice_owner_.erase(filed);
    if (of_service->second.empty()) slices_.erase(of_service);
    return true;
}

bool Store::remove_node(const std::string& name) {
    if (nodes_.erase(name) == 0) return false;
    node_changed_ = true;
    return true;
}

const Service* Store::service(const ObjectName& name) const {
    return held_at(services_, name);
}

const Store::Slices& Store::slices(const ObjectName& service) const {
    static const Slices none;
    const auto* held = held_at(slices_, service);
    return held == nullptr ? none : *held;
}

const EndpointSlice* Store::slice(const ObjectName& name) const {
    const auto* owner = held_at(slice_owner_, name);
    return owner == nullptr ? nullptr : held_at(slices_.at(**owner), name.name);
}

const Node* Store::node(const std::string& name) const {
    return held_at(nodes_, name);
}

Store::Names Store::take_dirty() {
    return std::exchange(dirty_, {});
}

void Store::mark(const ObjectName& service) {
    dirty_.insert(service);
}

bool Store::take_node_changed() {
    return std::exchange(node_changed_, false);
}

std::vector<Store::Trigger> Store::take_triggers() {
    std::vector<Trigger> all;
    for (const auto& [service, triggers] : std::exchange(triggers_, {}))
        all.insert(all.end(), triggers.begin(), triggers.end());
    return all;
}

} // namespace ipvsproxy::model
