// Programs run as processes of their own, and what they cost.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/meter.h"

namespace ipvsproxy::bench {

struct Usage {
    int status{};
    Cost cost; ///< user_ns: as the kernel estimates it, in ticks
    std::uint64_t peak_kib{};
    std::string output; ///< standard output and standard error
};

/// Runs a program in the calling thread's namespace and waits for its end.
/// @param input a file for its standard input; empty: none
Usage run_child(const std::vector<std::string>& argv, const std::string& input = {});

/// Runs `work` in a child, whose memory is then its own. @throws std::runtime_error when it fails.
void in_child(const std::function<void()>& work);

/// A program that runs until this ends. Its standard error is read.
class Daemon {
public:
    explicit Daemon(const std::vector<std::string>& argv);
    /// Ends it by SIGTERM and waits.
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Waits for a line of its log that holds `words`.
    /// @throws std::runtime_error, with the log, when it ends or is silent for too long.
    void wait_for(const std::string& words, std::chrono::seconds limit);
    std::uint64_t cpu_ns() const;
    /// Of all its threads: how often each slept and woke again.
    std::uint64_t wakeups() const;
    Memory memory() const { return memory_of(process_); }

private:
    pid_t process_{};
    int log_{-1};
    std::string said_;
};

} // namespace ipvsproxy::bench
