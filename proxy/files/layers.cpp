#include "proxy/files/layers.h"

#include <algorithm>
#include <utility>

namespace ipvsproxy::files {
namespace {

constexpr auto name_of = [](const auto& layer) -> const std::string& { return *layer.file; };

} // namespace

std::string Key::text() const {
    switch (kind) {
    case Kind::service:
        return "Service " + name.text();
    case Kind::slice:
        return "EndpointSlice " + name.text();
    case Kind::node:
        return "Node " + name.name.text();
    }
    return {}; // not reached: the switch names every kind
}

bool Objects::contains(const Key& key) const {
    switch (key.kind) {
    case Key::Kind::service:
        return services.contains(key.name);
    case Key::Kind::slice:
        return slices.contains(key.name);
    case Key::Kind::node:
        return nodes.contains(key.name.name.text());
    }
    return false; // not reached: the switch names every kind
}

template <class Object>
void Layers::give(std::map<std::string, Gifts>::value_type& file, const Key& key, Object&& object) {
    auto& givers = givers_[key];
    const auto* const counted = givers.last;
    if (counted != nullptr && *counted == file.first) {
        store_.put(std::forward<Object>(object));
        return;
    }
    auto& hidden = givers.hidden;
    if (counted != nullptr && hidden == nullptr) hidden = std::make_unique<std::vector<Layer>>();
    if (counted != nullptr && file.first < *counted) {
        const auto mine = std::ranges::lower_bound(*hidden, file.first, {}, name_of);
        if (mine != hidden->end() && *mine->file == file.first) {
            mine->object = std::forward<Object>(object);
            return;
        }
        hidden->insert(mine, Layer{&file.first, std::forward<Object>(object)});
    } else {
        if (counted != nullptr) hidden->push_back({counted, held(key)});
        givers.last = &file.first;
        store_.put(std::forward<Object>(object));
    }
    file.second.push_back(key);
    if (counted != nullptr) contested_.insert(key);
}

void Layers::replace(const std::string& file, Objects objects, const std::set<Key>& kept) {
    const auto entry = given_.try_emplace(file).first;
    std::erase_if(entry->second, [&](const Key& key) {
        const bool goes = !objects.contains(key) && !kept.contains(key);
        if (goes) take_back(file, key);
        return goes;
    });
    if (entry->second.empty()) entry->second.reserve(objects.size()); // else it has most of them
    objects.services.hand_out([&](const model::ObjectName& name, model::Service& service) {
        give(*entry, {Key::Kind::service, name}, std::move(service));
    });
    objects.slices.hand_out([&](const model::ObjectName& name, model::EndpointSlice& slice) {
        give(*entry, {Key::Kind::slice, name}, std::move(slice));
    });
    objects.nodes.hand_out([&](const std::string& name, model::Node& node) {
        give(*entry, {Key::Kind::node, {{}, name}}, std::move(node));
    });
    if (entry->second.empty()) given_.erase(entry);
}

std::set<Key> Layers::given_by(const std::string& file) const {
    std::set<Key> all;
    if (const auto found = given_.find(file); found != given_.end())
        all.insert(found->second.begin(), found->second.end());
    return all;
}

std::map<Key, std::vector<std::string>> Layers::contested() const {
    std::map<Key, std::vector<std::string>> out;
    for (const auto& key : contested_) {
        const auto& givers = givers_.at(key);
        auto& files = out[key];
        for (const auto& layer : *givers.hidden)
            files.push_back(*layer.file);
        files.push_back(*givers.last);
    }
    return out;
}

void Layers::take_back(const std::string& file, const Key& key) {
    const auto found = givers_.find(key);
    auto& [last, hidden] = found->second;
    if (hidden == nullptr) { // it was given by this file alone
        withdraw(key);
        givers_.erase(found);
        return;
    }
    if (*last == file) {
        last = hidden->back().file;
        put(std::move(hidden->back().object));
        hidden->pop_back();
    } else {
        hidden->erase(std::ranges::lower_bound(*hidden, file, {}, name_of));
    }
    if (!hidden->empty()) return;
    hidden.reset();
    contested_.erase(key);
}

/// Nobody gives it any more.
void Layers::withdraw(const Key& key) {
    switch (key.kind) {
    case Key::Kind::service:
        store_.remove_service(key.name);
        break;
    case Key::Kind::slice:
        store_.remove_slice(key.name);
        break;
    case Key::Kind::node:
        store_.remove_node(key.name.name.text());
        break;
    }
}

/// What the store holds of an object that was put there by us.
Layers::Given Layers::held(const Key& key) const {
    switch (key.kind) {
    case Key::Kind::service:
        return *store_.service(key.name);
    case Key::Kind::node:
        return *store_.node(key.name.name.text());
    case Key::Kind::slice:
        break;
    }
    return *store_.slice(key.name);
}

void Layers::put(Given&& object) {
    std::visit([this](auto& one) { store_.put(std::move(one)); }, object);
}

} // namespace ipvsproxy::files
