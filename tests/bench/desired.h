// The state that a manifest asks for, without a kernel.
#pragma once

#include <memory>

#include "proxy/run/input.h"
#include "proxy/sync/startup.h"
#include "tests/bench/setting.h"

namespace ipvsproxy::bench {

struct Desired {
    explicit Desired(const Setting& setting);
    config::Options options;
    run::Input input;
    std::unique_ptr<sync::Cluster> cluster;
};

/// @throws std::runtime_error when virtual servers, real servers, sets or addresses of the calling
/// thread's namespace differ from the desired ones.
void require_written(const Desired& desired);

} // namespace ipvsproxy::bench
