// Walks a list of lists as if it were one.
#pragma once

#include <cstddef>
#include <iterator>

namespace ipvsproxy {

/// Of chunks none of which is empty; one past the last chunk is the end.
template <class Chunks, class Element> class ChunkIterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Element;
    using difference_type = std::ptrdiff_t;
    using pointer = Element*;
    using reference = Element&;

    ChunkIterator() = default;
    ChunkIterator(Chunks* chunks, std::size_t chunk, std::size_t at)
        : chunks_{chunks}, chunk_{chunk}, at_{at} {}
    /// @name Where it stands.
    ///@{
    std::size_t chunk() const noexcept { return chunk_; }
    std::size_t at() const noexcept { return at_; }
    ///@}
    reference operator*() const { return (*chunks_)[chunk_][at_]; }
    pointer operator->() const { return &**this; }
    ChunkIterator& operator++() {
        if (++at_ == (*chunks_)[chunk_].size()) {
            ++chunk_;
            at_ = 0;
        }
        return *this;
    }
    ChunkIterator operator++(int) {
        auto before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const ChunkIterator&, const ChunkIterator&) = default;

private:
    Chunks* chunks_{};
    std::size_t chunk_{}, at_{};
};

} // namespace ipvsproxy
