#include "proxy/sync/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <malloc.h>
#include <utility>

#include "proxy/sync/lane.h"

namespace ipvsproxy::sync {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

/// Whether a change was found by reading that part.
bool is_about(const plan::Line& line, Part part) {
    switch (part) {
    case Part::device:
        return line.table == "address" || line.table == "link";
    case Part::services:
    case Part::destinations:
        return line.table == "ipvs";
    case Part::sets:
        return line.table == "ipset";
    case Part::rules:
        return line.table == "iptables";
    case Part::flows:
        break;
    }
    return false;
}

constexpr std::chrono::seconds longest_pause{30};
constexpr std::size_t many_changes = 10000;
/// Looks at a portion that may be crossed; then it is read while nothing is written.
constexpr std::uint32_t most_crossings = 2;

std::chrono::seconds pause_after(std::uint32_t failures) {
    return std::min(longest_pause,
                    std::chrono::seconds{1U << std::min<std::uint32_t>(failures, 5)});
}

} // namespace

Daemon::Daemon(asio::io_context& io, Cluster& cluster, Kernel& kernel, AddressEvents* events,
               Pace pace, Observer& observer)
    : io_{io}, cluster_{cluster}, kernel_{kernel},
      readers_{kernel.readers != nullptr ? *kernel.readers : kernel}, events_{events}, pace_{pace},
      observer_{observer}, bell_{io.get_executor()}, lookout_{io, reading_lane_, bell_} {}

void Daemon::ring() {
    observer_.queued();
    bell_.ring();
}

void Daemon::inputs_complete() {
    if (std::exchange(complete_, true)) return;
    bell_.ring();
}

void Daemon::stop() {
    stopping_ = true;
    bell_.ring();
}

asio::awaitable<void> Daemon::run() {
    if (events_ != nullptr) {
        following_ = true;
        asio::co_spawn(io_, follow_addresses(),
                       asio::bind_cancellation_slot(end_of_following_.slot(),
                                                    [this](const std::exception_ptr&) {
                                                        following_ = false;
                                                        bell_.ring();
                                                    }));
    }
    while (!complete_ && !stopping_)
        co_await head_start();
    co_await adopt();
    while (!stopping_) {
        take_address_news();
        co_await read_what_is_in_doubt();
        co_await audit();
        cluster_.derive();
        for (const auto& contest : cluster_.take_contests())
            observer_.contested(contest);
        auto work = cluster_.take_round(Clock::now());
        co_await write(work);
        tell_what_is_reached();
        // A cold start holds every change once more; what comes later does not need that much.
        if (std::exchange(was_large_, false)) malloc_trim(0);
        if (stopping_) break;
        co_await bell_.wait(next_wake(Clock::now()));
        // What follows a round waits for its minimum distance; the first change after a quiet time
        // finds that it has passed.
        while (!stopping_ && Clock::now() < not_before_)
            co_await bell_.wait(not_before_);
    }
    end_of_following_.emit(asio::cancellation_type::terminal);
    while (following_ || lookout_.reading())
        co_await bell_.wait(plan::Moment::max());
    bell_.rest();
}

/// Lists may take long where an API server has many nodes to answer, and what brings the network
/// to the pods reaches it through default/kubernetes. So a node without a device, on which nothing
/// of ours can be, has that one as soon as it is known. What fails here is read again, told and
/// tried again when all is there.
asio::awaitable<void> Daemon::head_start() {
    co_await bell_.wait(plan::Moment::max());
    if (complete_ || stopping_ || had_head_start_ || !cluster_.derive_first()) co_return;
    had_head_start_ = true;
    const bool is_bare = co_await has_no_device();
    if (!is_bare) co_return;
    if (!co_await read({.part = Part::device})) co_return;
    if (!co_await read_tables()) co_return;
    auto work = cluster_.take_first_round(Clock::now());
    co_await write(work);
    cluster_.begin_anew();
}

/// False also where nobody can tell.
asio::awaitable<bool> Daemon::has_no_device() {
    auto& lane = kernel_.readers != nullptr ? reading_lane_ : kernel_lane_;
    std::string problem;
    try {
        const bool present = co_await in_lane(lane, [this] { return readers_.device.present(); });
        co_return !present;
    } catch (const std::exception& error) {
        problem = error.what();
    }
    unreadable(Part::device, problem);
    co_return false;
}

/// Reads everything once, so that a node that is as it should be gets no write at all.
asio::awaitable<void> Daemon::adopt() {
    while (!stopping_) {
        if (co_await read_everything()) {
            observer_.adopted(cluster_.state().changes().size());
            plan_next_audit(Clock::now());
            co_return;
        }
        const auto again = Clock::now() + pause_after(failures_);
        while (!stopping_ && Clock::now() < again)
            co_await bell_.wait(again);
    }
}

asio::awaitable<bool> Daemon::read_everything() {
    // First the device: what is wanted depends on the interfaces.
    if (!co_await read({.part = Part::device})) co_return false;
    cluster_.derive();
    const bool all_read = co_await read_tables(); // g++ 12 loses what is returned without a name
    co_return all_read;
}

asio::awaitable<bool> Daemon::read_tables() {
    for (auto& portion :
         cluster_.portions({Part::sets, Part::rules, Part::services, Part::destinations}))
        if (!co_await read(std::move(portion))) co_return false;
    co_return true;
}

/// Nothing is written meanwhile. @return at how many objects the kernel is otherwise than was
/// believed; nothing when it could not be asked.
asio::awaitable<std::optional<std::size_t>> Daemon::read(Portion portion) {
    cluster_.fill(portion);
    const auto part = portion.part;
    auto& lane = kernel_.readers != nullptr ? reading_lane_ : kernel_lane_;
    std::string problem;
    try {
        const auto sight =
            co_await in_lane(lane, [this, &portion] { return look(readers_, portion); });
        lookout_.cross(part); // what it sees may be older
        co_return believe(sight);
    } catch (const std::exception& error) {
        problem = error.what();
    }
    unreadable(part, problem);
    co_return std::nullopt;
}

std::size_t Daemon::believe(const Sight& sight) {
    if (const auto* device = std::get_if<DeviceState>(&sight.seen)) {
        elsewhere_ = {device->elsewhere.begin(), device->elsewhere.end()};
        cluster_.set_interfaces(device->elsewhere);
    }
    failures_ = 0;
    return observe(cluster_.state(), sight);
}

void Daemon::unreadable(Part part, const std::string& problem) {
    ++failures_;
    observer_.unreadable(part, problem);
}

/// At once, before a round is decided from it. What cannot be read stays in doubt.
asio::awaitable<void> Daemon::read_what_is_in_doubt() {
    while (!urgent_audit_.empty() && !stopping_) {
        auto portion = urgent_audit_.front();
        urgent_audit_.pop_front();
        if (!co_await look_at(std::move(portion))) break;
    }
}

/// Reads the portions of the whole whose time has come. One that is late does not put off the
/// others: the whole is read within the period even where rounds are many. At most all of them at
/// once; with readers one at a time, and rounds go on beside it.
asio::awaitable<void> Daemon::audit() {
    if (auto seen = lookout_.take()) co_await take_up(std::move(*seen));
    const auto now = Clock::now();
    while (now >= next_audit_ && !lookout_.busy() && !stopping_) {
        auto portion = std::move(audit_.front());
        audit_.pop_front();
        if (kernel_.readers != nullptr) {
            cluster_.fill(portion);
            lookout_.begin(readers_, std::move(portion));
            co_return;
        }
        const auto begin = Clock::now();
        const bool read = co_await look_at(std::move(portion));
        if (read_portion(read, Clock::now() - begin, now)) co_return;
    }
}

/// What was seen beside the writes counts when none of them crossed it. Else it is looked at again,
/// and at last while nothing is written, so that no portion goes unread however much changes.
asio::awaitable<void> Daemon::take_up(Lookout::Seen seen) {
    const auto begin = Clock::now();
    bool read = false;
    if (!seen.sight) {
        unreadable(seen.portion.part, seen.problem);
        doubt({seen.portion.part});
    } else if (!seen.crossed) {
        tell_drift(seen.portion.part, believe(*seen.sight));
        read = true;
    } else if (++crossings_ < most_crossings) {
        cluster_.fill(seen.portion);
        lookout_.begin(readers_, std::move(seen.portion));
        co_return;
    } else {
        read = co_await look_at(std::move(seen.portion));
    }
    crossings_ = 0;
    const auto now = Clock::now();
    read_portion(read, seen.took + (now - begin), now);
}

/// The front portion of the audit is done with. @return whether it was the last of the whole.
bool Daemon::read_portion(bool believed, std::chrono::nanoseconds took, plan::Moment now) {
    audit_work_ += took;
    next_audit_ += pace_.period / static_cast<std::int64_t>(audit_size_);
    const bool whole = audit_.empty();
    if (whole) {
        observer_.audited(std::exchange(audit_work_, {}));
        plan_next_audit(now);
    }
    if (!believed) next_audit_ = std::max(next_audit_, now + pause_after(failures_));
    return whole;
}

asio::awaitable<bool> Daemon::look_at(Portion portion) {
    const auto part = portion.part;
    const auto drift = co_await read(std::move(portion));
    if (!drift) {
        doubt({part}); // still unread: it stays in doubt
        co_return false;
    }
    tell_drift(part, *drift);
    co_return true;
}

void Daemon::tell_drift(Part part, std::size_t drift) {
    if (drift == 0) return;
    auto lines = plan::describe(cluster_.state().changes(Clock::now()), cluster_.state());
    std::erase_if(lines, [=](const plan::Line& line) { return !is_about(line, part); });
    observer_.drifted(part, lines);
}

asio::awaitable<void> Daemon::write(Round& work) {
    if (work.empty()) co_return;
    lookout_.cross(work.changes);
    const auto outcome =
        co_await in_lane(kernel_lane_, [this, &work] { return apply(kernel_, work); });
    observer_.written(outcome.written);
    const auto report = cluster_.settle(work, outcome);
    doubt(report.doubtful);
    const auto end = Clock::now();
    not_before_ = end + pace_.minimum;
    observer_.settled(work, report, end - work.now);
    was_large_ = report.changes >= many_changes;
}

void Daemon::tell_what_is_reached() {
    const auto now = Clock::now();
    const bool readable = failures_ == 0 && urgent_audit_.empty();
    PerFamily<bool> in_order;
    for (const auto family : families)
        in_order[family] = readable && cluster_.state().settings().enabled[family] &&
                           cluster_.in_order(family, now);
    for (const auto& trigger : cluster_.take_triggers(in_order))
        observer_.programmed(trigger.family, trigger.at);
    observer_.reached(in_order);
}

void Daemon::doubt(const std::set<Part>& parts) {
    std::erase_if(urgent_audit_,
                  [&](const Portion& portion) { return parts.contains(portion.part); });
    for (auto& portion : cluster_.portions(parts))
        urgent_audit_.push_back(std::move(portion));
}

void Daemon::plan_next_audit(plan::Moment now) {
    auto portions = cluster_.portions();
    audit_.assign(std::make_move_iterator(portions.begin()),
                  std::make_move_iterator(portions.end()));
    audit_size_ = audit_.size();
    next_audit_ = now + pace_.period / static_cast<std::int64_t>(audit_size_);
}

plan::Moment Daemon::next_wake(plan::Moment now) const {
    auto wake = lookout_.busy() ? plan::Moment::max() : next_audit_;
    if (const auto due = cluster_.next_due(now)) wake = std::min(wake, *due);
    if (!urgent_audit_.empty()) wake = std::min(wake, now + pause_after(failures_));
    return wake;
}

/// Only gathers: what the news means is decided between two rounds, when nothing of ours is
/// under way.
asio::awaitable<void> Daemon::follow_addresses() {
    // A descriptor of its own: the socket stays its owner's, however this coroutine ends.
    asio::posix::stream_descriptor descriptor{io_, ::dup(events_->fd())};
    while (!stopping_) {
        boost::system::error_code error;
        co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::redirect_error(asio::use_awaitable, error));
        if (error || stopping_) break;
        if (!gather_address_news()) break;
        if (interfaces_unknown_ || !news_.empty()) bell_.ring();
    }
}

bool Daemon::gather_address_news() {
    try {
        auto news = events_->read();
        const bool nameless = std::ranges::any_of(
            news.addresses, [](const AddressEvent& event) { return event.interface.empty(); });
        if (news.overrun || nameless || news.links.contains(kernel_.device.name()))
            interfaces_unknown_ = true;
        news_.insert(news_.end(), std::make_move_iterator(news.addresses.begin()),
                     std::make_move_iterator(news.addresses.end()));
        return true;
    } catch (const std::exception& error) { // from now on the audit alone sees the interfaces
        observer_.unreadable(Part::device, error.what());
        interfaces_unknown_ = true;
        bell_.ring();
        return false;
    }
}

void Daemon::take_address_news() {
    if (std::exchange(interfaces_unknown_, false)) {
        news_.clear();
        doubt({Part::device});
        return;
    }
    if (news_.empty()) return;
    lookout_.cross(Part::device);
    for (const auto& event : std::exchange(news_, {}))
        take_event(event);
    const std::vector<InterfaceAddress> all{elsewhere_.begin(), elsewhere_.end()};
    cluster_.set_interfaces(all);
}

void Daemon::take_event(const AddressEvent& event) {
    if (event.interface != kernel_.device.name()) {
        const InterfaceAddress address{event.interface, event.address};
        if (event.added) elsewhere_.insert(address);
        // The interface may hold the same address with another prefix length too.
        else if (!event.address.is_ipv6_link_local()) doubt({Part::device});
        else elsewhere_.erase(address);
        return;
    }
    // Our own changes come back as events too; one that says what is believed says nothing new.
    const DeviceAddress key{event.address, event.prefix_length};
    if (cluster_.state().addresses().believed_present(key) != event.added) doubt({Part::device});
}

} // namespace ipvsproxy::sync
