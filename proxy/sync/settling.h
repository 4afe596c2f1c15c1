// Learning from what became of a round.
#pragma once

#include "proxy/sync/cluster.h"

namespace ipvsproxy::sync {

/// Writes the outcome into the state: what was taken is believed, what was refused is held back and
/// tried again later, each time twice as late up to half a minute, and what is in doubt is named.
Report settle_outcome(plan::NodeState& state, plan::Drains& drains, const Round& round,
                      const Outcome& outcome);

} // namespace ipvsproxy::sync
