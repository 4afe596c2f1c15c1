#include "netlink/memory_conntrack.h"

#include <map>

namespace ipvsproxy {

std::size_t MemoryFlows::forget(std::span<const StaleFlows> stale) {
    if (error_) throw std::system_error(error_, "reading flows");
    std::map<AddressPort, std::set<AddressPort>> wanted;
    for (const StaleFlows& flows : stale)
        wanted[flows.destination].insert(flows.answered_by.begin(), flows.answered_by.end());
    return std::erase_if(flows_, [&](const Flow& flow) {
        const auto found = wanted.find(flow.destination);
        return found != wanted.end() && !found->second.contains(flow.reply_source);
    });
}

} // namespace ipvsproxy
