// The lock that everybody who writes legacy tables shares.
#pragma once

#include <chrono>
#include <string>
#include <system_error>

#include "netlink/handle.h"

namespace ipvsproxy::iptables {

/// $XTABLES_LOCKFILE, or /run/xtables.lock: what iptables-legacy itself uses.
std::string xtables_lock_file();

/// Holds flock(LOCK_EX) on a file while it lives. The file is one for all network namespaces.
class LegacyLock {
public:
    /// Creates the file (0600) when it is missing; waits up to `wait` for whoever holds it.
    LegacyLock(const std::string& file, std::chrono::milliseconds wait);

    /// Empty when the lock is held; EWOULDBLOCK when another program kept it all the while.
    std::error_code error() const noexcept { return error_; }

private:
    FileDescriptor descriptor_; ///< closing it gives the lock back
    std::error_code error_;
};

} // namespace ipvsproxy::iptables
