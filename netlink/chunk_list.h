// A list in few, large pieces of memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "netlink/chunk_iterator.h"

namespace ipvsproxy {

/// What becomes of an element that is looked at.
enum class Verdict : std::uint8_t { keep, erase, keep_the_rest };

/// Chunks of about a page, none of them empty. Any insertion or removal ends all iterators.
template <class Element> class ChunkList {
    using Chunk = std::vector<Element>;

public:
    using iterator = ChunkIterator<std::vector<Chunk>, Element>;
    using const_iterator = ChunkIterator<const std::vector<Chunk>, const Element>;

    iterator begin() { return {&chunks_, 0, 0}; }
    iterator end() { return {&chunks_, chunks_.size(), 0}; }
    const_iterator begin() const { return {&chunks_, 0, 0}; }
    const_iterator end() const { return {&chunks_, chunks_.size(), 0}; }
    std::size_t size() const noexcept { return size_; }
    const Element& back() const { return chunks_.back().back(); }
    /// What stands at a place that may have changed since, or be no more: then the end.
    const_iterator at(ChunkPlace place) const {
        const bool there = place.chunk < chunks_.size() && place.at < chunks_[place.chunk].size();
        return there ? const_iterator{&chunks_, place.chunk, place.at} : end();
    }

    /// Where `test` is false first, of a list that begins with all elements for which it is true.
    template <class Test> iterator first_without(const Test& test) {
        return search<iterator>(*this, test);
    }
    template <class Test> const_iterator first_without(const Test& test) const {
        return search<const_iterator>(*this, test);
    }

    /// Behind all others. What is appended leaves full chunks behind it. Flat, so that no room is
    /// looked for once more where there is some.
    template <class... Arguments> [[gnu::flatten]] Element& add(Arguments&&... arguments) {
        if (chunks_.empty() || is_full(chunks_.back()))
            return add_to_another(std::forward<Arguments>(arguments)...);
        Element& here = chunks_.back().emplace_back(std::forward<Arguments>(arguments)...);
        ++size_;
        return here;
    }
    /// The same. @return where it stands.
    template <class... Arguments> iterator append(Arguments&&... arguments) {
        Element* const here = &add(std::forward<Arguments>(arguments)...);
        return {&chunks_, chunks_.size() - 1, here, here + 1};
    }
    /// Before `place`, which is not the end. @return where it stands.
    iterator insert(iterator place, Element element) {
        const auto [i, at] = roomy(place.place());
        auto& chunk = chunks_[i];
        if (chunk.size() == chunk.capacity()) chunk.reserve(std::min(chunk.size() + growth, limit));
        chunk.insert(offset(chunk, at), std::move(element));
        ++size_;
        return {&chunks_, i, at};
    }
    /// @return where the element after it stands now.
    iterator erase(iterator place) {
        const auto [i, at] = place.place();
        chunks_[i].erase(offset(chunks_[i], at));
        --size_;
        return tidied({i, at});
    }
    /// Gives each element to `take`, in order, and the memory of those it has given back with them.
    template <class Take> void hand_out(const Take& take) {
        for (auto& chunk : std::exchange(chunks_, {})) {
            for (auto& element : chunk)
                take(element);
            Chunk{}.swap(chunk);
        }
        size_ = 0;
    }
    /// Asks `test` once for each element from `first` on, in order, until it says keep_the_rest.
    template <class Test> void erase_if(iterator first, const Test& test) {
        auto verdict = Verdict::keep;
        auto [i, at] = first.place();
        for (; i < chunks_.size() && verdict != Verdict::keep_the_rest; ++i) {
            auto& chunk = chunks_[i];
            const auto rest =
                std::remove_if(offset(chunk, at), chunk.end(), [&](const Element& element) {
                    if (verdict != Verdict::keep_the_rest) verdict = test(element);
                    return verdict == Verdict::erase;
                });
            at = 0;
            if (rest == chunk.end()) continue;
            size_ -= static_cast<std::size_t>(chunk.end() - rest);
            chunk.erase(rest, chunk.end());
            trim(chunk);
        }
        std::erase_if(chunks_, [](const Chunk& chunk) { return chunk.empty(); });
        if (chunks_.size() > 1 && size_ < chunks_.size() * limit / 8) pack();
    }

private:
    static constexpr std::size_t chunk_bytes = 4096;
    static constexpr std::size_t limit = std::max<std::size_t>(chunk_bytes / sizeof(Element), 8);
    static constexpr std::size_t growth = std::max<std::size_t>(limit / 8, 1);
    template <class Where, class Self, class Test>
    static Where search(Self& self, const Test& test) {
        const auto chunk = std::ranges::partition_point(
            self.chunks_, [&](const Chunk& one) { return test(one.back()); });
        if (chunk == self.chunks_.end()) return self.end();
        const auto at = std::ranges::partition_point(*chunk, test);
        return {&self.chunks_, static_cast<std::size_t>(chunk - self.chunks_.begin()),
                static_cast<std::size_t>(at - chunk->begin())};
    }
    static auto offset(auto& all, std::size_t at) {
        return all.begin() + static_cast<std::ptrdiff_t>(at);
    }
    static bool is_full(const Chunk& chunk) {
        return chunk.size() == chunk.capacity() || chunk.size() >= limit;
    }
    /// Where the last chunk is full. Seldom done, and so kept apart from what is done for each
    /// element.
    template <class... Arguments>
    [[gnu::noinline]] Element& add_to_another(Arguments&&... arguments) {
        if (chunks_.empty() || chunks_.back().size() >= limit) chunks_.emplace_back();
        auto& chunk = chunks_.back();
        if (chunk.size() == chunk.capacity())
            chunk.reserve(chunks_.size() > 1 ? limit : std::min(chunk.size() + growth, limit));
        Element& here = chunk.emplace_back(std::forward<Arguments>(arguments)...);
        ++size_;
        return here;
    }
    static void trim(Chunk& chunk) {
        if (chunk.capacity() > 2 * (chunk.size() + growth)) chunk.shrink_to_fit();
    }
    static void move_behind(Chunk& chunk, Chunk& next) {
        chunk.insert(chunk.end(), std::make_move_iterator(next.begin()),
                     std::make_move_iterator(next.end()));
    }

    /// The same place, in a chunk that has room.
    ChunkPlace roomy(ChunkPlace place) {
        if (chunks_[place.chunk].size() < limit) return place;
        chunks_.insert(offset(chunks_, place.chunk + 1), Chunk{});
        auto& lower = chunks_[place.chunk];
        const auto half = lower.size() / 2;
        chunks_[place.chunk + 1].assign(std::make_move_iterator(offset(lower, half)),
                                        std::make_move_iterator(lower.end()));
        lower.erase(offset(lower, half), lower.end());
        return place.at > half ? ChunkPlace{place.chunk + 1, place.at - half} : place;
    }
    /// The same place, after its chunk has become smaller: those that are nearly empty are joined.
    iterator tidied(ChunkPlace place) {
        auto& chunk = chunks_[place.chunk];
        const bool last = place.chunk + 1 == chunks_.size();
        if (chunk.empty()) {
            chunks_.erase(offset(chunks_, place.chunk));
        } else if (!last && chunk.size() + chunks_[place.chunk + 1].size() <= limit / 2) {
            move_behind(chunk, chunks_[place.chunk + 1]);
            chunks_.erase(offset(chunks_, place.chunk + 1));
        } else {
            trim(chunk);
            if (place.at == chunk.size()) return {&chunks_, place.chunk + 1, 0};
        }
        return {&chunks_, place.chunk, place.at};
    }
    /// Joins chunks of which many are nearly empty.
    void pack() {
        std::vector<Chunk> joined;
        for (auto& chunk : chunks_)
            if (joined.empty() || joined.back().size() + chunk.size() > limit)
                joined.push_back(std::move(chunk));
            else move_behind(joined.back(), chunk);
        chunks_ = std::move(joined);
    }

    std::vector<Chunk> chunks_;
    std::size_t size_{};
};

} // namespace ipvsproxy
