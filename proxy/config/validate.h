// Whether a Configuration makes sense.
#pragma once

#include <boost/system/result.hpp>
#include <span>
#include <string>
#include <vector>

#include "proxy/config/configuration.h"
#include "proxy/config/options.h"

namespace ipvsproxy::config {

/// Everything that is wrong, in kube-proxy's words and order:
/// "KubeProxyConfiguration.ConfigSyncPeriod: Invalid value: 0s: must be greater than 0".
using Errors = std::vector<std::string>;

/// One error as it is, several as "[a, b]" (apimachinery's Aggregate).
std::string text(const Errors& errors);

/// Judges every field, of other modes too where kube-proxy does, and parses what has passed.
boost::system::result<Parsed, Errors> validate(const Configuration& configuration);

/// What is wrong with the parts of a clusterCIDR; `path` names them in the errors.
Errors cluster_cidr_errors(const std::string& path, std::span<const std::string> cidrs);

/// The periods of the mode that is configured (ipvs, if it is none of the three).
struct Periods {
    Duration sync{}, min_sync{};
};
Periods periods(const Configuration& configuration);

} // namespace ipvsproxy::config
