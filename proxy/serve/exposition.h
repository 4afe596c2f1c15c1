// Metrics on paper: prometheus-cpp's registry, in the forms this project gives metrics.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>
#include <vector>

#include "netlink/ip.h"

namespace ipvsproxy::serve {

using Buckets = prometheus::Histogram::BucketBoundaries;

/// @name New families of a registry.
///@{
inline auto& counters(prometheus::Registry& registry, const std::string& name,
                      const std::string& help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
inline auto& gauges(prometheus::Registry& registry, const std::string& name,
                    const std::string& help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
inline auto& histograms(prometheus::Registry& registry, const std::string& name,
                        const std::string& help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}
///@}

/// One metric for each enabled family of addresses, labelled `ip_family`; null for the others.
template <class Metric, class... Args> PerFamily<Metric*>
by_family(prometheus::Family<Metric>& family, const PerFamily<bool>& enabled, Args... args) {
    PerFamily<Metric*> all;
    for (const auto each : families)
        if (enabled[each])
            all[each] = &family.Add({{"ip_family", std::string{name(each)}}}, args...);
    return all;
}

/// `count` bounds, each `factor` times the one before.
inline Buckets exponential(double first, double factor, std::size_t count) {
    Buckets bounds;
    for (; count > 0; --count, first *= factor)
        bounds.push_back(first);
    return bounds;
}

/// Raises a counter to a total that is counted elsewhere.
inline void raise(prometheus::Counter& counter, double total) {
    if (const auto more = total - counter.Value(); more > 0) counter.Increment(more);
}
template <std::unsigned_integral Count> void raise(prometheus::Counter& counter, Count total) {
    raise(counter, static_cast<double>(total));
}

/// Kubernetes' components begin the help of a metric with its stability.
inline std::string alpha(const std::string& help) {
    return "[ALPHA] " + help;
}

inline double seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}
/// Since the epoch, as timestamps are exposed.
inline double epoch_seconds(std::chrono::system_clock::time_point time) {
    return seconds(time.time_since_epoch());
}

/// The text format 0.0.4, families by name.
std::string exposition(std::vector<prometheus::MetricFamily> families);

} // namespace ipvsproxy::serve
