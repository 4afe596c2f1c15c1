#include "tests/bench/meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <stdexcept>

#include "tests/bench/system_calls.h"

namespace ipvsproxy::bench {
namespace {

std::uint64_t read_clock(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(time.tv_nsec);
}

constexpr auto members = {&Cost::wall_ns, &Cost::cpu_ns,   &Cost::user_ns,
                          &Cost::calls,   &Cost::requests, &Cost::bytes};

} // namespace

Cost& Cost::operator+=(const Cost& other) {
    for (const auto member : members)
        this->*member += other.*member;
    return *this;
}

Cost median(std::vector<Cost> costs) {
    Cost result;
    if (costs.empty()) throw std::logic_error{"no costs to take the median of"};
    const auto middle = costs.begin() + static_cast<std::ptrdiff_t>(costs.size() / 2);
    for (const auto member : members) {
        std::nth_element(costs.begin(), middle, costs.end(),
                         [=](const Cost& a, const Cost& b) { return a.*member < b.*member; });
        result.*member = *middle.*member;
    }
    return result;
}

std::uint64_t monotonic_ns() {
    return read_clock(CLOCK_MONOTONIC);
}

std::uint64_t cpu_ns() {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

Meter::Meter() : last_{now()} {}

void Meter::watch(const sync::RealKernel& kernel) {
    kernel_ = &kernel;
}

Cost Meter::lap() {
    const auto current = now();
    Cost cost;
    for (const auto member : members)
        cost.*member = current.*member - last_.*member;
    // now() gives the time inside of system calls there. Those may sleep, so CPU time is no
    // measure.
    cost.user_ns = cost.wall_ns - std::min(cost.wall_ns, cost.user_ns);
    last_ = now(); // the reading of the clocks is no cost of what follows
    return cost;
}

Cost Meter::now() const {
    Cost cost{.wall_ns = monotonic_ns(),
              .cpu_ns = cpu_ns(),
              .user_ns = system_calls().inside_ns,
              .calls = system_calls().count};
    if (kernel_ != nullptr) {
        const auto asked = kernel_->cost();
        cost.requests = asked.messages;
        cost.bytes = asked.bytes;
    }
    return cost;
}

Memory memory_of(pid_t process) {
    std::ifstream status{process == self ? std::string{"/proc/self/status"}
                                         : fmt::format("/proc/{}/status", process)};
    Memory memory;
    for (std::string word; status >> word;) {
        if (word == "VmHWM:") status >> memory.peak_kib;
        else if (word == "VmRSS:") status >> memory.now_kib;
    }
    if (memory.now_kib == 0) throw std::runtime_error{"/proc does not tell the memory in use"};
    return memory;
}

void report(std::string_view shape, std::string_view scenario, std::string_view step,
            const Cost& cost) {
    fmt::print("@ {}|{}|{}|wall_ns={} cpu_ns={} user_ns={} calls={} requests={} bytes={}\n", shape,
               scenario, step, cost.wall_ns, cost.cpu_ns, cost.user_ns, cost.calls, cost.requests,
               cost.bytes);
    std::fflush(stdout);
}

void report_value(std::string_view shape, std::string_view scenario, std::string_view step,
                  std::string_view name, double value) {
    fmt::print("@ {}|{}|{}|{}={}\n", shape, scenario, step, name, value);
    std::fflush(stdout);
}

} // namespace ipvsproxy::bench
