#include "proxy/serve/exposition.h"

#include <algorithm>
#include <prometheus/text_serializer.h>

namespace ipvsproxy::serve {

std::string exposition(std::vector<prometheus::MetricFamily> families) {
    std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
    std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
    for (auto& family : families)
        std::ranges::sort(family.metric, {}, &prometheus::ClientMetric::label);
    return prometheus::TextSerializer{}.Serialize(families);
}

} // namespace ipvsproxy::serve
