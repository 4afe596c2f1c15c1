#include "proxy/config/log_settings.h"

#include <algorithm>
#include <limits>

namespace ipvsproxy::config {
namespace {

int level(std::uint32_t verbosity) {
    constexpr std::uint32_t most = std::numeric_limits<int>::max();
    return static_cast<int>(std::min(verbosity, most));
}

} // namespace

log::Settings log_settings(const Logging& logging) {
    log::Settings settings;
    const bool json = logging.format == "json";
    settings.format = json ? log::Format::json : log::Format::text;
    settings.verbosity = level(logging.verbosity);
    settings.split_stream = (json ? logging.options.json : logging.options.text).split_stream;
    for (const auto& item : logging.vmodule)
        settings.vmodule.push_back({item.file_pattern, level(item.verbosity)});
    return settings;
}

} // namespace ipvsproxy::config
