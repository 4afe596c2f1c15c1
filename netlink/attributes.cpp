#include "netlink/attributes.h"

#include <arpa/inet.h>

namespace ipvsproxy::netlink {

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

bool AttributeReader::whole() const noexcept {
    auto at = begin();
    while (at != end())
        ++at;
    return at.rest().empty();
}

std::optional<Attribute> AttributeReader::find(std::uint16_t type) const noexcept {
    std::optional<Attribute> last;
    for (const Attribute& attribute : *this)
        if (attribute.type == type) last = attribute;
    return last;
}

} // namespace ipvsproxy::netlink
