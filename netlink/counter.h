// A number that one thread counts up and any thread may read.
#pragma once

#include <atomic>
#include <cstdint>

namespace ipvsproxy::netlink {

/// Costs the counting thread no more than a plain number; who reads may get one a moment old.
class Counter {
public:
    Counter() = default;
    Counter(const Counter& other) noexcept : value_{other} {}
    Counter& operator=(const Counter& other) noexcept {
        value_.store(other, std::memory_order_relaxed);
        return *this;
    }
    ~Counter() = default;
    Counter& operator+=(std::uint64_t more) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
        return *this;
    }
    Counter& operator++() noexcept { return *this += 1; }
    operator std::uint64_t() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{};
};

} // namespace ipvsproxy::netlink
