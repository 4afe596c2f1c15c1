// IPVS in a map: the kernel's twin for tests, dry runs and property tests.
#pragma once

#include <limits>
#include <set>
#include <string>

#include "ipvs/operations.h"
#include "ipvs/table.h"

namespace ipvsproxy::ipvs {

/// Keeps the kernel's rules (EEXIST, ESRCH, ENOENT, EINVAL, ERANGE) and can be told to break.
/// What others do to the kernel's table is `put`, `drop` and `connect`: not counted as writes.
class MemoryTable final : public Table {
public:
    static constexpr unsigned always = std::numeric_limits<unsigned>::max();

    Services services() override;
    ObservedDestinations destinations(std::span<const ServiceKey> services) override;
    Outcome apply(const TableChanges& changes) override;
    Timeouts timeouts() override;
    void set_timeouts(const Timeouts& timeouts) override;

    // What it holds, without counting as a read.
    const Services& held_services() const noexcept { return services_; }
    const Destinations& held_destinations() const noexcept { return destinations_; }

    // What somebody else does.
    void put(const ServiceKey& key, const ServiceSpec& spec);
    /// Makes the virtual server too if there is none.
    void put(const DestinationKey& key, const DestinationSpec& spec = {});
    void drop(const ServiceKey& key); ///< with its real servers
    void drop(const DestinationKey& key);
    void clear();
    /// Traffic: a real server has these connections until told otherwise.
    void connect(const DestinationKey& key, const DestinationStatus& status);

    // Trouble.
    /// The next `times` writes that name `key` are refused with `error`.
    void refuse(const ServiceKey& key, std::errc error, unsigned times = always);
    void refuse(const DestinationKey& key, std::errc error, unsigned times = always);
    /// No write is refused any more but by the kernel's own rules.
    void relent();
    /// Of the next apply that has something to do, only the first half of the writes happens,
    /// and nobody learns which: the outcome is `unknown`, without refusals.
    void lose_next_outcome() noexcept { lose_next_ = true; }
    /// The next `times` calls of any kind throw `error`: the kernel could not be asked.
    void fail(std::errc error, unsigned times = always);
    /// The kernel cannot load this scheduler: ENOENT.
    void forget_scheduler(const std::string& name) { schedulers_.erase(name); }

    // What was asked of it.
    std::uint64_t writes() const noexcept { return writes_; } ///< messages, refused ones included
    std::uint64_t reads() const noexcept { return reads_; }   ///< virtual servers and dumps read

private:
    struct Trouble {
        std::errc error{};
        unsigned times{};
    };
    template <class Key> std::errc trouble(std::map<Key, Trouble>& troubles, const Key& key);
    void throw_if_failing();
    Execution execute(const Operations& operations);
    std::errc write(const ServiceOperation& operation);
    std::errc write(const DestinationOperation& operation);
    std::errc check(const ServiceKey& key, const ServiceSpec& spec,
                    std::string_view scheduler) const;

    Services services_;
    Destinations destinations_;
    std::map<DestinationKey, DestinationStatus> connections_;
    Timeouts timeouts_{std::chrono::seconds{900}, std::chrono::seconds{120},
                       std::chrono::seconds{300}}; // the kernel's defaults
    std::set<std::string> schedulers_{"dh",  "fo", "lblc", "lblcr", "lc",  "mh",  "nq",
                                      "ovf", "rr", "sed",  "sh",    "wlc", "wrr", "twos"};
    std::map<ServiceKey, Trouble> service_troubles_;
    std::map<DestinationKey, Trouble> destination_troubles_;
    Trouble failing_;
    bool lose_next_{};
    std::size_t budget_{}; ///< writes that still happen in this apply
    std::uint64_t writes_{}, reads_{};
};

} // namespace ipvsproxy::ipvs
