// Elements of an ordered map in the order in which they come.
#pragma once

#include <endian.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "netlink/chunk_list.h"
#include "netlink/ip.h"

namespace ipvsproxy {

/// The family and the first 63 bits of an address, as a number: in the order of addresses. Behind
/// IPv4 the last 31 bits are free for what comes next in a key.
inline std::uint64_t leading_bits(const Address& address) noexcept {
    if (address.family() == Family::v4) {
        std::uint32_t bytes = 0;
        std::memcpy(&bytes, address.bytes().data(), sizeof bytes);
        return std::uint64_t{be32toh(bytes)} << 31;
    }
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, address.bytes().data(), sizeof bytes);
    return std::uint64_t{1} << 63 | be64toh(bytes) >> 1;
}

/// Gathers elements in any order and puts them in order once: the kernel tells its tables in the
/// order of their hashes, and each insertion at its place would move what stands behind it.
template <class Key, class Value> class Gathered {
public:
    void put(const Key& key, const Value& value) { elements_.append(Element{key, value}); }
    std::size_t size() const noexcept { return elements_.size(); }
    void clear() { elements_ = {}; }

    /// Gives all of them to `receive(key, value)` in rising order, those with one key as they came;
    /// nothing is left here. @param leading of a key, a number in the order of keys: keys
    /// themselves are compared where it is the same
    template <class Leading, class Receive>
    void take(const Leading& leading, const Receive& receive) {
        struct Place {
            std::uint64_t leading;
            const Element* element;
        };
        std::vector<Place> places;
        places.reserve(elements_.size());
        for (const Element& element : std::as_const(elements_))
            places.push_back({leading(element.key), &element});
        std::stable_sort(places.begin(), places.end(), [](const Place& one, const Place& other) {
            if (one.leading != other.leading) return one.leading < other.leading;
            return one.element->key < other.element->key;
        });
        for (const Place& place : places)
            receive(place.element->key, place.element->value);
        clear();
    }

private:
    struct Element {
        Key key;
        Value value;
    };
    ChunkList<Element> elements_;
};

} // namespace ipvsproxy
