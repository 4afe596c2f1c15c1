// What else lives on this node, as far as /proc and /sys tell. Reads only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/cli/preflight.h"

namespace ipvsproxy::cli {

/// CapEff of /proc/thread-self/status; 0 when it cannot be read.
std::uint64_t effective_capabilities();

/// kube-proxy, and ipvsproxy that runs as a daemon: in this network namespace, and visible in this
/// PID namespace.
std::vector<Process> running_proxies();

/// The names of the interfaces of this namespace.
std::vector<std::string> link_names();

/// Those of `links` that are bridges and have ports.
std::vector<std::string> bridges_with_ports(const std::vector<std::string>& links);

/// Whether NetworkManager has written down that it manages the interface
/// (/run/NetworkManager/devices/INDEX).
bool managed_by_network_manager(const std::string& link);

/// @param path of a file; whether this process may write it, as far as access(2) knows.
bool is_writable(const std::string& path);

} // namespace ipvsproxy::cli
