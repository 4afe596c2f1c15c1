// Flows on the wire (linux/netfilter/nfnetlink_conntrack.h).
#pragma once

#include <cstdint>
#include <optional>

#include "netlink/conntrack.h"
#include "netlink/message.h"

namespace ipvsproxy::netlink {

/// A flow as the kernel tells it; `original` is a view of the message.
struct TrackedFlow {
    Flow flow;
    std::uint8_t protocol{};           ///< IANA number: a dump may hold others than UDP
    AddressPort reply_destination;     ///< whom the answer goes to
    std::uint32_t id{};                ///< CTA_ID, in the kernel's own byte order
    Bytes original;                    ///< the content of CTA_TUPLE_ORIG
    std::optional<std::uint16_t> zone; ///< CTA_ZONE, host order
};

/// Nothing when the message is no flow, or lacks an address, a port or the id: what has no whole
/// tuple must never be asked to be deleted.
std::optional<TrackedFlow> decode_flow(const Message& message);

/// IPCTNL_MSG_CT_GET of all flows of a family, to be dumped.
Messages flows_request(Family family);
/// Which UDP flows the kernel is asked for. A destination's address is only to be named for IPv4:
/// the kernel (seen on 6.1) gives exactly the others when one of IPv6 is named.
struct FlowFilter {
    std::optional<Address> destination{};
    std::optional<Port> port{}; ///< of the destination
};
/// … of its UDP flows that pass the filter. The kernel filters since 5.8 (CTA_FILTER); an older
/// one ignores the wish and gives all flows.
Messages udp_flows_request(Family family, const FlowFilter& filter);
/// Appends IPCTNL_MSG_CT_DELETE of exactly this flow: a newer one of equal addresses has another
/// id. ENOENT when it has gone.
void put_delete_flow(Messages& out, const TrackedFlow& flow);

} // namespace ipvsproxy::netlink
