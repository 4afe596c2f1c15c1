// What went wrong, in words for whoever called the program.
#pragma once

#include <exception>
#include <string>

namespace ipvsproxy::cli {

/// The error's own words, and the remedy where one is known for its code.
std::string words(const std::exception& error);

} // namespace ipvsproxy::cli
