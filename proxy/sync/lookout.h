// Reading the kernel's state beside the writes.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "proxy/sync/bell.h"
#include "proxy/sync/kernel.h"

namespace ipvsproxy::sync {

/// Whether a round with these changes writes to what the portion covers.
bool touches(const plan::NodeChanges& changes, const Portion& portion);

/// Has one portion at a time read on another thread while rounds go on. What was seen is to be
/// believed only when nobody knows better since the look began: a write to what the portion covers,
/// an event of the kernel or a later reading crosses it, for it may show that or not. Used on the
/// thread of the loop, which says what crosses.
class Lookout {
public:
    /// What came of a look.
    struct Seen {
        Portion portion;                 ///< without the virtual servers in it
        std::optional<Sight> sight;      ///< nothing: the table could not be asked …
        std::string problem;             ///< … for this reason
        bool crossed{};                  ///< not to be believed
        std::chrono::nanoseconds took{}; ///< from its beginning until it is taken
    };

    /// Everything that is passed in outlives the lookout.
    /// @param lane of one thread; work of others may wait there too
    /// @param bell is rung when a look has ended
    Lookout(boost::asio::io_context& io, boost::asio::thread_pool& lane, Bell& bell)
        : io_{io}, lane_{lane}, bell_{bell} {}

    /// Begins to read. Not while busy. @param doors outlive the look; used on the lane alone
    void begin(Kernel& doors, Portion portion);
    /// A portion is being read, or what was seen of it has not been taken.
    bool busy() const noexcept { return covered_.has_value(); }
    /// A portion is being read: nothing of what it needs may go.
    bool reading() const noexcept { return busy() && !seen_; }

    /// A round is going to write these.
    void cross(const plan::NodeChanges& changes);
    /// Something else was learnt of that part.
    void cross(Part part);

    /// What was seen since begin(); nothing while it is being read, or when nothing is.
    std::optional<Seen> take();

private:
    boost::asio::awaitable<void> read(Kernel& doors, Portion portion);

    boost::asio::io_context& io_;
    boost::asio::thread_pool& lane_;
    Bell& bell_;
    std::optional<Portion> covered_; ///< without the virtual servers in it
    std::optional<Seen> seen_;
    bool crossed_{};
    std::chrono::steady_clock::time_point begun_;
};

} // namespace ipvsproxy::sync
