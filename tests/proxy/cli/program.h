// The program under test, as a shell would call it.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/kernel/process.h"

namespace ipvsproxy::cli {

/// Of the environment: both meson and tests/kernel/run set it.
inline std::string program_path() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no test sets a variable
    const char* const path = std::getenv("IPVSPROXY");
    if (path == nullptr) throw std::runtime_error("IPVSPROXY does not name the program under test");
    return path;
}

/// Runs `ipvsproxy` with these arguments to its end.
inline kernel_test::Finished call(std::vector<std::string> arguments,
                                  const std::string& input = {}) {
    arguments.insert(arguments.begin(), program_path());
    return kernel_test::run_command(arguments, input);
}

} // namespace ipvsproxy::cli
