// Reading the kernel's state in the calling thread, a portion at a time.
#pragma once

#include <set>

#include "proxy/sync/cluster.h"

namespace ipvsproxy::sync {

/// Compares each portion as it is read, so that the whole state is never held a second time.
/// Blocks. @param slice virtual servers whose real servers are a portion
/// @return at how many objects the kernel is otherwise than was believed.
/// @throws std::system_error when a table cannot be asked.
std::size_t audit(Cluster& cluster, Kernel& kernel, const std::set<Part>& parts,
                  std::size_t slice = 512);
/// The same of all parts.
std::size_t audit(Cluster& cluster, Kernel& kernel, std::size_t slice = 512);

} // namespace ipvsproxy::sync
