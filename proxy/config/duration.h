// Durations as Go writes them: "300ms", "1h30m", "0".
#pragma once

#include <boost/system/result.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ipvsproxy::config {

/// Reads what Go's time.ParseDuration reads: a sign, then numbers with fractions and units (ns, us,
/// µs, ms, s, m, h). Refused: a bare number other than 0, anything beyond ±292 years.
/// @return the reason in its words: `time: unknown unit "d" in duration "1d"`.
boost::system::result<std::chrono::nanoseconds, std::string> read_duration(std::string_view text);
/// The same for whom the reason is of no use.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// Go's Duration.String(): "0s", "1.5ms", "15m0s", "24h0m0s".
std::string duration_text(std::chrono::nanoseconds duration);

} // namespace ipvsproxy::config
