// The flows of the running kernel, over ctnetlink.
#pragma once

#include <map>
#include <set>
#include <span>

#include "netlink/conntrack.h"
#include "netlink/kernel_socket.h"

namespace ipvsproxy {

/// In the network namespace of the thread that makes it.
class KernelFlows final : public Flows {
public:
    /// @throws std::system_error when nfnetlink cannot be opened.
    KernelFlows();
    std::size_t forget(std::span<const StaleFlows> stale) override;

    const netlink::Counters& counters() const noexcept { return socket_.counters(); }

private:
    using Wanted = std::map<AddressPort, std::set<AddressPort>>;
    struct Pass {
        std::size_t deleted{};
        bool unknown{};
    };
    Pass forget_once(Family family, const Wanted& wanted);
    void collect(netlink::Messages& request, const Wanted& wanted, netlink::Messages& deletions);
    bool filtered(Family family, const Wanted& wanted, netlink::Messages& deletions);

    netlink::Socket socket_;
};

} // namespace ipvsproxy
