// Which of the kernel's modules for matches and targets a table is refused for.
#pragma once

#include <string>

#include "netlink/ip.h"
#include "proxy/iptables/types.h"

namespace ipvsproxy::iptables {

/// What to load of that which these rules use: "the kernel lacks xt_set: modprobe xt_set". The
/// kernel answers a commit with a bare ENOENT when it has no such match or target and could not
/// load it by itself; what it has stands in /proc/net/ip_tables_matches and …_targets.
/// @return nothing when all is there, or when that cannot be read.
std::string missing_extensions(Family family, const TableChanges& changes);

} // namespace ipvsproxy::iptables
