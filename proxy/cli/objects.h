// Where the objects come from: manifests where -f names them, the API server otherwise.
#pragma once

#include <memory>

#include "proxy/cli/command.h"
#include "proxy/config/options.h"
#include "proxy/model/store.h"
#include "proxy/run/source.h"

namespace ipvsproxy::cli {

/// What a command that runs once works on.
struct Objects {
    model::Store store{};
    std::size_t in_error{}; ///< objects with errors, each of which was logged
};

/// Reads all of it once. @throws std::runtime_error when the API server does not give it, or a file
/// cannot be read at all.
Objects read_objects(const Invocation& call, const config::Options& options);

/// What the daemon follows. @throws std::runtime_error when there is nothing to follow.
std::unique_ptr<run::Source> open_source(const Invocation& call, const config::Options& options);

} // namespace ipvsproxy::cli
