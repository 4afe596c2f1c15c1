// What a life asks of its own process.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

namespace ipvsproxy::run {

/// Writes oomScoreAdj to /proc/self/oom_score_adj, where it differs: at once and, if that fails,
/// once more after 100 ms. Whoever may not write it goes on without: that is told at a verbosity of
/// 2. All as kube-proxy does.
boost::asio::awaitable<void> set_oom_score(int adjustment,
                                           std::string file = "/proc/self/oom_score_adj");

} // namespace ipvsproxy::run
