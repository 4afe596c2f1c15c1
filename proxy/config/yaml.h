// YAML 1.1 to JSON, as Kubernetes does before it decodes a configuration.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/options.h"

namespace ipvsproxy::config {

struct Json {
    boost::json::value value{};
    std::vector<std::string>
        doubled{}; ///< keys that stand twice in their map, by path; the last counts
};

/// Reads the first document. Plain scalars become null, truths and numbers by YAML 1.1's rules.
/// Refused: what is not YAML, keys that are not scalars, aliases that unfold to more than 100,000
/// values.
Result<Json> yaml_to_json(std::string_view text);

} // namespace ipvsproxy::config
