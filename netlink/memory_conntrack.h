// Flows in memory: KernelFlows' twin.
#pragma once

#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "netlink/conntrack.h"

namespace ipvsproxy {

class MemoryFlows final : public Flows {
public:
    std::size_t forget(std::span<const StaleFlows> stale) override;

    /// The UDP flows there are, to be set and read by a test.
    std::set<Flow>& flows() noexcept { return flows_; }
    /// From now on the table cannot be read, for this reason; an empty code lifts it.
    void refuse(std::error_code error) noexcept { error_ = error; }

private:
    std::set<Flow> flows_;
    std::error_code error_{};
};

} // namespace ipvsproxy
