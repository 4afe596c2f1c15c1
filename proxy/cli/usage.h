// How the commands tell what they take, and what is wrong with what they were given.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace CLI { // NOLINT(readability-identifier-naming): its own name
class App;
class FormatterBase;
class ParseError;
} // namespace CLI

namespace ipvsproxy::cli {

/// Writes a command's help: its own options first, then the flags that it shares with kube-proxy,
/// as the help of kube-proxy's command line has them.
std::shared_ptr<CLI::FormatterBase> help_formatter();

/// The help of the program itself, whatever was parsed.
std::string program_help(const CLI::App& program);

/// What is wrong with a command line, and where to look: `unknown flag: --x; see ipvsproxy --help`.
/// @param extras the words that nothing was made of, as they were typed
/// @param command the first word if it is a command, else empty
std::string mistake(const CLI::ParseError& error, const std::vector<std::string>& extras,
                    const std::string& command);

} // namespace ipvsproxy::cli
