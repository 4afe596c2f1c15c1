#include "netlink/ip.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <ostream>

namespace ipvsproxy {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned mapped_bits = mapped_prefix.size() * 8;

/// A decimal number of digits alone, at most `limit`.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned limit) {
    const bool digits =
        !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return std::nullopt;
    unsigned value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > limit)
        return std::nullopt;
    return value;
}

/// Four decimal octets of any number of digits. Digit by digit: a list of endpoints is mostly
/// these. @param bytes where the four go; of no meaning when there are not four
bool parse_ipv4(std::string_view text, std::uint8_t* bytes) {
    const auto* at = text.data();
    const auto* const end = at + text.size();
    const auto digit_at = [&] { // what is none is more than nine
        return at == end ? 10U : static_cast<unsigned>(static_cast<unsigned char>(*at)) - '0';
    };
    for (int octet = 0;; ++octet, ++at) {
        unsigned value = digit_at();
        if (value > 9) return false;
        ++at;
        for (unsigned digit = digit_at(); digit <= 9; digit = digit_at()) {
            value = value * 10 + digit;
            if (value > 255) return false;
            ++at;
        }
        bytes[octet] = static_cast<std::uint8_t>(value);
        if (octet == 3) return at == end;
        if (at == end || *at != '.') return false;
    }
}

} // namespace

std::optional<Address> Address::from_bytes(std::span<const std::uint8_t> bytes) noexcept {
    Address address;
    if (bytes.size() == 16 && std::ranges::equal(bytes.first<12>(), mapped_prefix))
        bytes = bytes.last<4>();
    if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
    address.family_ = bytes.size() == 4 ? Family::v4 : Family::v6;
    std::ranges::copy(bytes, address.bytes_.begin());
    return address;
}

std::optional<Address> Address::parse(std::string_view text) {
    if (Address address; parse_ipv4(text, address.bytes_.data())) return address;
    if (text.size() >= INET6_ADDRSTRLEN || text.find(':') == std::string_view::npos)
        return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    if (inet_pton(AF_INET6, std::string{text}.c_str(), bytes.data()) != 1) return std::nullopt;
    return from_bytes(bytes);
}

bool Address::is_loopback() const noexcept {
    if (family_ == Family::v4) return bytes_[0] == 127;
    return bytes_[15] == 1 &&
           std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; });
}

bool Address::is_ipv6_link_local() const noexcept {
    return family_ == Family::v6 && bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80U;
}

bool Address::is_unspecified() const noexcept {
    return std::ranges::all_of(bytes_, [](auto byte) { return byte == 0; });
}

std::string Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    inet_ntop(family_ == Family::v4 ? AF_INET : AF_INET6, bytes_.data(), buffer.data(),
              buffer.size());
    return buffer.data();
}

Prefix::Prefix(const Address& address, std::uint8_t length) noexcept
    : length_{std::min(length, address.bits())} {
    std::array<std::uint8_t, 16> bytes{};
    std::ranges::copy(address.bytes(), bytes.begin());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const int kept = std::clamp(static_cast<int>(length_) - static_cast<int>(i) * 8, 0, 8);
        bytes.at(i) =
            static_cast<std::uint8_t>(bytes.at(i) & (0xff00U >> static_cast<unsigned>(kept)));
    }
    address_ = *Address::from_bytes(std::span{bytes}.first(address.bytes().size()));
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto address = Address::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    // Written as IPv6 an IPv4 network has the bits of the mapping before its own.
    const bool mapped = address->family() == Family::v4 && text.find(':') < slash;
    const unsigned before = mapped ? mapped_bits : 0;
    const auto length = parse_decimal(text.substr(slash + 1), address->bits() + before);
    if (!length || *length < before) return std::nullopt;
    return Prefix{*address, static_cast<std::uint8_t>(*length - before)};
}

bool Prefix::contains(const Address& address) const noexcept {
    return address.family() == family() && Prefix{address, length_}.address_ == address_;
}

std::string Prefix::text() const {
    return address_.text() + '/' + std::to_string(length_);
}

std::string AddressPort::text() const {
    const auto number = std::to_string(port.value);
    return address.family() == Family::v4 ? address.text() + ':' + number
                                          : '[' + address.text() + "]:" + number;
}

std::string_view lower_name(Protocol protocol) noexcept {
    switch (protocol) {
    case Protocol::tcp:
        return "tcp";
    case Protocol::udp:
        return "udp";
    case Protocol::sctp:
        return "sctp";
    }
    return "?";
}

std::string_view upper_name(Protocol protocol) noexcept {
    switch (protocol) {
    case Protocol::tcp:
        return "TCP";
    case Protocol::udp:
        return "UDP";
    case Protocol::sctp:
        return "SCTP";
    }
    return "?";
}

std::optional<Protocol> parse_protocol(std::string_view text) noexcept {
    for (const auto protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp})
        if (text == upper_name(protocol)) return protocol;
    return std::nullopt;
}

std::string_view name(Family family) noexcept {
    return family == Family::v4 ? "IPv4" : "IPv6";
}

std::ostream& operator<<(std::ostream& out, const Address& address) {
    return out << address.text();
}
std::ostream& operator<<(std::ostream& out, const Prefix& prefix) {
    return out << prefix.text();
}
std::ostream& operator<<(std::ostream& out, const AddressPort& value) {
    return out << value.text();
}
std::ostream& operator<<(std::ostream& out, Port port) {
    return out << port.value;
}
std::ostream& operator<<(std::ostream& out, Protocol protocol) {
    return out << upper_name(protocol);
}
std::ostream& operator<<(std::ostream& out, Family family) {
    return out << name(family);
}

} // namespace ipvsproxy
