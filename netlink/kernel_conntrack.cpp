#include "netlink/kernel_conntrack.h"

#include <linux/netlink.h>
#include <netinet/in.h>

#include <optional>
#include <utility>
#include <vector>

#include "netlink/conntrack_codec.h"

namespace ipvsproxy {

namespace {

/// Up to this many questions are asked with their own filter: the kernel walks its table for each,
/// which for so many still costs less than telling all UDP flows once.
constexpr std::size_t few = 16;
constexpr int tries = 5;

using Wanted = std::map<AddressPort, std::set<AddressPort>>;

/// Filters that together let every wanted destination pass.
std::vector<netlink::FlowFilter> filters(Family family, const Wanted& wanted) {
    std::vector<netlink::FlowFilter> result;
    if (family == Family::v4) {
        for (const auto& [destination, answered_by] : wanted)
            result.push_back({.destination = destination.address, .port = destination.port});
    } else {
        std::set<Port> ports;
        for (const auto& [destination, answered_by] : wanted)
            ports.insert(destination.port);
        for (const Port port : ports)
            result.push_back({.destination = {}, .port = port});
    }
    if (result.size() > few) return {netlink::FlowFilter{}};
    return result;
}

bool is_stale(const netlink::TrackedFlow& tracked, const Wanted& wanted) {
    if (tracked.protocol != IPPROTO_UDP) return false;
    const auto found = wanted.find(tracked.flow.destination);
    return found != wanted.end() && !found->second.contains(tracked.flow.reply_source);
}

} // namespace

KernelFlows::KernelFlows() : socket_{NETLINK_NETFILTER} {}

/// Appends the deletion of each stale flow that the kernel tells. A table that never stands still
/// is taken as it was read last, in part: a flow that was missed is found the next time.
void KernelFlows::collect(netlink::Messages& request, const Wanted& wanted,
                          netlink::Messages& deletions) {
    for (int i = 0; i < tries; ++i) {
        const bool steady = socket_.dump(request, [&](const netlink::Message& message) {
            const auto tracked = decode_flow(message);
            if (tracked && is_stale(*tracked, wanted)) put_delete_flow(deletions, *tracked);
        });
        if (steady) return;
    }
}

/// False when the kernel does not take the filter.
bool KernelFlows::filtered(Family family, const Wanted& wanted, netlink::Messages& deletions) {
    try {
        for (const netlink::FlowFilter& filter : filters(family, wanted)) {
            auto request = netlink::udp_flows_request(family, filter);
            collect(request, wanted, deletions);
        }
        return true;
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::invalid_argument ||
            error.code() == std::errc::operation_not_supported)
            return false;
        throw;
    }
}

KernelFlows::Pass KernelFlows::forget_once(Family family, const Wanted& wanted) {
    netlink::Messages deletions;
    if (!filtered(family, wanted, deletions)) {
        deletions.clear();
        auto request = netlink::flows_request(family);
        collect(request, wanted, deletions);
    }
    const netlink::BatchOutcome outcome = socket_.batch(deletions);
    for (const netlink::Failure& failure : outcome.failures)
        if (failure.error != std::errc::no_such_file_or_directory) // gone already
            throw std::system_error(failure.error, "deleting a stale UDP flow");
    return {.deleted = deletions.count() - outcome.failures.size(), .unknown = outcome.unknown};
}

std::size_t KernelFlows::forget(std::span<const StaleFlows> stale) {
    PerFamily<Wanted> wanted;
    for (const StaleFlows& flows : stale)
        wanted[flows.destination.address.family()][flows.destination].insert(
            flows.answered_by.begin(), flows.answered_by.end());
    std::size_t deleted = 0;
    for (const Family family : families) {
        if (wanted[family].empty()) continue;
        Pass pass{.deleted = 0, .unknown = true};
        for (int i = 0; i < tries && pass.unknown; ++i) { // what was deleted is not found again
            pass = forget_once(family, wanted[family]);
            deleted += pass.deleted;
        }
        if (pass.unknown)
            throw std::system_error(std::make_error_code(std::errc::no_buffer_space),
                                    "deleting stale UDP flows");
    }
    return deleted;
}

} // namespace ipvsproxy
