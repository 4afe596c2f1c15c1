// What the commands share: options, input, and the node they work on.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "proxy/cli/command.h"
#include "proxy/config/options.h"
#include "proxy/files/source.h"
#include "proxy/sync/cluster.h"
#include "proxy/sync/real_kernel.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::cli {

/// Flags and configuration file, complete and validated; logging is set up by them.
/// @throws std::runtime_error with all that is wrong.
config::Options complete_options(const Invocation& call);

/// The iptables variant that the operator has set; nothing: look and choose.
std::optional<iptables::Backend> wanted_backend(const config::Options& options);

/// The paths of `-f`. @throws std::runtime_error when there are none.
files::Where input_paths(const Invocation& call);

/// The objects of `-f`, read once. What does not parse is logged, object by object.
struct Input {
    explicit Input(files::Where where);
    model::Store store;
    files::Source source; ///< keeps the store equal to the files
};

/// The tables of the node, opened.
std::unique_ptr<sync::RealKernel> open_kernel(const config::Options& options);

/// The objects on a node with these interfaces; every wish is derived.
/// @param kernel null when there is none to ask: both families are taken to be there.
std::unique_ptr<sync::Cluster>
make_cluster(const config::Options& options, model::Store& store, sync::RealKernel* kernel,
             std::span<const InterfaceAddress> elsewhere,
             sync::Complaints complaints = sync::Complaints::verbose);

/// Logs which services ask for one virtual server.
void warn_contests(sync::Cluster& cluster);

/// Prints in the form that was asked for.
void print(const plan::NodeSnapshot& state, Output output);

} // namespace ipvsproxy::cli
