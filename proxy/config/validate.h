// Whether a Configuration makes sense.
#pragma once

#include <boost/system/result.hpp>
#include <map>
#include <string>
#include <vector>

#include "proxy/config/configuration.h"
#include "proxy/config/options.h"

namespace ipvsproxy::config {

/// Everything that is wrong, in kube-proxy's words and order:
/// "KubeProxyConfiguration.ConfigSyncPeriod: Invalid value: 0s: must be greater than 0".
using Errors = std::vector<std::string>;

/// Judges every field, of other modes too where kube-proxy does, and parses what has passed.
boost::system::result<Parsed, Errors> validate(const Configuration& configuration);

/// What Kubernetes' programs warn of when such feature gates are set: those that are about to go.
std::vector<std::string> gate_warnings(const std::map<std::string, bool>& gates);

/// What is wrong with `logging` by itself: "logging.format: Invalid value: …". kube-proxy asks
/// before it judges anything else, because its errors are to be logged as was wished.
Errors logging_errors(const Logging& logging, const FeatureGates& gates);

/// The periods of the mode that is configured (ipvs, if it is none of the three).
struct Periods {
    Duration sync{}, min_sync{};
};
Periods periods(const Configuration& configuration);

} // namespace ipvsproxy::config
