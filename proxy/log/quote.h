// Texts in quotes, the way Go's %q writes them: what klog and Kubernetes' error texts use.
#pragma once

#include <string>
#include <string_view>

namespace ipvsproxy::log {

/// `text` in double quotes; quotes, backslashes and control characters escaped, bytes that are not
/// UTF-8 as \xNN.
std::string quoted(std::string_view text);

/// `text` as a JSON string (RFC 8259); bytes that are not UTF-8 become U+FFFD.
std::string json_quoted(std::string_view text);

/// Whether `text` is UTF-8 throughout (RFC 3629).
bool is_utf8(std::string_view text);

} // namespace ipvsproxy::log
