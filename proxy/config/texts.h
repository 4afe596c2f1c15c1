// Small readings of text that files, flags and validation share.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ipvsproxy::config {

/// The parts between commas, untrimmed; one empty part for an empty text.
std::vector<std::string> split(std::string_view text, char at = ',');
/// Errors as one text: a single one as it is, several as "[a, b]" (apimachinery's Aggregate).
std::string aggregate(const std::vector<std::string>& errors);
/// Without white space at either end.
std::string_view trimmed(std::string_view text);
std::string lower(std::string_view text);
/// 1, t, T, true, True, TRUE and their opposites (Go's strconv.ParseBool).
std::optional<bool> parse_bool(std::string_view text);
/// Decimal digits with a sign, the whole text; nothing outside the range of Integer.
std::optional<std::int32_t> parse_int32(std::string_view text);
std::optional<std::uint32_t> parse_uint32(std::string_view text);
std::optional<float> parse_float(std::string_view text);
/// A resource.Quantity of whole bytes: "512", "1K", "2Ki", "3M" … "6Ei".
std::optional<std::uint64_t> parse_quantity(std::string_view text);
/// "host:port" or "[host]:port" in its two parts. @return the reason in the words of Go's
/// net.SplitHostPort: "address 1.2.3.4: missing port in address".
boost::system::result<std::pair<std::string, std::string>, std::string>
split_host_port(std::string_view text);
/// `address` with the port appended where it is an address alone; anything else as it is.
std::string with_port(const std::string& address, int port);

} // namespace ipvsproxy::config
