// A Configuration back to v1alpha1.
#pragma once

#include <string>

#include "proxy/config/configuration.h"

namespace ipvsproxy::config {

/// YAML for --write-config-to, keys sorted, every field. load() of it gives the same Configuration,
/// but for the periods of iptables and nftables: they are without effect, and written as 0s.
std::string to_yaml(const Configuration& configuration);

/// The same as a JSON object, as /configz shows it under "kubeproxy.config.k8s.io".
std::string to_json(const Configuration& configuration);

} // namespace ipvsproxy::config
