// From the configuration to the log.
#pragma once

#include "proxy/config/configuration.h"
#include "proxy/log/log.h"

namespace ipvsproxy::config {

/// Of a configuration that need not be valid: an unknown format is text.
log::Settings log_settings(const Logging& logging);

} // namespace ipvsproxy::config
