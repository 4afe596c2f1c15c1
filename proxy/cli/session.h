// What the commands share: options, input, and the node they work on.
#pragma once

#include "proxy/cli/command.h"
#include "proxy/config/options.h"
#include "proxy/sync/cluster.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::cli {

/// Flags and configuration file, complete and validated; logging is set up by them.
/// @throws std::runtime_error with all that is wrong.
config::Options complete_options(const Invocation& call);

/// The same for the daemon, in kube-proxy's order: merged, logging set up, the version and (at a
/// verbosity of 1) every flag logged, and only then validated.
config::Options daemon_options(const config::Flags& flags);

/// Logs which services ask for one virtual server.
void warn_contests(sync::Cluster& cluster);

/// Prints in the form that was asked for.
void print(const plan::NodeSnapshot& state, Output output);

} // namespace ipvsproxy::cli
