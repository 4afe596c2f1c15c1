// Can this kernel do what we are configured for?
#pragma once

#include <string>

#include "ipvs/table.h"

namespace ipvsproxy::ipvs {

/// Makes sure that the table can be read and that the kernel has the scheduler, whose module it
/// loads if need be. Where no virtual server uses the scheduler already, one on an address of
/// documentation (198.51.100.0, RFC 5737), bound to no interface, is added and taken away again.
/// @param scheduler "" means "rr", as in KubeProxyConfiguration ipvs.scheduler.
/// @throws std::system_error whose text says what is missing, with the kernel's errno.
void probe(Table& table, const std::string& scheduler);

} // namespace ipvsproxy::ipvs
