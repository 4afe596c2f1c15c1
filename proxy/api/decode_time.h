// RFC 3339 timestamps, as metav1.Time and the trigger annotation of EndpointSlices write them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace ipvsproxy::api {

/// Reads "2026-11-21T02:03:31.123456789+01:00". Nothing for any other form or an impossible date;
/// a leap second (":60") counts as the second after. Digits past nanoseconds are dropped.
std::optional<std::chrono::system_clock::time_point> parse_time(std::string_view text);

} // namespace ipvsproxy::api
