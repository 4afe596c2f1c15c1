// What a log line looks like; pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proxy/log/log.h"

namespace ipvsproxy::log {

enum class Level : std::uint8_t { info, warning, error };

struct Record {
    Level level{Level::info};
    int verbosity{}; ///< of an info record
    std::chrono::system_clock::time_point time{};
    long pid{};
    Location where{"", 0};
    std::string_view message{};
    bool plain{}; ///< in the text form the message is not quoted
    std::span<const Field> fields{};
};

/// klog's header form, `Lmmdd hh:mm:ss.uuuuuu PID file:line] "message" key="value"`, in local
/// time, without a line end. A text of several lines is set off by tabs, so that it stays readable.
std::string text_line(const Record& record);

/// One JSON object: ts (milliseconds since 1970), caller, msg, v (not for errors), the fields.
std::string json_line(const Record& record);

/// Whether a vmodule pattern (a glob) names the source file.
bool fits(const std::string& pattern, std::string_view file);

} // namespace ipvsproxy::log
