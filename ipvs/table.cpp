#include "ipvs/table.h"

#include "ipvs/codec.h"

namespace ipvsproxy::ipvs {

std::vector<ServiceKey> services_of(std::span<const DestinationKey> keys) {
    std::vector<ServiceKey> services;
    for (const auto& key : keys)
        if (services.empty() || services.back() != key.service) services.push_back(key.service);
    return services;
}

ObservedDestinations Table::look_up(std::span<const DestinationKey> keys) {
    const auto all = destinations(services_of(keys));
    ObservedDestinations found;
    for (const auto& key : keys) {
        const auto spec = all.specs.find(key);
        const auto busy = all.busy.find(key);
        if (spec != all.specs.end())
            add_destination(found, key, spec->second,
                            busy == all.busy.end() ? DestinationStatus{} : busy->second);
    }
    return found;
}

} // namespace ipvsproxy::ipvs
