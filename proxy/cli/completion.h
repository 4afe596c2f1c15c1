// Completion scripts, made from the commands and options themselves.
#pragma once

#include <string>

namespace CLI { // NOLINT(readability-identifier-naming): its own name
class App;
}

namespace ipvsproxy::cli {

/// For `ipvsproxy`, and for the same program under the name `kube-proxy`.
/// @param daemon has the flags that are taken there, and without a command.
/// @param shell bash, zsh or fish
std::string completion_script(const CLI::App& program, const CLI::App& daemon,
                              const std::string& shell);

} // namespace ipvsproxy::cli
