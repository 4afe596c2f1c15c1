// Addresses, prefixes, ports: the values every table is keyed by.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ipvsproxy {

enum class Family : std::uint8_t { v4, v6 };
enum class Protocol : std::uint8_t { tcp = 6, udp = 17, sctp = 132 }; // IANA numbers

inline constexpr std::array<Family, 2> families{Family::v4, Family::v6};

/// One value for each IP family, named by it: `node_ip[Family::v6]`.
template <class T> struct PerFamily {
    T v4{}, v6{};
    T& operator[](Family family) noexcept { return family == Family::v4 ? v4 : v6; }
    const T& operator[](Family family) const noexcept { return family == Family::v4 ? v4 : v6; }
    friend bool operator==(const PerFamily&, const PerFamily&) = default;
};

/// A transport port in host byte order; codecs alone know network order.
struct Port {
    std::uint16_t value{};
    friend constexpr auto operator<=>(Port, Port) = default;
};

/// An IPv4 or IPv6 address. Text is for the edges: two spellings of one address are equal here.
class Address {
public:
    /// 0.0.0.0
    constexpr Address() = default;
    /// @param bytes 4 or 16 bytes in network order. An IPv4-mapped IPv6 address becomes IPv4.
    /// Nothing when the length is another.
    static std::optional<Address> from_bytes(std::span<const std::uint8_t> bytes) noexcept;
    /// Reads "10.0.0.1" or "2001:db8::1" the way Kubernetes reads them: an IPv4 octet may have
    /// leading zeros (decimal), an IPv4-mapped IPv6 address counts as IPv4, no zone, no brackets.
    static std::optional<Address> parse(std::string_view text);

    Family family() const noexcept { return family_; }
    /// 4 or 16 bytes, network order.
    std::span<const std::uint8_t> bytes() const noexcept {
        return {bytes_.data(), family_ == Family::v4 ? std::size_t{4} : std::size_t{16}};
    }
    /// 32 or 128: the length of a prefix that holds this address alone.
    std::uint8_t bits() const noexcept { return family_ == Family::v4 ? 32 : 128; }
    /// 127.0.0.0/8 or ::1.
    bool is_loopback() const noexcept;
    /// fe80::/10. IPv4 link-local (169.254.0.0/16) is not meant: kube-proxy treats it as ordinary.
    bool is_ipv6_link_local() const noexcept;
    /// 0.0.0.0 or ::.
    bool is_unspecified() const noexcept;
    /// Canonical text (RFC 5952 for IPv6).
    std::string text() const;

    /// IPv4 first, then by the bytes. Tables of tens of thousands are ordered by it, so it compares
    /// eight bytes at a time.
    friend constexpr std::strong_ordering operator<=>(const Address& one,
                                                      const Address& other) noexcept {
        if (const auto order = one.family_ <=> other.family_; order != 0) return order;
        if (const auto order = one.number(0) <=> other.number(0); order != 0) return order;
        return one.number(1) <=> other.number(1);
    }
    friend constexpr bool operator==(const Address& one, const Address& other) noexcept {
        return one.family_ == other.family_ && one.words() == other.words();
    }

private:
    using Words = std::array<std::uint64_t, 2>;
    constexpr Words words() const noexcept { return std::bit_cast<Words>(bytes_); }
    /// The first or second eight bytes as the number that they are in network order.
    constexpr std::uint64_t number(std::size_t index) const noexcept {
        const std::uint64_t word = words()[index];
        if constexpr (std::endian::native == std::endian::big) return word;
        else return __builtin_bswap64(word);
    }

    Family family_{Family::v4};
    std::array<std::uint8_t, 16> bytes_{}; // the unused tail stays zero, so <=> is exact
};

/// A network in canonical form: host bits are zero.
class Prefix {
public:
    /// 0.0.0.0/0
    constexpr Prefix() = default;
    /// Masks `address` to `length` bits; a longer length than the family has is cut to it.
    Prefix(const Address& address, std::uint8_t length) noexcept;
    /// The prefix that holds `address` alone (/32 or /128).
    explicit Prefix(const Address& address) noexcept : Prefix(address, address.bits()) {}
    /// Reads "10.0.0.0/8" or "2001:db8::/32"; host bits are accepted and masked away.
    static std::optional<Prefix> parse(std::string_view text);

    const Address& address() const noexcept { return address_; }
    std::uint8_t length() const noexcept { return length_; }
    Family family() const noexcept { return address_.family(); }
    /// False for an address of the other family.
    bool contains(const Address& address) const noexcept;
    /// "10.0.0.0/8", always with the length.
    std::string text() const;

    friend auto operator<=>(const Prefix&, const Prefix&) = default;

private:
    Address address_;
    std::uint8_t length_{};
};

/// An address and a port, printed `10.0.0.1:80` or `[2001:db8::1]:80`.
struct AddressPort {
    Address address;
    Port port;
    std::string text() const;
    friend auto operator<=>(const AddressPort&, const AddressPort&) = default;
};

/// "tcp", "udp", "sctp".
std::string_view lower_name(Protocol protocol) noexcept;
/// "TCP", "UDP", "SCTP", as core/v1 Protocol spells them.
std::string_view upper_name(Protocol protocol) noexcept;
/// Reads core/v1 Protocol ("TCP", "UDP", "SCTP"; exact case).
std::optional<Protocol> parse_protocol(std::string_view text) noexcept;
/// "IPv4", "IPv6", as core/v1 IPFamily spells them.
std::string_view name(Family family) noexcept;

std::ostream& operator<<(std::ostream& out, const Address& address);
std::ostream& operator<<(std::ostream& out, const Prefix& prefix);
std::ostream& operator<<(std::ostream& out, const AddressPort& value);
std::ostream& operator<<(std::ostream& out, Port port);
std::ostream& operator<<(std::ostream& out, Protocol protocol);
std::ostream& operator<<(std::ostream& out, Family family);

} // namespace ipvsproxy
