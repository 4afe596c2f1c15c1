#include "proxy/cli/terminal.h"

#include <cstdlib>
#include <unistd.h>

namespace ipvsproxy::cli {

bool shows_colour() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in this program changes the environment
    const char* const unwanted = std::getenv("NO_COLOR");
    return ::isatty(STDOUT_FILENO) == 1 && (unwanted == nullptr || *unwanted == '\0');
}

} // namespace ipvsproxy::cli
