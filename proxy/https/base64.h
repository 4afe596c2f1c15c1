// Base64 (RFC 4648 §4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ipvsproxy::https {

std::string to_base64(std::string_view bytes);
/// Line breaks and blanks between the digits are passed over. Nothing when it is not base64.
std::optional<std::string> from_base64(std::string_view text);

} // namespace ipvsproxy::https
