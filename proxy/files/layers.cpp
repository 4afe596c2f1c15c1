#include "proxy/files/layers.h"

#include <utility>

namespace ipvsproxy::files {
namespace {

template <class... Ts> struct Overloaded : Ts... { using Ts::operator()...; };
template <class... Ts> Overloaded(Ts...) -> Overloaded<Ts...>;

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
    auto& given = given_[file];
    std::erase_if(given, [&](const Key& key) {
        const bool goes = !objects.contains(key) && !kept.contains(key);
        if (goes) take_back(file, key);
        return goes;
    });
    for (auto& [key, object] : objects) {
        give(file, key, std::move(object));
        given.insert(key);
    }
    if (given.empty()) given_.erase(file);
}

const std::set<Key>& Layers::given_by(const std::string& file) const {
    static const std::set<Key> none;
    const auto found = given_.find(file);
    return found == given_.end() ? none : found->second;
}

std::map<Key, std::vector<std::string>> Layers::contested() const {
    std::map<Key, std::vector<std::string>> out;
    for (const auto& key : contested_)
        for (const auto& [file, object] : givers_.at(key))
            out[key].push_back(file);
    return out;
}

void Layers::give(const std::string& file, const Key& key, Given object) {
    auto& givers = givers_[key];
    const bool alone = givers.empty();
    const auto last = alone ? std::string{} : givers.rbegin()->first;
    auto& mine = givers[file];
    if (givers.size() > 1) contested_.insert(key);
    if (givers.rbegin()->first != file) {
        mine = std::make_unique<Given>(std::move(object));
        return;
    }
    if (!alone && last != file) givers[last] = std::make_unique<Given>(held(key));
    mine.reset();
    put(std::move(object));
}

void Layers::take_back(const std::string& file, const Key& key) {
    const auto found = givers_.find(key);
    auto& givers = found->second;
    const bool counted = givers.rbegin()->first == file;
    givers.erase(file);
    if (givers.size() < 2) contested_.erase(key);
    if (!givers.empty()) {
        if (counted) put(std::move(*std::exchange(givers.rbegin()->second, nullptr)));
        return;
    }
    givers_.erase(found);
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
