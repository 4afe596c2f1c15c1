// Settings that are valid each by itself and still do not fit the node.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netlink/ip.h"
#include "proxy/config/node_ips.h"
#include "proxy/config/options.h"

namespace ipvsproxy::config {

struct StartChecks {
    /// Each to be logged as an error: "Kube-proxy configuration may be incomplete or incorrect".
    std::vector<std::string> complaints{};
    /// Why this cannot work at all, with all that is wrong; the process ends.
    std::optional<std::string> fatal{};
};

/// @param enabled the families that this node's kernel has. @param pod_cidrs of the Node.
StartChecks start_checks(const Options& options, const NodeIps& ips, const PerFamily<bool>& enabled,
                         std::span<const Prefix> pod_cidrs);

} // namespace ipvsproxy::config
