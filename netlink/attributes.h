// Netlink attributes (struct nlattr of linux/netlink.h): a bounds-checked reader, and a writer.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ipvsproxy::netlink {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

/// Attributes, messages and the headers in front of attributes all start at multiples of this.
inline constexpr std::size_t alignment = 4;
constexpr std::size_t aligned(std::size_t length) noexcept {
    return (length + alignment - 1) & ~(alignment - 1);
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

class AttributeReader;

/// One attribute. Numbers are read only from a payload of exactly their size.
struct Attribute {
    std::uint16_t type{}; ///< without NLA_F_NESTED and NLA_F_NET_BYTEORDER
    Bytes payload{};

    std::optional<std::uint8_t> u8() const noexcept;
    std::optional<std::uint16_t> u16() const noexcept;
    std::optional<std::uint32_t> u32() const noexcept;
    std::optional<std::uint64_t> u64() const noexcept;
    std::optional<std::uint16_t> be16() const noexcept; ///< from network to host order
    std::optional<std::uint32_t> be32() const noexcept; ///< from network to host order
    /// Up to the first NUL, or all of it when there is none.
    std::string_view string() const noexcept;
    /// The kernel sets NLA_F_NESTED only sometimes, so it is not asked for.
    AttributeReader nested() const noexcept;
};

/// Walks attributes in `for (const Attribute& attribute : reader)` and finds one by its type.
/// Never reads past the end: the walk stops at the first attribute that does not fit.
class AttributeReader {
public:
    explicit AttributeReader(Bytes bytes) noexcept : bytes_{bytes} {}

    class Iterator {
    public:
        Iterator() = default;
        explicit Iterator(Bytes rest) noexcept : rest_{rest} {}
        Attribute operator*() const noexcept;
        Iterator& operator++() noexcept;
        /// True where no whole attribute follows.
        bool operator==(std::default_sentinel_t) const noexcept;
        Bytes rest() const noexcept { return rest_; }

    private:
        Bytes rest_;
    };
    Iterator begin() const noexcept { return Iterator{bytes_}; }
    static std::default_sentinel_t end() noexcept { return {}; }

    /// True when the walk ends at the last byte: nothing is cut off.
    bool whole() const noexcept;
    /// The last one of the type, like the kernel's own parser; nothing when there is none.
    std::optional<Attribute> find(std::uint16_t type) const noexcept;

    // Of the attribute of this type; nothing when it is missing or of another size.
    std::optional<std::uint8_t> u8(std::uint16_t type) const noexcept;
    std::optional<std::uint16_t> u16(std::uint16_t type) const noexcept;
    std::optional<std::uint32_t> u32(std::uint16_t type) const noexcept;
    std::optional<std::uint64_t> u64(std::uint16_t type) const noexcept;
    std::optional<std::uint16_t> be16(std::uint16_t type) const noexcept;
    std::optional<std::uint32_t> be32(std::uint16_t type) const noexcept;
    std::optional<Bytes> bytes(std::uint16_t type) const noexcept;
    std::optional<std::string_view> string(std::uint16_t type) const noexcept;
    std::optional<AttributeReader> nested(std::uint16_t type) const noexcept;

private:
    Bytes bytes_;
};

/// Appends attributes to a buffer. `flags` are NLA_F_NET_BYTEORDER or NLA_F_NESTED, where a
/// protocol wants them in the type (ipset does). A payload has at most 65,531 bytes.
class AttributeWriter {
public:
    explicit AttributeWriter(Buffer& out) noexcept : out_{&out} {}

    void u8(std::uint16_t type, std::uint8_t value);
    void u16(std::uint16_t type, std::uint16_t value);
    void u32(std::uint16_t type, std::uint32_t value);
    void u64(std::uint16_t type, std::uint64_t value);
    /// @param value in host order; written in network order.
    void be16(std::uint16_t type, std::uint16_t value, std::uint16_t flags = 0);
    /// @param value in host order; written in network order.
    void be32(std::uint16_t type, std::uint32_t value, std::uint16_t flags = 0);
    void bytes(std::uint16_t type, Bytes payload, std::uint16_t flags = 0);
    /// Written with the NUL that ends it.
    void string(std::uint16_t type, std::string_view text);

    /// Starts an attribute that holds the attributes written until `end_nested` of its result.
    [[nodiscard]] std::size_t begin_nested(std::uint16_t type, std::uint16_t flags = NLA_F_NESTED);
    void end_nested(std::size_t start) noexcept;
    /// Of the whole buffer, in bytes.
    std::size_t size() const noexcept { return out_->size(); }

private:
    std::uint8_t* add(std::uint16_t type, std::size_t payload_size);

    Buffer* out_;
};

} // namespace ipvsproxy::netlink
