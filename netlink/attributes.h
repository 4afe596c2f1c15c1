// Netlink attributes (struct nlattr of linux/netlink.h), read within bounds.
#pragma once

#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>
#include <optional>
#include <string_view>

#include "netlink/bytes.h"

namespace ipvsproxy::netlink {

class AttributeReader;

/// One attribute. Numbers are read only from a payload of exactly their size.
struct Attribute {
    std::uint16_t type{}; ///< without NLA_F_NESTED and NLA_F_NET_BYTEORDER
    Bytes payload{};

    auto u8() const noexcept { return exactly<std::uint8_t>(); }
    auto u16() const noexcept { return exactly<std::uint16_t>(); }
    auto u32() const noexcept { return exactly<std::uint32_t>(); }
    auto u64() const noexcept { return exactly<std::uint64_t>(); }
    std::optional<std::uint16_t> be16() const noexcept; ///< from network to host order
    std::optional<std::uint32_t> be32() const noexcept; ///< from network to host order
    std::optional<Bytes> bytes() const noexcept { return payload; }
    /// Up to the first NUL, or all of it when there is none.
    std::string_view string() const noexcept;
    /// The kernel sets NLA_F_NESTED only sometimes, so it is not asked for.
    AttributeReader nested() const noexcept;

private:
    template <class T> std::optional<T> exactly() const noexcept {
        return payload.size() == sizeof(T) ? structure<T>(payload) : std::nullopt;
    }
};

/// What can be asked of attributes that `Found::find` tells by their type: nothing when there is
/// none, or when it has another size.
template <class Found> class TypedAttributes {
public:
    auto u8(std::uint16_t type) const noexcept { return read(type, &Attribute::u8); }
    auto u16(std::uint16_t type) const noexcept { return read(type, &Attribute::u16); }
    auto u32(std::uint16_t type) const noexcept { return read(type, &Attribute::u32); }
    auto u64(std::uint16_t type) const noexcept { return read(type, &Attribute::u64); }
    auto be16(std::uint16_t type) const noexcept { return read(type, &Attribute::be16); }
    auto be32(std::uint16_t type) const noexcept { return read(type, &Attribute::be32); }
    auto bytes(std::uint16_t type) const noexcept { return read(type, &Attribute::bytes); }
    std::optional<std::string_view> string(std::uint16_t type) const noexcept {
        const auto attribute = found().find(type);
        return attribute ? std::optional{attribute->string()} : std::nullopt;
    }
    std::optional<AttributeReader> nested(std::uint16_t type) const noexcept;

private:
    const Found& found() const noexcept { return static_cast<const Found&>(*this); }
    template <class Read> auto read(std::uint16_t type, Read how) const noexcept {
        const auto attribute = found().find(type);
        return attribute ? ((*attribute).*how)() : decltype(((*attribute).*how)()){};
    }
};

/// Walks attributes in `for (const Attribute& attribute : reader)` and finds one by its type.
/// Never reads past the end: the walk stops at the first attribute that does not fit.
class AttributeReader : public TypedAttributes<AttributeReader> {
public:
    explicit AttributeReader(Bytes bytes) noexcept : bytes_{bytes} {}

    class Iterator {
    public:
        Iterator() = default;
        explicit Iterator(Bytes rest) noexcept : rest_{rest}, length_{first_length(rest)} {}
        Attribute operator*() const noexcept;
        Iterator& operator++() noexcept {
            assert(length_ != 0);
            // The last attribute may come without its padding.
            return *this = Iterator{rest_.subspan(std::min(aligned(length_), rest_.size()))};
        }
        /// True where no whole attribute follows.
        bool operator==(std::default_sentinel_t) const noexcept { return length_ == 0; }
        Bytes rest() const noexcept { return rest_; }

    private:
        static std::size_t first_length(Bytes bytes) noexcept;

        Bytes rest_;
        std::size_t length_{}; ///< of the first, without its padding
    };
    Iterator begin() const noexcept { return Iterator{bytes_}; }
    static std::default_sentinel_t end() noexcept { return {}; }

    /// True when the walk ends at the last byte: nothing is cut off.
    bool whole() const noexcept;
    /// The last one of the type, like the kernel's own parser; nothing when there is none.
    std::optional<Attribute> find(std::uint16_t type) const noexcept;

private:
    Bytes bytes_;
};

/// The attributes of types below `Types`, found in one walk: for messages of which many are asked.
template <std::size_t Types> class AttributeTable : public TypedAttributes<AttributeTable<Types>> {
public:
    explicit AttributeTable(const AttributeReader& reader) noexcept {
        auto at = reader.begin();
        for (; at != reader.end(); ++at)
            if (const auto one = *at; one.type < Types) payloads_[one.type] = one.payload;
        whole_ = at.rest().empty();
    }
    bool whole() const noexcept { return whole_; }
    std::optional<Attribute> find(std::uint16_t type) const noexcept {
        const Bytes payload = payloads_.at(type);
        if (payload.data() == nullptr) return {};
        return Attribute{type, payload};
    }

private:
    std::array<Bytes, Types> payloads_{}; // of those that are missing without an address
    bool whole_{};
};

inline std::size_t AttributeReader::Iterator::first_length(Bytes bytes) noexcept {
    if (bytes.size() < sizeof(nlattr)) return 0;
    std::uint16_t length = 0;
    std::memcpy(&length, bytes.data() + offsetof(nlattr, nla_len), sizeof length);
    return length < sizeof(nlattr) || length > bytes.size() ? 0 : length;
}

inline Attribute AttributeReader::Iterator::operator*() const noexcept {
    assert(length_ != 0);
    std::uint16_t type = 0;
    std::memcpy(&type, rest_.data() + offsetof(nlattr, nla_type), sizeof type);
    return {static_cast<std::uint16_t>(type & NLA_TYPE_MASK),
            rest_.first(length_).subspan(sizeof(nlattr))};
}

template <class Found>
std::optional<AttributeReader> TypedAttributes<Found>::nested(std::uint16_t type) const noexcept {
    const auto attribute = found().find(type);
    return attribute ? std::optional{AttributeReader{attribute->payload}} : std::nullopt;
}

} // namespace ipvsproxy::netlink
