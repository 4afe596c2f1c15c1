#include "netlink/attributes.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <limits>

namespace ipvsproxy::netlink {

namespace {

constexpr std::size_t attribute_header = sizeof(nlattr);

/// With its header, without its padding; 0 where no whole attribute follows.
std::size_t first_length(Bytes bytes) noexcept {
    if (bytes.size() < attribute_header) return 0;
    std::uint16_t length = 0;
    std::memcpy(&length, bytes.data() + offsetof(nlattr, nla_len), sizeof length);
    return length < attribute_header || length > bytes.size() ? 0 : length;
}

/// Of the whole attribute that follows.
std::uint16_t first_type(Bytes bytes) noexcept {
    std::uint16_t type = 0;
    std::memcpy(&type, bytes.data() + offsetof(nlattr, nla_type), sizeof type);
    return static_cast<std::uint16_t>(type & NLA_TYPE_MASK);
}

template <class T> std::optional<T> exactly(Bytes payload) noexcept {
    return payload.size() == sizeof(T) ? structure<T>(payload) : std::nullopt;
}

template <class T> std::optional<T> typed(const AttributeReader& reader, std::uint16_t type,
                                          std::optional<T> (Attribute::*get)()
                                              const noexcept) noexcept {
    const auto attribute = reader.find(type);
    return attribute ? ((*attribute).*get)() : std::nullopt;
}

} // namespace

std::optional<std::uint8_t> Attribute::u8() const noexcept {
    return exactly<std::uint8_t>(payload);
}
std::optional<std::uint16_t> Attribute::u16() const noexcept {
    return exactly<std::uint16_t>(payload);
}
std::optional<std::uint32_t> Attribute::u32() const noexcept {
    return exactly<std::uint32_t>(payload);
}
std::optional<std::uint64_t> Attribute::u64() const noexcept {
    return exactly<std::uint64_t>(payload);
}

std::optional<std::uint16_t> Attribute::be16() const noexcept {
    const auto value = u16();
    return value ? std::optional{ntohs(*value)} : std::nullopt;
}

std::optional<std::uint32_t> Attribute::be32() const noexcept {
    const auto value = u32();
    return value ? std::optional{ntohl(*value)} : std::nullopt;
}

std::string_view Attribute::string() const noexcept {
    const auto end = std::find(payload.begin(), payload.end(), std::uint8_t{0});
    return {reinterpret_cast<const char*>(payload.data()),
            static_cast<std::size_t>(end - payload.begin())};
}

AttributeReader Attribute::nested() const noexcept {
    return AttributeReader{payload};
}

bool AttributeReader::Iterator::operator==(std::default_sentinel_t) const noexcept {
    return first_length(rest_) == 0;
}

Attribute AttributeReader::Iterator::operator*() const noexcept {
    const auto length = first_length(rest_);
    assert(length != 0);
    return {first_type(rest_), rest_.first(length).subspan(attribute_header)};
}

AttributeReader::Iterator& AttributeReader::Iterator::operator++() noexcept {
    const auto length = first_length(rest_);
    assert(length != 0);
    // The last attribute may come without its padding.
    rest_ = rest_.subspan(std::min(aligned(length), rest_.size()));
    return *this;
}

bool AttributeReader::whole() const noexcept {
    auto at = begin();
    while (at != end())
        ++at;
    return at.rest().empty();
}

std::optional<Attribute> AttributeReader::find(std::uint16_t type) const noexcept {
    Bytes rest = bytes_, last;
    while (const std::size_t length = first_length(rest)) {
        if (first_type(rest) == type) last = rest.first(length);
        rest = rest.subspan(std::min(aligned(length), rest.size()));
    }
    if (last.empty()) return {};
    return Attribute{type, last.subspan(attribute_header)};
}

std::optional<std::uint8_t> AttributeReader::u8(std::uint16_t type) const noexcept {
    return typed(*this, type, &Attribute::u8);
}
std::optional<std::uint16_t> AttributeReader::u16(std::uint16_t type) const noexcept {
    return typed(*this, type, &Attribute::u16);
}
std::optional<std::uint32_t> AttributeReader::u32(std::uint16_t type) const noexcept {
    return typed(*this, type, &Attribute::u32);
}
std::optional<std::uint64_t> AttributeReader::u64(std::uint16_t type) const noexcept {
    return typed(*this, type, &Attribute::u64);
}
std::optional<std::uint16_t> AttributeReader::be16(std::uint16_t type) const noexcept {
    return typed(*this, type, &Attribute::be16);
}
std::optional<std::uint32_t> AttributeReader::be32(std::uint16_t type) const noexcept {
    return typed(*this, type, &Attribute::be32);
}

std::optional<Bytes> AttributeReader::bytes(std::uint16_t type) const noexcept {
    const auto attribute = find(type);
    return attribute ? std::optional{attribute->payload} : std::nullopt;
}

std::optional<std::string_view> AttributeReader::string(std::uint16_t type) const noexcept {
    const auto attribute = find(type);
    return attribute ? std::optional{attribute->string()} : std::nullopt;
}

std::optional<AttributeReader> AttributeReader::nested(std::uint16_t type) const noexcept {
    const auto attribute = find(type);
    return attribute ? std::optional{attribute->nested()} : std::nullopt;
}

/// Its header and room for its payload; the padding is zero. @return where the payload goes
std::uint8_t* AttributeWriter::add(std::uint16_t type, std::size_t payload_size) {
    const std::size_t length = attribute_header + payload_size;
    assert(length <= std::numeric_limits<std::uint16_t>::max()); // nla_len has 16 bits
    const nlattr header{.nla_len = static_cast<std::uint16_t>(length), .nla_type = type};
    const std::size_t start = out_->size();
    out_->resize(start + aligned(length));
    std::uint8_t* const at = out_->data() + start;
    std::memcpy(at, &header, attribute_header);
    return at + attribute_header;
}

void AttributeWriter::bytes(std::uint16_t type, Bytes payload, std::uint16_t flags) {
    auto* const at = add(static_cast<std::uint16_t>(type | flags), payload.size());
    if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
}

void AttributeWriter::u8(std::uint16_t type, std::uint8_t value) {
    bytes(type, bytes_of(value));
}
void AttributeWriter::u16(std::uint16_t type, std::uint16_t value) {
    bytes(type, bytes_of(value));
}
void AttributeWriter::u32(std::uint16_t type, std::uint32_t value) {
    bytes(type, bytes_of(value));
}
void AttributeWriter::u64(std::uint16_t type, std::uint64_t value) {
    bytes(type, bytes_of(value));
}

void AttributeWriter::be16(std::uint16_t type, std::uint16_t value, std::uint16_t flags) {
    const std::uint16_t wire = htons(value);
    bytes(type, bytes_of(wire), flags);
}

void AttributeWriter::be32(std::uint16_t type, std::uint32_t value, std::uint16_t flags) {
    const std::uint32_t wire = htonl(value);
    bytes(type, bytes_of(wire), flags);
}

void AttributeWriter::string(std::uint16_t type, std::string_view text) {
    auto* const at = add(type, text.size() + 1);
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
}

std::size_t AttributeWriter::begin_nested(std::uint16_t type, std::uint16_t flags) {
    const std::size_t start = out_->size();
    add(static_cast<std::uint16_t>(type | flags), 0);
    return start;
}

void AttributeWriter::end_nested(std::size_t start) noexcept {
    const std::size_t length = out_->size() - start;
    assert(length <= std::numeric_limits<std::uint16_t>::max()); // nla_len has 16 bits
    const auto wire = static_cast<std::uint16_t>(length);
    std::memcpy(out_->data() + start, &wire, sizeof wire);
}

} // namespace ipvsproxy::netlink
