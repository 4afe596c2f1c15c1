// kube-proxy's command line: flags, and nothing else.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "proxy/config/flags.h"

namespace ipvsproxy::config {

struct CommandLine {
    Flags flags{};
    bool help{};                         ///< -h, --help
    std::vector<std::string> operands{}; ///< words that are no flags; kube-proxy takes none
};

/// Reads words as the flag package of Kubernetes' programs does (github.com/spf13/pflag):
/// `--name=value`,
/// `--name value` (not of a bool), `-v=4`, `-v 4`, `-v4`, `_` for `-` in a name, everything after
/// `--` an operand. @return the first thing that is wrong, in its words: `unknown flag: --color`.
Result<CommandLine> read_command_line(std::span<const std::string> words);

struct HelpShape {
    std::size_t width{100}; ///< of a line, where words allow it
    bool tasks{true};       ///< with the flags that have something else done (is_task())
    bool help{true};        ///< with -h
};
/// What --help prints of the flags: by group, with types and defaults.
std::string flags_help(const HelpShape& shape = {});

} // namespace ipvsproxy::config
