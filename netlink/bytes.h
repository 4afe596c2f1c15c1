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

/// Leaves new elements as they are where no value is given for them: what grows by a few bytes at a
/// time would be cleared just before it is written.
template <class T> struct Uncleared : std::allocator<T> {
    // NOLINTBEGIN(readability-identifier-naming): the standard library's names
    template <class U> struct rebind { using other = Uncleared<U>; };
    // NOLINTEND(readability-identifier-naming)
    template <class U, class... Arguments> void construct(U* at, Arguments&&... arguments) {
        if constexpr (sizeof...(Arguments) == 0) ::new (static_cast<void*>(at)) U;
        else ::new (static_cast<void*>(at)) U(std::forward<Arguments>(arguments)...);
    }
};

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t, Uncleared<std::uint8_t>>;

/// Attributes, messages and the headers in front of attributes all start at multiples of this.
inline constexpr std::size_t alignment = 4;
constexpr std::size_t aligned(std::size_t length) noexcept {
    return (length + alignment - 1) & ~(alignment - 1);
}

/// Memory for `count` more bytes at least. Seldom done, and so kept apart from what is done for
/// every attribute.
[[gnu::noinline]] inline void grow(Buffer& out, std::size_t count) {
    const std::size_t size = out.size();
    Buffer larger; // such an allocator would have them moved one by one
    larger.reserve(std::max(size + count, 2 * size));
    larger.resize(size);
    if (size > 0) std::memcpy(larger.data(), out.data(), size);
    out.swap(larger);
}

/// Room for `count` more bytes at the end of `out`, with whatever lies there.
inline std::uint8_t* extend(Buffer& out, std::size_t count) {
    const std::size_t size = out.size();
    if (out.capacity() - size < count) grow(out, count);
    out.resize(size + count);
    return out.data() + size;
}

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
