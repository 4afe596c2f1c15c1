// What a life asks of its own process.
#pragma once

namespace ipvsproxy::run {

/// Writes oomScoreAdj to /proc/self/oom_score_adj, where it differs. Whoever may not write it goes
/// on without: that is told at a verbosity of 2, as kube-proxy does.
void set_oom_score(int adjustment);

} // namespace ipvsproxy::run
