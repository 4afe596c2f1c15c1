#include "ipvs/types.h"

#include <ostream>

namespace ipvsproxy::ipvs {

std::string ServiceKey::text() const {
    return AddressPort{address, port}.text() + '/' + std::string{upper_name(protocol)};
}

std::string DestinationKey::text() const {
    return service.text() + " -> " + AddressPort{address, port}.text();
}

std::ostream& operator<<(std::ostream& out, const ServiceKey& key) {
    return out << key.text();
}

std::ostream& operator<<(std::ostream& out, const ServiceSpec& spec) {
    out << "scheduler " << spec.scheduler << " flags " << spec.flags;
    if (spec.timeout_seconds != 0) out << " timeout " << spec.timeout_seconds << 's';
    out << " prefix " << int{spec.persistence_prefix};
    if (!spec.persistence_engine.empty()) out << " engine " << spec.persistence_engine;
    return out;
}

std::ostream& operator<<(std::ostream& out, const DestinationKey& key) {
    return out << key.text();
}

std::ostream& operator<<(std::ostream& out, const DestinationSpec& spec) {
    return out << "forward " << static_cast<int>(spec.forward) << " weight " << spec.weight
               << " thresholds " << spec.upper_threshold << '/' << spec.lower_threshold;
}

} // namespace ipvsproxy::ipvs
