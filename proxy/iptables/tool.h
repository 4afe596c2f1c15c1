// Runs another program, without a shell: words in, text out.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace ipvsproxy::iptables {

struct ToolOutput {
    int status{}; ///< of exit, or 128 + the signal that ended it
    std::string out, error;
};

/// Looks for `words[0]` in PATH, gives it `input` on standard input and waits for its end.
/// @throws std::system_error ENOENT when there is no such program, ETIMEDOUT when it ran longer
/// than `limit` (it is killed then), or what else kept it from running.
ToolOutput run_tool(const std::vector<std::string>& words, std::string_view input,
                    std::chrono::milliseconds limit = std::chrono::seconds{30});

} // namespace ipvsproxy::iptables
