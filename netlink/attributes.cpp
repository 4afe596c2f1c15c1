#include "netlink/attributes.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <limits>

namespace ipvsproxy::netlink {

namespace {

constexpr std::size_t attribute_header = sizeof(nlattr);

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
    const auto header = structure<nlattr>(rest_);
    return !header || header->nla_len < attribute_header || header->nla_len > rest_.size();
}

Attribute AttributeReader::Iterator::operator*() const noexcept {
    const auto header = structure<nlattr>(rest_);
    assert(header);
    return {static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK),
            rest_.first(header->nla_len).subspan(attribute_header)};
}

AttributeReader::Iterator& AttributeReader::Iterator::operator++() noexcept {
    const auto header = structure<nlattr>(rest_);
    assert(header);
    // The last attribute may come without its padding.
    rest_ = rest_.subspan(std::min(aligned(header->nla_len), rest_.size()));
    return *this;
}

bool AttributeReader::whole() const noexcept {
    auto at = begin();
    while (at != end())
        ++at;
    return at.rest().empty();
}

std::optional<Attribute> AttributeReader::find(std::uint16_t type) const noexcept {
    std::optional<Attribute> found;
    for (const Attribute& attribute : *this)
        if (attribute.type == type) found = attribute;
    return found;
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

void AttributeWriter::bytes(std::uint16_t type, Bytes payload, std::uint16_t flags) {
    const std::size_t start = begin_nested(type, flags);
    out_->insert(out_->end(), payload.begin(), payload.end());
    end_nested(start);
    out_->resize(aligned(out_->size()));
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
    const std::size_t start = begin_nested(type, 0);
    out_->insert(out_->end(), text.begin(), text.end());
    out_->push_back(0);
    end_nested(start);
    out_->resize(aligned(out_->size()));
}

std::size_t AttributeWriter::begin_nested(std::uint16_t type, std::uint16_t flags) {
    const std::size_t start = out_->size();
    const nlattr header{.nla_len = 0, .nla_type = static_cast<std::uint16_t>(type | flags)};
    const Bytes wire = bytes_of(header);
    out_->insert(out_->end(), wire.begin(), wire.end());
    return start;
}

void AttributeWriter::end_nested(std::size_t start) noexcept {
    const std::size_t length = out_->size() - start;
    assert(length <= std::numeric_limits<std::uint16_t>::max()); // nla_len has 16 bits
    const auto wire = static_cast<std::uint16_t>(length);
    std::memcpy(out_->data() + start, &wire, sizeof wire);
}

} // namespace ipvsproxy::netlink
