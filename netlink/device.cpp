#include "netlink/device.h"

namespace ipvsproxy {

std::ostream& operator<<(std::ostream& out, const DeviceAddress& key) {
    if (key.binding == Binding::route) out << "local route ";
    return out << key.address << '/' << static_cast<unsigned>(key.prefix_length);
}

std::ostream& operator<<(std::ostream& out, const DeviceAddressSpec& spec) {
    return out << (spec.deprecated ? "deprecated" : "preferred");
}

std::ostream& operator<<(std::ostream& out, const InterfaceAddress& value) {
    return out << value.interface << ' ' << value.address;
}

} // namespace ipvsproxy
