// Netlink attributes (struct nlattr of linux/netlink.h) appended to a buffer.
#pragma once

#include <arpa/inet.h>
#include <linux/netlink.h>

#include <cassert>
#include <limits>
#include <string_view>

#include "netlink/bytes.h"

namespace ipvsproxy::netlink {

/// `flags` are NLA_F_NET_BYTEORDER or NLA_F_NESTED, where a protocol wants them in the type (ipset
/// does). A payload has at most 65,531 bytes. All in line: a cold start writes a million of them.
class AttributeWriter {
public:
    explicit AttributeWriter(GrowingBytes& out) noexcept : out_{&out} {}

    void u8(std::uint16_t type, std::uint8_t value) { bytes(type, bytes_of(value)); }
    void u16(std::uint16_t type, std::uint16_t value) { bytes(type, bytes_of(value)); }
    void u32(std::uint16_t type, std::uint32_t value) { bytes(type, bytes_of(value)); }
    void u64(std::uint16_t type, std::uint64_t value) { bytes(type, bytes_of(value)); }
    /// @param value in host order; written in network order.
    void be16(std::uint16_t type, std::uint16_t value, std::uint16_t flags = 0) {
        const std::uint16_t wire = htons(value);
        bytes(type, bytes_of(wire), flags);
    }
    /// @param value in host order; written in network order.
    void be32(std::uint16_t type, std::uint32_t value, std::uint16_t flags = 0) {
        const std::uint32_t wire = htonl(value);
        bytes(type, bytes_of(wire), flags);
    }
    void bytes(std::uint16_t type, Bytes payload, std::uint16_t flags = 0) {
        auto* const at = add(static_cast<std::uint16_t>(type | flags), payload.size());
        if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
    }
    /// Written with the NUL that ends it.
    void string(std::uint16_t type, std::string_view text) {
        auto* const at = add(type, text.size() + 1);
        if (!text.empty()) std::memcpy(at, text.data(), text.size());
        at[text.size()] = 0;
    }

    /// Starts an attribute that holds the attributes written until `end_nested` of its result.
    [[nodiscard]] std::size_t begin_nested(std::uint16_t type, std::uint16_t flags = NLA_F_NESTED) {
        const std::size_t start = out_->size();
        add(static_cast<std::uint16_t>(type | flags), 0);
        return start;
    }
    void end_nested(std::size_t start) noexcept {
        const std::size_t length = out_->size() - start;
        assert(length <= std::numeric_limits<std::uint16_t>::max()); // nla_len has 16 bits
        const auto wire = static_cast<std::uint16_t>(length);
        std::memcpy(out_->data() + start, &wire, sizeof wire);
    }
    /// Of the whole buffer, in bytes.
    std::size_t size() const noexcept { return out_->size(); }

private:
    /// Its header, room for its payload, and padding of zeros. @return where the payload goes
    [[gnu::always_inline]] std::uint8_t* add(std::uint16_t type, std::size_t payload_size) {
        const std::size_t length = sizeof(nlattr) + payload_size;
        assert(length <= std::numeric_limits<std::uint16_t>::max()); // nla_len has 16 bits
        const nlattr header{.nla_len = static_cast<std::uint16_t>(length), .nla_type = type};
        std::uint8_t* const at = out_->extend(aligned(length));
        const std::uint32_t padding = 0;
        if (length != aligned(length))
            std::memcpy(at + aligned(length) - alignment, &padding, alignment);
        std::memcpy(at, &header, sizeof header);
        return at + sizeof header;
    }

    GrowingBytes* out_;
};

} // namespace ipvsproxy::netlink
