// Waiting for files to change.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "proxy/files/watch.h"

namespace ipvsproxy::run {

/// Calls `tell` whenever the watch has noticed something and a burst of it is over, and from time
/// to time where not everything can be watched. Ends with whoever runs it. Both outlive it.
boost::asio::awaitable<void> follow(files::Watch& watch,
                                    const std::function<void(const files::Changed&)>& tell);

} // namespace ipvsproxy::run
