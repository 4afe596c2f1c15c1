// Kernel modules, for what the kernel does not load by itself when it is asked for.
#pragma once

#include <string>
#include <system_error>

namespace ipvsproxy {

/// Runs modprobe (/sbin or /usr/sbin) and waits for it; its own words go to standard error.
/// Needed where no request of ours makes the kernel load the module, like the legacy tables of
/// iptables. Built into the kernel or loaded already is success.
/// @return success; `modprobe_category` with modprobe's exit status; generic_category when it could
/// not be run (ENOENT: no modprobe here; EINVAL: no name of a module; EINTR: ended by a signal).
std::error_code load_module(const std::string& name);

/// The value is the exit status of modprobe.
const std::error_category& modprobe_category() noexcept;

} // namespace ipvsproxy
