#pragma once

#include <cstdint>

namespace ipvsproxy::kernel_test {

/// How often the threads of a process went to sleep so far: each time something woke them
/// (voluntary_ctxt_switches of /proc/PID/task/TID/status).
std::uint64_t wakeups(int process);

} // namespace ipvsproxy::kernel_test
