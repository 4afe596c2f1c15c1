#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace ipvsproxy::kernel_test {

/// How a program ended and what it said.
struct Finished {
    int status{}; ///< exit status; 128 + signal when a signal ended it
    std::string out{}, err{};
};
std::ostream& operator<<(std::ostream& out, const Finished& finished);

/// Runs a program in the calling thread's network namespace and waits for its end.
/// @param argv its name, looked up in PATH, and arguments
/// @param input what it reads from its standard input
/// @throws std::system_error when it cannot be started; std::runtime_error when it takes longer
/// than a minute.
Finished run_command(const std::vector<std::string>& argv, const std::string& input = {});

/// As run_command(), for what must succeed. @throws std::runtime_error with the program's words.
std::string must_run(const std::vector<std::string>& argv, const std::string& input = {});

} // namespace ipvsproxy::kernel_test
