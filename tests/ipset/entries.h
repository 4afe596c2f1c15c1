// Entries for tests: as many different ones as wanted, of any set type.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ipset/table.h"

namespace ipvsproxy::ipset::test {

inline constexpr std::array<Type, 5> all_types{Type::hash_ip, Type::hash_ip_port,
                                               Type::hash_ip_port_ip, Type::hash_ip_port_net,
                                               Type::bitmap_port};

/// Every kind of set there is: five types, the hash ones in both families.
inline std::vector<SetSpec> all_specs() {
    std::vector<SetSpec> specs;
    for (const auto type : all_types) {
        specs.push_back({.type = type, .family = Family::v4});
        if (type != Type::bitmap_port) specs.push_back({.type = type, .family = Family::v6});
    }
    return specs;
}

/// 10.x.y.z or 2001:db8::x:y, never an address of zero.
inline Address address(Family family, std::uint32_t number) {
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    const std::size_t size = family == Family::v4 ? 4 : 16;
    if (family == Family::v4) bytes[0] = 10;
    for (std::size_t i = 1; i <= 3; ++i, number >>= 8)
        bytes.at(size - i) = static_cast<std::uint8_t>(number);
    return *Address::from_bytes(std::span{bytes}.first(size));
}

/// Entry `number` of a set; different numbers below 65,535 give different entries, of all three
/// protocols where the type has them.
inline Entry entry(const SetSpec& spec, std::uint32_t number) {
    constexpr std::array protocols{Protocol::tcp, Protocol::udp, Protocol::sctp};
    Entry made;
    if (spec.type == Type::bitmap_port) {
        made.port.value = static_cast<std::uint16_t>(number);
        return made;
    }
    made.address = address(spec.family, number + 1);
    if (spec.type == Type::hash_ip) return made;
    made.protocol = protocols.at(number % 3);
    made.port.value = static_cast<std::uint16_t>(1 + number % 60000);
    if (spec.type == Type::hash_ip_port_ip) made.second = Prefix{made.address};
    if (spec.type == Type::hash_ip_port_net) {
        const bool host = number % 2 == 0; // D-05: a host network is like any other
        const auto bits = made.address.bits();
        made.second = Prefix{made.address, static_cast<std::uint8_t>(host ? bits : bits - 8)};
    }
    return made;
}

inline std::vector<Entry> entries(const SetSpec& spec, std::uint32_t count,
                                  std::uint32_t first = 0) {
    std::vector<Entry> all;
    all.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i)
        all.push_back(entry(spec, first + i));
    return all;
}

inline Entries as_set(const std::vector<Entry>& list) {
    return {list.begin(), list.end()};
}

/// Changes to one set.
inline TableChanges change(const std::string& set, SetChanges changes) {
    TableChanges all;
    all.sets.emplace(set, std::move(changes));
    return all;
}
inline TableChanges create(const std::string& set, const SetSpec& spec,
                           std::vector<Entry> entries = {}) {
    return change(set, {.create = spec, .spec = spec, .add = std::move(entries)});
}

} // namespace ipvsproxy::ipset::test
