// A configuration file from anywhere: no input may crash load() or validate(), and what is loaded
// must survive being written and read again.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/config/load.h"
#include "proxy/config/validate.h"
#include "proxy/config/write.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ipvsproxy::config;
    const auto loaded = load({reinterpret_cast<const char*>(data), size});
    if (!loaded) return loaded.error().text.empty() ? std::abort(), 0 : 0;
    static_cast<void>(validate(loaded->configuration));
    const auto once = to_yaml(loaded->configuration);
    const auto again = load(once);
    if (!again || !again->warnings.empty() || to_yaml(again->configuration) != once) std::abort();
    return 0;
}
