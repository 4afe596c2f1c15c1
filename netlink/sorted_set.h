// An ordered set in few, large pieces of memory.
#pragma once

#include <initializer_list>
#include <ostream>
#include <utility>

#include "netlink/sorted_map.h"

namespace ipvsproxy {

/// The value of keys that merely are or are not there.
struct Present {
    friend bool operator==(Present, Present) = default;
};
inline std::ostream& operator<<(std::ostream& out, Present) {
    return out << "present";
}

/// As std::set, in the memory of a SortedMap and with its rules.
template <class Key> class SortedSet {
public:
    using Map = SortedMap<Key, Present>;
    using key_type = Key;
    using value_type = Key;

    /// Walks the keys.
    class KeyIterator {
    public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = Key;
        using difference_type = std::ptrdiff_t;
        using pointer = const Key*;
        using reference = const Key&;

        KeyIterator() = default;
        explicit KeyIterator(typename Map::const_iterator at) : at_{at} {}
        reference operator*() const noexcept { return at_->first; }
        pointer operator->() const noexcept { return &at_->first; }
        KeyIterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        KeyIterator operator++(int) noexcept { return KeyIterator{at_++}; }
        friend bool operator==(const KeyIterator&, const KeyIterator&) = default;

    private:
        typename Map::const_iterator at_{};
    };
    using const_iterator = KeyIterator;
    using iterator = const_iterator;

    SortedSet() = default;
    SortedSet(std::initializer_list<Key> keys) : SortedSet(keys.begin(), keys.end()) {}
    template <class Iterator> SortedSet(Iterator first, Iterator last) { insert(first, last); }

    const_iterator begin() const { return const_iterator{map_.begin()}; }
    const_iterator end() const { return const_iterator{map_.end()}; }
    bool empty() const noexcept { return map_.empty(); }
    std::size_t size() const noexcept { return map_.size(); }
    bool contains(const Key& key) const { return map_.contains(key); }
    /// The same, for keys that are looked for in mostly rising order.
    /// @param last SortedMap::contains
    bool contains(const Key& key, ChunkPlace& last) const { return map_.contains(key, last); }
    /// @return whether it was not there.
    bool insert(const Key& key) { return map_.try_emplace(key).second; }
    /// The same, for keys that come in mostly rising order, and are mostly there already.
    /// @param last SortedMap::contains
    bool insert(const Key& key, ChunkPlace& last) {
        return !map_.contains(key, last) && insert(key);
    }
    template <class Iterator> void insert(Iterator first, Iterator last) {
        for (; first != last; ++first)
            insert(*first);
    }
    void clear() { map_.clear(); }
    std::size_t erase(const Key& key) { return map_.erase(key); }
    /// What a ledger of such keys is compared with.
    const Map& map() const noexcept { return map_; }
    friend bool operator==(const SortedSet&, const SortedSet&) = default;

private:
    Map map_;
};

} // namespace ipvsproxy
