// Walks a list of lists as if it were one.
#pragma once

#include <cstddef>
#include <iterator>
#include <type_traits>

namespace ipvsproxy {

/// Where an element stands: in which chunk, and where in it.
struct ChunkPlace {
    std::size_t chunk{}, at{};
};

/// Of chunks none of which is empty; one past the last chunk is the end. Within a chunk it is a
/// pointer: tables are walked far more often than changed.
template <class Chunks, class Element> class ChunkIterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::remove_const_t<Element>;
    using difference_type = std::ptrdiff_t;
    using pointer = Element*;
    using reference = Element&;

    ChunkIterator() = default;
    ChunkIterator(Chunks* chunks, std::size_t chunk, std::size_t at)
        : chunks_{chunks}, chunk_{chunk} {
        enter();
        if (here_ != nullptr) here_ += at;
    }
    /// The same place, of those who have it at hand. @param last behind the chunk's last element
    ChunkIterator(Chunks* chunks, std::size_t chunk, pointer here, pointer last) noexcept
        : chunks_{chunks}, chunk_{chunk}, here_{here}, last_{last} {}
    ChunkPlace place() const noexcept {
        if (here_ == nullptr) return {chunk_, 0};
        return {chunk_, static_cast<std::size_t>(here_ - (*chunks_)[chunk_].data())};
    }
    reference operator*() const noexcept { return *here_; }
    pointer operator->() const noexcept { return here_; }
    ChunkIterator& operator++() noexcept {
        if (++here_ == last_) {
            ++chunk_;
            enter();
        }
        return *this;
    }
    ChunkIterator operator++(int) noexcept {
        auto before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const ChunkIterator& one, const ChunkIterator& other) noexcept {
        return one.here_ == other.here_;
    }

private:
    void enter() noexcept {
        const bool ended = chunk_ >= chunks_->size();
        here_ = ended ? nullptr : (*chunks_)[chunk_].data();
        last_ = ended ? nullptr : here_ + (*chunks_)[chunk_].size();
    }

    Chunks* chunks_{};
    std::size_t chunk_{};
    pointer here_{}, last_{}; ///< in the chunk; null at the end of all
};

} // namespace ipvsproxy
