// Taking a node over from kube-proxy's other modes.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>

#include "proxy/iptables/types.h"
#include "proxy/sync/daemon.h"

namespace ipvsproxy::run {

/// Once all is known and our own rules stand, and not before, removes what kube-proxy's iptables
/// and nftables modes left, and what a proxy left in the variant of iptables that is not in use:
/// until then it served, afterwards it would catch packets that are ours. Works once, on a thread
/// of its own; it is waited for at the end.
class Takeover final : public sync::Observer {
public:
    /// @param rules_stand whether nothing is left to write to our rules. Called on the loop's
    /// thread.
    Takeover(iptables::Backend chosen, PerFamily<bool> enabled, std::function<bool()> rules_stand);

    void adopted(std::size_t differences) override;
    void settled(const sync::Round& round, const sync::Report& report,
                 std::chrono::nanoseconds duration) override;

private:
    void look();

    iptables::Backend chosen_;
    PerFamily<bool> enabled_;
    std::function<bool()> rules_stand_;
    bool adopted_{}, begun_{};
    boost::asio::thread_pool thread_{1}; // the last member: its end waits for the work
};

} // namespace ipvsproxy::run
