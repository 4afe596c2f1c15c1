#include "proxy/run/process.h"

#include <cerrno>
#include <fstream>
#include <system_error>

#include "proxy/log/log.h"

namespace ipvsproxy::run {

void set_oom_score(int adjustment) {
    constexpr auto path = "/proc/self/oom_score_adj";
    int seen = 0;
    if (std::ifstream{path} >> seen && seen == adjustment) return;
    errno = 0;
    std::ofstream out{path};
    if (out << adjustment && out.flush()) return;
    log::verbose(
        2, "oom_score_adj cannot be set",
        {{"value", adjustment}, {"is", seen}, {"err", std::generic_category().message(errno)}});
}

} // namespace ipvsproxy::run
