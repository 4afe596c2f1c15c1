// Bytes as netlink has them: views, a buffer that grows, C structures in them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace ipvsproxy::netlink {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

/// Attributes, messages and the headers in front of attributes all start at multiples of this.
inline constexpr std::size_t alignment = 4;
constexpr std::size_t aligned(std::size_t length) noexcept {
    return (length + alignment - 1) & ~(alignment - 1);
}

/// Bytes that are written one after the other. A std::vector would count and clear what it grows
/// by, and a cold start grows it a million times, by eight bytes mostly.
class GrowingBytes {
public:
    GrowingBytes() = default;
    /// What was moved from is empty.
    GrowingBytes(GrowingBytes&& other) noexcept { swap(other); }
    GrowingBytes& operator=(GrowingBytes&& other) noexcept {
        GrowingBytes{std::move(other)}.swap(*this);
        return *this;
    }
    ~GrowingBytes() = default;

    /// Room for `count` more bytes at the end, with whatever lies there.
    std::uint8_t* extend(std::size_t count) {
        if (capacity_ - size_ < count) grow(count);
        auto* const at = data() + size_;
        size_ += count;
        return at;
    }
    void clear() noexcept { size_ = 0; }

    std::size_t size() const noexcept { return size_; }
    std::uint8_t* data() noexcept { return memory_.get(); }
    const std::uint8_t* data() const noexcept { return memory_.get(); }
    operator Bytes() const noexcept { return {memory_.get(), size_}; }

private:
    /// Seldom done, and so kept apart from what is done for every attribute.
    [[gnu::noinline]] void grow(std::size_t count) {
        const auto capacity = std::max(size_ + count, 2 * capacity_);
        // NOLINTNEXTLINE(modernize-avoid-c-arrays): of a size known when it runs, and not cleared
        auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
        if (size_ > 0) std::memcpy(larger.get(), data(), size_);
        memory_ = std::move(larger);
        capacity_ = capacity;
    }

    void swap(GrowingBytes& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    std::unique_ptr<std::uint8_t[]> memory_{}; // NOLINT(modernize-avoid-c-arrays)
    std::size_t size_{}, capacity_{};
};

/// The bytes of a C structure, as the kernel wants them.
template <class T> Bytes bytes_of(const T& value) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(T)};
}

/// The C structure at the start of `bytes`; nothing when they are too few. More is no error:
/// structures of the kernel's interface grow at their end.
template <class T> std::optional<T> structure(Bytes bytes) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    if (bytes.size() < sizeof(T)) return {};
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
}

} // namespace ipvsproxy::netlink
