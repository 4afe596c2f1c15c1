// Completion scripts, made from the commands and options themselves.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace ipvsproxy::cli {

/// @param shell bash, zsh or fish
std::string completion_script(const CLI::App& program, const std::string& shell);

} // namespace ipvsproxy::cli
