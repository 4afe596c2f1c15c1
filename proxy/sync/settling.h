// Learning from what became of a round.
#pragma once

#include "proxy/sync/cluster.h"

namespace ipvsproxy::sync {

/// What a cluster remembers from round to round besides the tables themselves.
struct Memory {
    plan::NodeState& state;
    plan::Drains& drains;
    Patience& patience;
};

/// Writes the outcome into the memory: what was taken is believed, what was refused is held back
/// and tried again later, each time twice as late up to half a minute, and what is in doubt is
/// named.
Report settle_outcome(Memory memory, const Round& round, const Outcome& outcome);

/// Under this name the patience with the device is kept.
inline constexpr const char* device_object = "device";

} // namespace ipvsproxy::sync
