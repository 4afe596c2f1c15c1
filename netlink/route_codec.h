// Local routes on the wire (linux/rtnetlink.h): what makes a VIP local without being an address.
#pragma once

#include <cstdint>
#include <optional>

#include "netlink/ip.h"
#include "netlink/message.h"

namespace ipvsproxy::netlink {

/// rtm_protocol of the routes that are ours; `ip route show table local proto 155`. Of the range
/// that rtnetlink leaves to user space, and in no list of assigned ones (rt_protos of iproute2).
inline constexpr std::uint8_t route_protocol = 155;

/// RTM_GETROUTE of our local routes, to be dumped; a kernel that does not filter tells more.
Messages routes_request(Family family);
/// The address that RTM_NEWROUTE makes local; nothing when it is another message, or no route of
/// ours to a single address in table local.
std::optional<Address> decode_route(const Message& message);

/// Appends RTM_NEWROUTE: type local, table local, through the loopback interface, beside the route
/// that an address of the same value has. EEXIST where it is there; for IPv6 ENETDOWN while the
/// loopback interface is down.
void put_new_route(Messages& out, const Address& address);
/// Appends RTM_DELROUTE; ESRCH when there is no such route.
void put_delete_route(Messages& out, const Address& address);

} // namespace ipvsproxy::netlink
