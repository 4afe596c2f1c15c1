#include "ipvs/operations.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <tuple>

namespace ipvsproxy::ipvs {

namespace {

constexpr std::string_view filling_scheduler = "rr";

/// mh computes its whole table anew at each change of its real servers.
bool rebuilds_at_each_change(const ServiceSpec& spec) noexcept {
    static constexpr Name maglev{"mh"};
    return spec.scheduler == maglev;
}

bool gets_destinations(const TableChanges& changes, const ServiceKey& service) {
    const auto first = changes.destinations.add.lower_bound({service, {}, {}});
    return first != changes.destinations.add.end() && first->first.service == service;
}

bool filled_under_another(const TableChanges& changes, const ServiceKey& key,
                          const ServiceSpec& spec) {
    return rebuilds_at_each_change(spec) && gets_destinations(changes, key);
}

/// SplitMix64's finalizer.
std::uint64_t mixed(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

std::uint64_t rank(const DestinationKey& key, std::uint64_t salt) noexcept {
    std::array<std::uint64_t, 2> words{};
    const auto bytes = key.address.bytes();
    if (key.address.family() == Family::v4) std::memcpy(words.data(), bytes.data(), 4);
    else std::memcpy(words.data(), bytes.data(), 16);
    return mixed(mixed(mixed(salt + key.port.value) + words[0]) + words[1]);
}

bool is_missing(const std::error_code& error) {
    return error == std::errc::no_such_process || error == std::errc::no_such_file_or_directory;
}

void record(Outcome& outcome, const ServiceOperation& operation, const std::error_code& error) {
    if (operation.command == Command::del_service && is_missing(error)) return;
    outcome.services.push_back({*operation.key, error});
}

void record(Outcome& outcome, const DestinationOperation& operation, const std::error_code& error) {
    if (operation.command == Command::del_destination && is_missing(error)) return;
    outcome.destinations.push_back({*operation.key, error});
}

/// Operations on their way, in portions: a cold start has 60,000, and needs the memory of a few.
/// All that are added run in their order.
class Portions {
public:
    Portions(const std::function<Execution(const Operations&)>& execute, Outcome& outcome)
        : execute_{execute}, outcome_{outcome} {}

    /// Before the first: how many there will be.
    void expect(std::size_t count) { operations_.reserve(std::min(count, portion)); }
    template <class One> void add(const One& operation) {
        operations_.emplace_back(operation);
        if (operations_.size() == portion) run();
    }
    void run() {
        if (operations_.empty()) return;
        const Execution done = execute_(operations_);
        outcome_.unknown = outcome_.unknown || done.unknown;
        for (const Execution::Error& error : done.errors)
            std::visit([&](const auto& operation) { record(outcome_, operation, error.code); },
                       operations_[error.index]);
        operations_.clear();
    }

private:
    static constexpr std::size_t portion = 8192; ///< some six full sends

    const std::function<Execution(const Operations&)>& execute_;
    Outcome& outcome_;
    Operations operations_;
};

void add_destinations(const DestinationChanges& changes, std::uint64_t salt, Portions& portions) {
    struct Ranked {
        std::uint64_t rank;
        const Destinations::value_type* addition;
    };
    std::vector<Ranked> of_service;
    const auto flush = [&] {
        std::ranges::sort(of_service, [](const Ranked& one, const Ranked& other) {
            return std::tie(one.rank, one.addition->first) <
                   std::tie(other.rank, other.addition->first);
        });
        for (const Ranked& each : of_service)
            portions.add(DestinationOperation{Command::new_destination, &each.addition->first,
                                              &each.addition->second});
        of_service.clear();
    };
    for (const auto& addition : changes.add) {
        if (!of_service.empty() &&
            of_service.front().addition->first.service != addition.first.service)
            flush();
        of_service.push_back({rank(addition.first, salt), &addition});
    }
    flush();
}

void fill(const TableChanges& changes, std::uint64_t salt, Portions& portions) {
    for (const auto& [key, spec] : changes.services.add) {
        const bool other = filled_under_another(changes, key, spec);
        portions.add(ServiceOperation{Command::new_service, &key, &spec,
                                      other ? filling_scheduler : spec.scheduler.view()});
    }
    for (const auto& [key, spec] : changes.services.update)
        portions.add(ServiceOperation{Command::set_service, &key, &spec, spec.scheduler.view()});
    add_destinations(changes.destinations, salt, portions);
    for (const auto& [key, spec] : changes.destinations.update)
        portions.add(DestinationOperation{Command::set_destination, &key, &spec});
    for (const auto& key : changes.destinations.remove)
        if (!changes.services.remove.contains(key.service)) // goes with its virtual server
            portions.add(DestinationOperation{Command::del_destination, &key, nullptr});
    portions.run();
}

/// Virtual servers that were refused are not switched: the one that stands there is another's.
void switch_over(const TableChanges& changes, const Outcome& filled, Portions& portions) {
    std::set<ServiceKey> refused;
    for (const auto& refusal : filled.services)
        refused.insert(refusal.key);
    for (const auto& [key, spec] : changes.services.add)
        if (filled_under_another(changes, key, spec) && !refused.contains(key))
            portions.add(
                ServiceOperation{Command::set_service, &key, &spec, spec.scheduler.view()});
    portions.run();
}

/// A virtual server whose switch was refused is refused as a whole: were it left as it was
/// filled, "refused" would not mean "not there".
void refuse_whole(const TableChanges& changes, std::span<const Refusal<ServiceKey>> unswitched,
                  Outcome& outcome) {
    std::set<DestinationKey> known;
    for (const auto& refusal : outcome.destinations)
        known.insert(refusal.key);
    for (const auto& [service, error] : unswitched) {
        auto each = changes.destinations.add.lower_bound({service, {}, {}});
        for (; each != changes.destinations.add.end() && each->first.service == service; ++each)
            if (!known.contains(each->first)) outcome.destinations.push_back({each->first, error});
    }
}

} // namespace

Outcome apply_in_order(const TableChanges& changes, std::uint64_t order_salt,
                       const std::function<Execution(const Operations&)>& execute) {
    Outcome outcome;
    Portions portions{execute, outcome};
    portions.expect(changes.services.size() + changes.destinations.size());
    fill(changes, order_salt, portions);
    const std::size_t refused_before = outcome.services.size();
    switch_over(changes, outcome, portions);
    const std::vector unswitched(outcome.services.begin() +
                                     static_cast<std::ptrdiff_t>(refused_before),
                                 outcome.services.end());
    refuse_whole(changes, unswitched, outcome);
    for (const auto& key : changes.services.remove)
        portions.add(ServiceOperation{Command::del_service, &key, nullptr, {}});
    for (const auto& refusal : unswitched)
        portions.add(ServiceOperation{Command::del_service, &refusal.key, nullptr, {}});
    portions.run();
    return outcome;
}

} // namespace ipvsproxy::ipvs
