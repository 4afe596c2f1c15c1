// Short names for values of tests.
#pragma once

#include <string_view>

#include "ipvs/table.h"

namespace ipvsproxy::ipvs {

inline ServiceKey service(std::string_view address, std::uint16_t port = 80,
                          Protocol protocol = Protocol::tcp) {
    return {*Address::parse(address), Port{port}, protocol};
}

/// What a plain Service asks for.
inline ServiceSpec plain(const ServiceKey& key, std::string scheduler = "rr") {
    return {.scheduler = std::move(scheduler), .persistence_prefix = key.address.bits()};
}

inline DestinationKey destination(const ServiceKey& key, std::string_view address,
                                  std::uint16_t port = 8080) {
    return {key, *Address::parse(address), Port{port}};
}

inline TableChanges adding(const Services& services, const Destinations& destinations = {}) {
    return {.services = {.add = services}, .destinations = {.add = destinations}};
}

inline TableChanges updating(const Services& services, const Destinations& destinations = {}) {
    return {.services = {.update = services}, .destinations = {.update = destinations}};
}

inline TableChanges removing(const std::set<ServiceKey>& services,
                             const std::set<DestinationKey>& destinations = {}) {
    return {.services = {.remove = services}, .destinations = {.remove = destinations}};
}

inline ObservedDestinations all_destinations(Table& table) {
    std::vector<ServiceKey> keys;
    for (const auto& [key, spec] : table.services())
        keys.push_back(key);
    return table.destinations(keys);
}

} // namespace ipvsproxy::ipvs
