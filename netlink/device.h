// The dummy device that holds the VIPs, its addresses, and the addresses of the other interfaces.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "netlink/change.h"
#include "netlink/ip.h"

namespace ipvsproxy {

/// What makes an address local to the node.
enum class Binding : std::uint8_t {
    address, ///< an address of the device
    /// A local route: no address, so the kernel's lists of addresses, which it walks whole for each
    /// new one, stay short. Through the loopback interface: IPv6 routes need a device that is up,
    /// and the device takes its IPv4 routes along when its last address goes.
    route,
};

/// Names an address of the device, or a local route. The kernel tells addresses of one device apart
/// by their prefix length too, so a foreign 10.96.0.10/24 is another object than our 10.96.0.10/32.
struct DeviceAddress {
    Address address;
    std::uint8_t prefix_length{};
    Binding binding{Binding::address};
    friend auto operator<=>(const DeviceAddress&, const DeviceAddress&) = default;
};

struct DeviceAddressSpec {
    /// Preferred lifetime 0 (IFA_CACHEINFO): never chosen as a source (RFC 6724 rule 3). The
    /// kernel has the notion for both families; we use it for IPv6 (D-22).
    bool deprecated{};
    friend bool operator==(const DeviceAddressSpec&, const DeviceAddressSpec&) = default;
};

/// The local route of one address.
inline DeviceAddress local_route(const Address& address) {
    return {address, address.bits(), Binding::route};
}

using DeviceAddresses = SortedMap<DeviceAddress, DeviceAddressSpec>;
using DeviceAddressChanges = Changes<DeviceAddress, DeviceAddressSpec>;

/// An address of an interface other than the device, loopback ones included.
struct InterfaceAddress {
    std::string interface;
    Address address;
    friend auto operator<=>(const InterfaceAddress&, const InterfaceAddress&) = default;
};

struct DeviceState {
    bool present{};            ///< the device exists
    bool up{};                 ///< it is administratively up; kube-proxy and we leave it down
    std::string kind{};        ///< IFLA_INFO_KIND: "dummy"; empty when the link says none
    DeviceAddresses addresses; ///< of the device, and local routes that a proxy made
    std::vector<InterfaceAddress> elsewhere; ///< of all others, ordered
    friend bool operator==(const DeviceState&, const DeviceState&) = default;
};

struct DeviceOutcome {
    std::vector<Refusal<DeviceAddress>> refused;
    bool unknown{}; ///< the outcome of a batch was lost (ENOBUFS): read the addresses again
    bool clean() const noexcept { return refused.empty() && !unknown; }
};

/// KernelDevice speaks rtnetlink (linux/rtnetlink.h, if_addr.h, if_link.h); MemoryDevice keeps the
/// same rules in a map and can be told to refuse.
class Device {
public:
    virtual ~Device() = default;
    virtual const std::string& name() const = 0;
    /// Whether a link of that name is there: one request, however many addresses it has.
    /// @throws std::system_error when the kernel cannot be asked.
    virtual bool present() = 0;
    /// @throws std::system_error when the kernel cannot be asked.
    virtual DeviceState snapshot() = 0;
    /// Creates the dummy device, down, without queue; nothing to do when a link of the name
    /// exists, whatever its kind. @throws std::system_error with the kernel's errno.
    virtual void create() = 0;
    /// Deletes the device and so all its addresses; nothing to do when there is none.
    /// @throws std::system_error with the kernel's errno.
    virtual void destroy() = 0;
    /// Removals first. Adding what exists with the same spec and removing what is missing count as
    /// done; an update replaces the lifetimes. One refused address never holds up another. ENODEV
    /// for every address when the device is missing; routes do not need it.
    /// @throws std::system_error only when the socket itself is lost.
    virtual DeviceOutcome apply(const DeviceAddressChanges& changes) = 0;
};

std::ostream& operator<<(std::ostream& out, const DeviceAddress& key);
std::ostream& operator<<(std::ostream& out, const DeviceAddressSpec& spec);
std::ostream& operator<<(std::ostream& out, const InterfaceAddress& value);

} // namespace ipvsproxy
