// An ordered map in few, large pieces of memory, for tables of tens of thousands of small keys.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <utility>
#include <vector>

#include "netlink/chunk_list.h"

namespace ipvsproxy {

/// What a map holds under a key. Not std::pair, whose assignment no compiler may take for a copy of
/// bytes: what is inserted moves what stands behind it.
template <class Key, class Value> struct KeyedValue {
    Key first;
    Value second;
    KeyedValue(Key key, Value value) : first{std::move(key)}, second{std::move(value)} {}
    /// Made where it stands.
    // NOLINTBEGIN(modernize-pass-by-value): it would be moved once more, for each element
    template <class... Arguments>
    KeyedValue(std::in_place_t /*here*/, const Key& key, Arguments&&... arguments)
        : first{key}, second{std::forward<Arguments>(arguments)...} {}
    // NOLINTEND(modernize-pass-by-value)
    friend bool operator==(const KeyedValue&, const KeyedValue&) = default;
};

/// As std::map, but in ordered chunks of about a page: a node of its own for each element takes 48
/// bytes more and an allocation, and what is given back lies scattered between what stays, so that
/// the system never gets it. Any insertion or removal ends all iterators and references. Keys are
/// not to be changed through an iterator. What comes in rising order costs one comparison.
template <class Key, class Value> class SortedMap {
public:
    using key_type = Key;
    using mapped_type = Value;
    using value_type = KeyedValue<Key, Value>;
    using iterator = typename ChunkList<value_type>::iterator;
    using const_iterator = typename ChunkList<value_type>::const_iterator;

    SortedMap() = default;
    SortedMap(std::initializer_list<value_type> elements) {
        for (const auto& [key, value] : elements)
            try_emplace(key, value);
    }

    iterator begin() { return list_.begin(); }
    iterator end() { return list_.end(); }
    const_iterator begin() const { return list_.begin(); }
    const_iterator end() const { return list_.end(); }
    bool empty() const noexcept { return list_.size() == 0; }
    std::size_t size() const noexcept { return list_.size(); }

    iterator lower_bound(const Key& key) { return list_.first_without(before(key)); }
    const_iterator lower_bound(const Key& key) const { return list_.first_without(before(key)); }
    /// The same, for keys that are looked for in rising order.
    /// @param from not behind what is looked for: where the last search ended.
    const_iterator lower_bound(const_iterator from, const Key& key) const {
        for (int steps = 0; steps < 2; ++steps, ++from)
            if (from == end() || !(from->first < key)) return from;
        return from == end() || !(from->first < key) ? from : lower_bound(key);
    }
    /// Whether it is there, for keys that are asked for in mostly rising order.
    /// @param last where the last one asked for stood, or may have; it becomes where this one does.
    bool contains(const Key& key, ChunkPlace& last) const {
        const auto from = list_.at(last);
        const bool rises = from != end() && !(key < from->first);
        if (!rises && (empty() || list_.back().first < key)) return false;
        const auto place = rises ? lower_bound(from, key) : lower_bound(key);
        last = place.place();
        return place != end() && !(key < place->first);
    }
    iterator find(const Key& key) { return found(*this, lower_bound(key), key); }
    const_iterator find(const Key& key) const { return found(*this, lower_bound(key), key); }
    bool contains(const Key& key) const { return find(key) != end(); }
    /// @throws std::out_of_range where there is no such key.
    Value& at(const Key& key) { return checked(find(key), end())->second; }
    const Value& at(const Key& key) const { return checked(find(key), end())->second; }
    Value& operator[](const Key& key) { return try_emplace(key).first->second; }

    template <class... Arguments>
    std::pair<iterator, bool> try_emplace(const Key& key, Arguments&&... arguments) {
        if (ends_before(key))
            return {list_.append(std::in_place, key, std::forward<Arguments>(arguments)...), true};
        const auto place = lower_bound(key);
        if (!(key < place->first)) return {place, false};
        return {list_.insert(place, {key, Value{std::forward<Arguments>(arguments)...}}), true};
    }
    template <class... Arguments>
    std::pair<iterator, bool> emplace(const Key& key, Arguments&&... arguments) {
        return try_emplace(key, std::forward<Arguments>(arguments)...);
    }
    std::pair<iterator, bool> insert_or_assign(const Key& key, Value value) {
        const auto result = try_emplace(key);
        result.first->second = std::move(value);
        return result;
    }
    /// Whether the key is greater than all that are there.
    bool ends_before(const Key& key) const { return empty() || list_.back().first < key; }
    /// As try_emplace, of a key that is greater than all that are there: nobody looks whether it
    /// is.
    template <class... Arguments> void append(const Key& key, Arguments&&... arguments) {
        list_.add(std::in_place, key, std::forward<Arguments>(arguments)...);
    }
    void clear() { list_ = {}; }
    /// Empties it: each key with its value to `take`, which may move the value, in order. Memory
    /// goes on the way.
    template <class Take> void hand_out(const Take& take) {
        list_.hand_out(
            [&](value_type& element) { take(std::as_const(element.first), element.second); });
    }
    /// @return where the element after it stands now.
    iterator erase(iterator place) { return list_.erase(place); }
    std::size_t erase(const Key& key) {
        const auto place = find(key);
        if (place == end()) return 0;
        erase(place);
        return 1;
    }
    /// Takes out those of `keys` that are there, in one walk. @param keys in rising order
    void erase_all(const std::vector<Key>& keys) {
        if (keys.empty()) return;
        auto next = keys.begin();
        list_.erase_if(lower_bound(*next), [&](const value_type& element) {
            auto order = *next <=> element.first;
            while (order < 0 && ++next != keys.end())
                order = *next <=> element.first;
            if (next == keys.end()) return Verdict::keep_the_rest;
            return order == 0 ? Verdict::erase : Verdict::keep;
        });
    }
    /// Adds what `other` has under keys that are not here; it is empty then.
    void merge(SortedMap& other) {
        const bool fewer = size() < other.size(); // those move
        if (fewer) std::swap(*this, other);
        for (auto& [key, value] : other)
            if (fewer) insert_or_assign(key, std::move(value));
            else try_emplace(key, std::move(value));
        other.clear();
    }
    friend bool operator==(const SortedMap& one, const SortedMap& other) {
        return one.size() == other.size() && std::equal(one.begin(), one.end(), other.begin());
    }
    template <class Test> friend std::size_t erase_if(SortedMap& map, const Test& test) {
        const auto size = map.size();
        map.list_.erase_if(map.begin(), [&](const value_type& element) {
            return test(element) ? Verdict::erase : Verdict::keep;
        });
        return size - map.size();
    }

private:
    static auto before(const Key& key) {
        return [&key](const value_type& element) { return element.first < key; };
    }
    template <class Self, class Where> static Where found(Self& self, Where place, const Key& key) {
        return place == self.end() || key < place->first ? self.end() : place;
    }
    template <class Where> static Where checked(Where place, Where end) {
        if (place == end) throw std::out_of_range{"SortedMap::at"};
        return place;
    }

    ChunkList<value_type> list_;
};

} // namespace ipvsproxy
