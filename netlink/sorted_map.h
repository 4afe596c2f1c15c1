// An ordered map in few, large pieces of memory, for tables of tens of thousands of small keys.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <vector>

#include "netlink/chunk_iterator.h"

namespace ipvsproxy {

/// As std::map, but in ordered chunks of about a page: a node of its own for each element takes 48
/// bytes more, and what is given back lies scattered between what stays, so that the system never
/// gets it. Any insertion or removal ends all iterators and references. Keys are not to be
/// changed through an iterator.
template <class Key, class Value> class SortedMap {
    using Chunk = std::vector<std::pair<Key, Value>>;

public:
    using key_type = Key;
    using mapped_type = Value;
    using value_type = std::pair<Key, Value>;

    using iterator = ChunkIterator<std::vector<Chunk>, value_type>;
    using const_iterator = ChunkIterator<const std::vector<Chunk>, const value_type>;

    iterator begin() { return {&chunks_, 0, 0}; }
    iterator end() { return {&chunks_, chunks_.size(), 0}; }
    const_iterator begin() const { return {&chunks_, 0, 0}; }
    const_iterator end() const { return {&chunks_, chunks_.size(), 0}; }
    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    iterator lower_bound(const Key& key) { return bound<iterator>(*this, key); }
    const_iterator lower_bound(const Key& key) const { return bound<const_iterator>(*this, key); }
    iterator find(const Key& key) { return found(*this, lower_bound(key), key); }
    const_iterator find(const Key& key) const { return found(*this, lower_bound(key), key); }
    bool contains(const Key& key) const { return find(key) != end(); }
    /// @throws std::out_of_range where there is no such key.
    Value& at(const Key& key) { return checked(find(key), end())->second; }
    const Value& at(const Key& key) const { return checked(find(key), end())->second; }
    Value& operator[](const Key& key) { return try_emplace(key).first->second; }

    template <class... Arguments>
    std::pair<iterator, bool> try_emplace(const Key& key, Arguments&&... arguments) {
        const auto place = lower_bound(key);
        if (place != end() && !(key < place->first)) return {place, false};
        return {insert(place, {key, Value{std::forward<Arguments>(arguments)...}}), true};
    }
    /// @return where the element after it stands now.
    iterator erase(iterator place) {
        auto& chunk = chunks_[place.chunk()];
        chunk.erase(offset(chunk, place.at()));
        --size_;
        return tidied(place);
    }
    std::size_t erase(const Key& key) {
        const auto place = find(key);
        if (place == end()) return 0;
        erase(place);
        return 1;
    }

private:
    static constexpr std::size_t chunk_bytes = 4096;
    static constexpr std::size_t limit = std::max<std::size_t>(chunk_bytes / sizeof(value_type), 8);
    static constexpr std::size_t growth = std::max<std::size_t>(limit / 8, 1);

    template <class Where, class Self> static Where bound(Self& self, const Key& key) {
        const auto chunk = std::ranges::partition_point(
            self.chunks_, [&](const Chunk& one) { return one.back().first < key; });
        if (chunk == self.chunks_.end()) return self.end();
        const auto at = std::ranges::partition_point(
            *chunk, [&](const value_type& one) { return one.first < key; });
        return {&self.chunks_, static_cast<std::size_t>(chunk - self.chunks_.begin()),
                static_cast<std::size_t>(at - chunk->begin())};
    }
    template <class Self, class Where> static Where found(Self& self, Where place, const Key& key) {
        return place == self.end() || key < place->first ? self.end() : place;
    }
    template <class Where> static Where checked(Where place, Where end) {
        if (place == end) throw std::out_of_range{"SortedMap::at"};
        return place;
    }
    template <class Vector> static auto offset(Vector& all, std::size_t at) {
        return all.begin() + static_cast<std::ptrdiff_t>(at);
    }

    iterator insert(iterator place, value_type element) {
        place = roomy(place);
        auto& chunk = chunks_[place.chunk()];
        if (chunk.size() == chunk.capacity()) chunk.reserve(std::min(chunk.size() + growth, limit));
        chunk.insert(offset(chunk, place.at()), std::move(element));
        ++size_;
        return place;
    }
    /// The same place, in a chunk that has room. What is appended leaves full chunks behind it.
    iterator roomy(iterator place) {
        if (place == end()) {
            if (chunks_.empty() || chunks_.back().size() >= limit) chunks_.emplace_back();
            return {&chunks_, chunks_.size() - 1, chunks_.back().size()};
        }
        if (chunks_[place.chunk()].size() < limit) return place;
        chunks_.insert(offset(chunks_, place.chunk() + 1), Chunk{});
        auto& lower = chunks_[place.chunk()];
        const auto half = lower.size() / 2;
        chunks_[place.chunk() + 1].assign(std::make_move_iterator(offset(lower, half)),
                                          std::make_move_iterator(lower.end()));
        lower.erase(offset(lower, half), lower.end());
        if (place.at() > half) return {&chunks_, place.chunk() + 1, place.at() - half};
        return place;
    }
    /// The same place, after its chunk has become smaller: chunks that are nearly empty are joined,
    /// so that memory follows the number of elements down as well.
    iterator tidied(iterator place) {
        auto& chunk = chunks_[place.chunk()];
        const bool last = place.chunk() + 1 == chunks_.size();
        if (chunk.empty()) {
            chunks_.erase(offset(chunks_, place.chunk()));
        } else if (!last && chunk.size() + chunks_[place.chunk() + 1].size() <= limit / 2) {
            auto& next = chunks_[place.chunk() + 1];
            chunk.insert(chunk.end(), std::make_move_iterator(next.begin()),
                         std::make_move_iterator(next.end()));
            chunks_.erase(offset(chunks_, place.chunk() + 1));
        } else {
            if (chunk.capacity() > 2 * (chunk.size() + growth)) chunk.shrink_to_fit();
            if (place.at() == chunk.size()) return {&chunks_, place.chunk() + 1, 0};
        }
        return place;
    }

    std::vector<Chunk> chunks_; // none is empty
    std::size_t size_{};
};

} // namespace ipvsproxy
