// The only loop: inputs change what is wanted, rounds write it, audits keep it true.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include "netlink/address_events.h"
#include "proxy/plan/text.h"
#include "proxy/sync/bell.h"
#include "proxy/sync/cluster.h"
#include "proxy/sync/lookout.h"

namespace ipvsproxy::sync {

/// ipvs.minSyncPeriod and ipvs.syncPeriod of KubeProxyConfiguration.
struct Pace {
    std::chrono::nanoseconds minimum{};                        ///< end of a round to the next
    std::chrono::nanoseconds period{std::chrono::seconds{30}}; ///< of a whole audit
};

/// Is told what the loop does, on the loop's thread: the log, the metrics, the health probes.
class Observer {
public:
    virtual ~Observer() = default;
    /// A change was noticed that a round will take up.
    virtual void queued() {}
    /// The kernel's state was read for the first time: this many objects differ from what is
    /// wanted.
    virtual void adopted(std::size_t /*differences*/) {}
    /// An audit found what nobody here did; the lines are what will be written to heal it.
    virtual void drifted(Part /*part*/, const std::vector<plan::Line>& /*healing*/) {}
    virtual void contested(const plan::Contest& /*contest*/) {}
    /// A round has sent these, what was refused of them among them; settled() follows. Before
    /// adopted() it is the head start of a bare node.
    virtual void written(const plan::NodeChanges& /*changes*/) {}
    virtual void settled(const Round& /*round*/, const Report& /*report*/,
                         std::chrono::nanoseconds /*duration*/) {}
    /// All that was derived so far is written, or is as it should be, in the families that are
    /// true; told at the end of every turn of the loop. Single objects that the kernel refuses do
    /// not count: the rest of the family works.
    virtual void reached(const PerFamily<bool>& /*families*/) {}
    /// A slice's change is in the kernel. @param triggered when the control plane saw its cause
    virtual void programmed(Family /*family*/,
                            std::chrono::system_clock::time_point /*triggered*/) {}
    /// A table could not be read; tried again later.
    virtual void unreadable(Part /*part*/, const std::string& /*reason*/) {}
    /// A whole audit has ended.
    virtual void audited(std::chrono::nanoseconds /*work*/) {}
};

/// Runs on one thread; blocking kernel work goes to two of its own, one that writes and one that
/// reads, and comes back as a value.
class Daemon {
public:
    /// Everything that is passed in outlives the daemon. `events` may be null: then only the audit
    /// sees changes of interfaces.
    Daemon(boost::asio::io_context& io, Cluster& cluster, Kernel& kernel, AddressEvents* events,
           Pace pace, Observer& observer);

    Cluster& cluster() noexcept { return cluster_; }
    /// The store has changed: a round is due.
    void ring();
    /// Services and EndpointSlices have both been listed. Until then nothing is changed or taken
    /// away, for a wish that is half filled would empty the node; one that has no device yet is
    /// given default/kubernetes, and nothing else.
    void inputs_complete();
    /// Ends run() after the round, and the look, that are under way. The kernel's state stays as it
    /// is.
    void stop();
    boost::asio::awaitable<void> run();

private:
    boost::asio::awaitable<void> head_start();
    boost::asio::awaitable<bool> has_no_device();
    boost::asio::awaitable<void> adopt();
    boost::asio::awaitable<bool> read_everything();
    boost::asio::awaitable<bool> read_tables();
    boost::asio::awaitable<void> read_what_is_in_doubt();
    boost::asio::awaitable<void> audit();
    boost::asio::awaitable<void> take_up(Lookout::Seen seen);
    bool read_portion(bool believed, std::chrono::nanoseconds took, plan::Moment now);
    boost::asio::awaitable<bool> look_at(Portion portion);
    boost::asio::awaitable<std::optional<std::size_t>> read(Portion portion);
    std::size_t believe(const Sight& sight);
    void tell_drift(Part part, std::size_t drift);
    void unreadable(Part part, const std::string& problem);
    boost::asio::awaitable<void> write(Round& work);
    boost::asio::awaitable<void> follow_addresses();
    bool gather_address_news();
    void take_address_news();
    void take_event(const AddressEvent& event);
    void tell_what_is_reached();
    void doubt(const std::set<Part>& parts);
    void plan_next_audit(plan::Moment now);
    plan::Moment next_wake(plan::Moment now) const;

    boost::asio::io_context& io_;
    boost::asio::thread_pool kernel_lane_{1}, reading_lane_{1};
    Cluster& cluster_;
    Kernel& kernel_;
    Kernel& readers_; ///< used on the reading lane alone, unless they are the kernel's only doors
    AddressEvents* events_;
    Pace pace_;
    Observer& observer_;
    Bell bell_;
    Lookout lookout_;
    std::uint32_t crossings_{}; ///< of looks at one portion, in a row
    bool complete_{}, stopping_{};
    bool had_head_start_{}; ///< or was tried
    bool was_large_{};      ///< the last round had many changes
    bool following_{};      ///< the interfaces' events
    boost::asio::cancellation_signal end_of_following_;
    std::vector<AddressEvent> news_;
    bool interfaces_unknown_{};
    std::set<InterfaceAddress> elsewhere_;
    std::deque<Portion> urgent_audit_; ///< of what is in doubt: at once
    std::deque<Portion> audit_;        ///< of all, a portion at a time
    std::size_t audit_size_{1};
    plan::Moment next_audit_{plan::Moment::max()}, not_before_{};
    std::chrono::nanoseconds audit_work_{};
    std::uint32_t failures_{};
};

} // namespace ipvsproxy::sync
