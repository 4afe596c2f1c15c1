// What standard output is.
#pragma once

namespace ipvsproxy::cli {

/// Whether results may have colour: on a terminal, unless NO_COLOR is set and not empty
/// (no-color.org).
bool shows_colour();

} // namespace ipvsproxy::cli
