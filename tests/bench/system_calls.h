// Counts the system calls that this process makes on sockets, and the time they take.
#pragma once

#include <cstdint>

namespace ipvsproxy::bench {

struct SystemCalls {
    std::uint64_t count{}, inside_ns{};
};

/// Of send, recv, their kin, getsockopt and setsockopt, by whichever library: this program defines
/// functions of these names, which stand before the C library's. Of one thread only.
const SystemCalls& system_calls() noexcept;

/// From now on they are neither counted nor timed: reading the clock is a system call in user-mode
/// Linux, two for each that is timed.
void stop_counting() noexcept;

} // namespace ipvsproxy::bench
