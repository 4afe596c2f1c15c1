// What a measurement works with.
#pragma once

#include <string>

#include "proxy/config/flags.h"
#include "tests/bench/workload.h"

namespace ipvsproxy::bench {

struct Setting {
    Shape shape;
    std::string folder;      ///< for files of its own
    std::string manifest;    ///< the whole workload, written before
    std::string program;     ///< path of ipvsproxy; empty: it is not started
    config::Flags flags;     ///< under which everything runs
    unsigned idle_seconds{}; ///< how long the daemon is watched while idle; 0: not

    /// Files for the API server's lists, written by who measures from them.
    std::string service_list() const { return folder + "/services.pb"; }
    std::string slice_list() const { return folder + "/slices.pb"; }
    /// What the flags come to. @throws std::runtime_error when they are refused.
    config::Options options() const;
};

} // namespace ipvsproxy::bench
