// One life of the daemon: from settled options to the signal that ends it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "netlink/address_events.h"
#include "proxy/config/options.h"
#include "proxy/run/reporter.h"
#include "proxy/run/settings.h"
#include "proxy/run/signals.h"
#include "proxy/run/source.h"
#include "proxy/run/takeover.h"
#include "proxy/serve/serving.h"
#include "proxy/sync/bell.h"
#include "proxy/sync/daemon.h"
#include "proxy/sync/log_observer.h"
#include "proxy/sync/observers.h"
#include "proxy/sync/real_kernel.h"

namespace ipvsproxy::run {

enum class Ending : std::uint8_t {
    stopped, ///< a signal asked for it
    renewed, ///< there are other options to live with
};

/// Puts the parts together and lets them run on the thread that calls live().
class Life : private Listener {
public:
    /// Opens the kernel's tables. All that is passed in outlives it.
    /// @throws std::exception when they cannot be.
    Life(Settings& settings, Source& source, Signals& signals);

    /// Sets the kernel's switches once the Node is known, and keeps the node. Returns after the
    /// round that is under way; the kernel's state stays as it is.
    /// @throws what ended it otherwise.
    Ending live();

private:
    boost::asio::awaitable<void> begin();
    boost::asio::awaitable<void> follow_signals();
    boost::asio::awaitable<void> follow_settings();
    boost::asio::awaitable<void> renew();
    void take(int signal);
    void look_at_settings();
    bool rules_stand();
    void fail(std::exception_ptr error);
    void spawn(boost::asio::awaitable<void> part);
    void end();
    void leave();
    boost::asio::awaitable<void> last_words();
    void take_node();
    void serve_node();
    void changed() override;
    void complete() override;

    Settings& settings_;
    const config::Options& options_;
    Source& source_;
    Signals& signals_;
    boost::asio::io_context io_{1};
    std::unique_ptr<sync::RealKernel> kernel_;
    AddressEvents events_; ///< heard before the interfaces are read, so that no change is missed
    sync::LogObserver log_;
    std::optional<Takeover> takeover_;
    sync::Observers observers_;
    Reporter reporter_;
    serve::Serving serving_;
    std::unique_ptr<sync::Cluster> cluster_;
    std::vector<Prefix> pod_cidrs_;      ///< of the Node, at the start
    std::optional<sync::Daemon> daemon_; ///< as soon as the Node is known
    std::optional<Ending> ending_;       ///< as soon as one is asked for
    std::exception_ptr failure_;
    bool leaving_{}; ///< nothing new is begun
    sync::Bell settings_changed_{io_.get_executor()};
    std::uint32_t looks_{}; ///< at the settings
};

} // namespace ipvsproxy::run
