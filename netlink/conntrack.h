// Connection tracking: flows that must be forgotten because what they were sent to has gone.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <set>
#include <span>
#include <vector>

#include "netlink/ip.h"

namespace ipvsproxy {

/// UDP flows to `destination` are stale unless they are answered by one of `answered_by`.
struct StaleFlows {
    AddressPort destination;           ///< CTA_TUPLE_ORIG: where the client sent it
    std::set<AddressPort> answered_by; ///< CTA_TUPLE_REPLY's source: who may answer it
    friend bool operator==(const StaleFlows&, const StaleFlows&) = default;
};

/// A UDP flow, as the tests of the twin name it.
struct Flow {
    AddressPort source, destination; ///< original direction
    AddressPort reply_source;        ///< equals `destination` when nothing was translated
    friend auto operator<=>(const Flow&, const Flow&) = default;
};
std::ostream& operator<<(std::ostream& out, const Flow& flow);

/// KernelFlows speaks ctnetlink (linux/netfilter/nfnetlink_conntrack.h); MemoryFlows holds flows in
/// a set. TCP and SCTP flows are never touched.
class Flows {
public:
    virtual ~Flows() = default;
    /// Deletes the stale UDP flows, in one pass over the table of a family at most; a flow that is
    /// gone already counts as nothing. Few destinations are asked for by the kernel's own filter.
    /// @return how many were deleted.
    /// @throws std::system_error when the table cannot be read.
    virtual std::size_t forget(std::span<const StaleFlows> stale) = 0;
};

} // namespace ipvsproxy
