#include "proxy/files/layers.h"

#include <algorithm>
#include <utility>

namespace ipvsproxy::files {
namespace {

template <class... Ts> struct Overloaded : Ts... { using Ts::operator()...; };
template <class... Ts> Overloaded(Ts...) -> Overloaded<Ts...>;

constexpr auto name_of = [](const auto& layer) -> const std::string& { return *layer.file; };

} // namespace

std::string Key::text() const {
    switch (kind) {
    case Kind::service:
        return "Service " + name.text();
    case Kind::slice:
        return "EndpointSlice " + name.text();
    case Kind::node:
        return "Node " + name.name;
    }
    return {}; // not reached: the switch names every kind
}

Key key_of(const Given& object) {
    return std::visit(Overloaded{[](const model::Service& one) {
                                     return Key{Key::Kind::service, one.name};
                                 },
                                 [](const model::EndpointSlice& one) {
                                     return Key{Key::Kind::slice, one.name};
                                 },
                                 [](const model::Node& one) {
                                     return Key{Key::Kind::node, {.space = {}, .name = one.name}};
                                 }},
                      object);
}

void Layers::replace(const std::string& file, std::map<Key, Given> objects,
                     const std::set<Key>& kept) {
    const auto entry = given_.try_emplace(file).first;
    std::erase_if(entry->second, [&](const Key* key) {
        const bool goes = !objects.contains(*key) && !kept.contains(*key);
        if (goes) take_back(file, *key);
        return goes;
    });
    for (auto& [key, object] : objects)
        give(*entry, key, std::move(object));
    if (entry->second.empty()) given_.erase(entry);
}

std::set<Key> Layers::given_by(const std::string& file) const {
    std::set<Key> all;
    if (const auto found = given_.find(file); found != given_.end())
        for (const auto* key : found->second)
            all.insert(*key);
    return all;
}

std::map<Key, std::vector<std::string>> Layers::contested() const {
    std::map<Key, std::vector<std::string>> out;
    for (const auto& key : contested_)
        for (const auto& layer : givers_.at(key))
            out[key].push_back(*layer.file);
    return out;
}

void Layers::give(std::map<std::string, Gifts>::value_type& file, const Key& key, Given object) {
    const auto entry = givers_.try_emplace(key).first;
    auto& givers = entry->second;
    auto mine = std::ranges::lower_bound(givers, file.first, {}, name_of);
    if (mine == givers.end() || *mine->file != file.first) {
        file.second.push_back(&entry->first);
        if (!givers.empty() && mine == givers.end()) // the one that counted until now
            givers.back().object = std::make_unique<Given>(held(key));
        mine = givers.insert(mine, Layer{&file.first, nullptr});
        if (givers.size() > 1) contested_.insert(key);
    }
    if (std::next(mine) == givers.end()) put(std::move(object));
    else mine->object = std::make_unique<Given>(std::move(object));
}

/// @param key may be the one in givers_.
void Layers::take_back(const std::string& file, const Key& key) {
    const auto found = givers_.find(key);
    auto& givers = found->second;
    const bool counted = *givers.back().file == file;
    givers.erase(std::ranges::lower_bound(givers, file, {}, name_of));
    if (givers.size() < 2) contested_.erase(key);
    if (!givers.empty()) {
        if (counted) put(std::move(*std::exchange(givers.back().object, nullptr)));
        return;
    }
    switch (key.kind) {
    case Key::Kind::service:
        store_.remove_service(key.name);
        break;
    case Key::Kind::slice:
        store_.remove_slice(key.name);
        break;
    case Key::Kind::node:
        store_.remove_node(key.name.name);
        break;
    }
    givers_.erase(found);
}

/// What the store holds of an object that was put there by us.
Given Layers::held(const Key& key) const {
    switch (key.kind) {
    case Key::Kind::service:
        return *store_.service(key.name);
    case Key::Kind::node:
        return *store_.node(key.name.name);
    case Key::Kind::slice:
        break;
    }
    return *store_.slice(key.name);
}

void Layers::put(Given object) {
    std::visit([this](auto&& one) { store_.put(std::forward<decltype(one)>(one)); },
               std::move(object));
}

} // namespace ipvsproxy::files
