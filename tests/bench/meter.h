// What a piece of work costs: time, time in the kernel, system calls, netlink requests, memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/sync/real_kernel.h"

namespace ipvsproxy::bench {

/// Under qemu's `-icount shift=0` a nanosecond is an instruction.
struct Cost {
    std::uint64_t wall_ns{};
    std::uint64_t cpu_ns{};            ///< of the process
    std::uint64_t user_ns{};           ///< of that, outside of the system calls counted in `calls`
    std::uint64_t calls{};             ///< system calls on sockets
    std::uint64_t requests{}, bytes{}; ///< of netlink

    Cost& operator+=(const Cost& other);
};

/// Each member's median, of its own.
Cost median(std::vector<Cost> costs);

/// Measures from one lap to the next, in one thread.
class Meter {
public:
    Meter();
    /// From now on this kernel's requests are counted; it outlives the meter.
    void watch(const sync::RealKernel& kernel);
    /// The cost since the last lap, or since construction.
    Cost lap();

private:
    Cost now() const;
    const sync::RealKernel* kernel_{};
    Cost last_{};
};

std::uint64_t monotonic_ns();
std::uint64_t cpu_ns();

/// Of a process that runs, from /proc/PID/status, in KiB.
struct Memory {
    std::uint64_t peak_kib{}, now_kib{};
};
Memory memory_of(pid_t process);
inline constexpr pid_t self = 0;

/// Prints one figure as a line that tests/bench/run reads: `@ 1000x5|cold start|write|wall_ns=…`.
void report(std::string_view shape, std::string_view scenario, std::string_view step,
            const Cost& cost);
void report_value(std::string_view shape, std::string_view scenario, std::string_view step,
                  std::string_view name, double value);

} // namespace ipvsproxy::bench
