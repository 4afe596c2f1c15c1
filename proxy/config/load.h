// A configuration file to a Configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/configuration.h"
#include "proxy/config/options.h"

namespace ipvsproxy::config {

struct Loaded {
    Configuration configuration{};
    std::vector<std::string> warnings{}; ///< unknown and doubled fields, in one sentence
};

/// Reads KubeProxyConfiguration v1alpha1 in YAML or JSON and fills in the defaults. A field that is
/// absent, null, or, where Kubernetes cannot tell the two apart, zero, has its default. Pure; what
/// the values say is for validate() to judge.
Result<Loaded> load(std::string_view text);

/// load() of a file's content; also refused when it cannot be read. @return a reason that names it.
Result<Loaded> load_file(const std::string& path);

} // namespace ipvsproxy::config
