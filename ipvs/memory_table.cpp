#include "ipvs/memory_table.h"

#include <algorithm>

#include "ipvs/codec.h"

namespace ipvsproxy::ipvs {

namespace {

constexpr std::errc done{};

Destinations::iterator first_of(Destinations& destinations, const ServiceKey& service) {
    return destinations.lower_bound({service, {}, {}});
}

/// The addresses that ip_vs_new_dest() takes: IPv4 ones that a route could lead to, IPv6 ones that
/// are unicast and not link-local.
bool is_reachable(const Address& address) {
    const auto bytes = address.bytes();
    if (address.family() == Family::v4) {
        const bool multicast = (bytes[0] & 0xf0U) == 0xe0;
        const bool broadcast =
            std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0xff; });
        return bytes[0] != 0 && !multicast && !broadcast;
    }
    return !address.is_unspecified() && bytes[0] != 0xff && !address.is_ipv6_link_local();
}

/// What ip_vs_add_dest() and its callers look at before they look for the real server.
std::errc check(const DestinationKey& key, const DestinationSpec& spec) {
    if (key.address.family() != key.service.address.family() && spec.forward != Forward::tunnel)
        return std::errc::invalid_argument;
    if (spec.weight < 0 || spec.lower_threshold > spec.upper_threshold)
        return std::errc::result_out_of_range;
    return done;
}

} // namespace

Services MemoryTable::services() {
    throw_if_failing();
    ++reads_;
    return services_;
}

ObservedDestinations MemoryTable::destinations(std::span<const ServiceKey> services) {
    throw_if_failing();
    ObservedDestinations observed;
    for (const ServiceKey& service : services) {
        ++reads_;
        auto each = first_of(destinations_, service);
        for (; each != destinations_.end() && each->first.service == service; ++each) {
            const auto status = connections_.find(each->first);
            add_destination(observed, each->first, each->second,
                            status == connections_.end() ? DestinationStatus{} : status->second);
        }
    }
    return observed;
}

Outcome MemoryTable::apply(const TableChanges& changes) {
    throw_if_failing();
    const bool lost = lose_next_ && !changes.empty();
    budget_ = std::numeric_limits<std::size_t>::max();
    if (lost) {
        lose_next_ = false;
        budget_ = (changes.services.size() + changes.destinations.size()) / 2;
    }
    Outcome outcome = apply_in_order(
        changes, 0, [this](const Operations& operations) { return execute(operations); });
    if (lost) return {.services = {}, .destinations = {}, .unknown = true};
    return outcome;
}

Timeouts MemoryTable::timeouts() {
    throw_if_failing();
    return timeouts_;
}

void MemoryTable::set_timeouts(const Timeouts& timeouts) {
    throw_if_failing();
    ++writes_;
    constexpr std::chrono::seconds most{std::numeric_limits<int>::max() / 1000}; // in jiffies
    for (const auto value : {timeouts.tcp, timeouts.tcp_fin, timeouts.udp})
        if (value < std::chrono::seconds{} || value > most)
            throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                                    "IPVS timeouts");
    const auto set = [](std::chrono::seconds& held, std::chrono::seconds value) {
        if (value != std::chrono::seconds{}) held = value;
    };
    set(timeouts_.tcp, timeouts.tcp);
    set(timeouts_.tcp_fin, timeouts.tcp_fin);
    set(timeouts_.udp, timeouts.udp);
}

void MemoryTable::put(const ServiceKey& key, const ServiceSpec& spec) {
    services_.insert_or_assign(key, spec);
}

void MemoryTable::put(const DestinationKey& key, const DestinationSpec& spec) {
    services_.try_emplace(key.service,
                          ServiceSpec{.persistence_prefix = key.service.address.bits()});
    destinations_.insert_or_assign(key, spec);
}

void MemoryTable::drop(const ServiceKey& key) {
    auto each = first_of(destinations_, key);
    while (each != destinations_.end() && each->first.service == key) {
        connections_.erase(each->first);
        each = destinations_.erase(each);
    }
    services_.erase(key); // last: `key` may be the held one
}

void MemoryTable::drop(const DestinationKey& key) {
    connections_.erase(key);
    destinations_.erase(key); // last: `key` may be the held one
}

void MemoryTable::clear() {
    services_.clear();
    destinations_.clear();
    connections_.clear();
}

void MemoryTable::connect(const DestinationKey& key, const DestinationStatus& status) {
    connections_.insert_or_assign(key, status);
}

void MemoryTable::refuse(const ServiceKey& key, std::errc error, unsigned times) {
    if (times == 0) service_troubles_.erase(key);
    else service_troubles_.insert_or_assign(key, Trouble{error, times});
}

void MemoryTable::refuse(const DestinationKey& key, std::errc error, unsigned times) {
    if (times == 0) destination_troubles_.erase(key);
    else destination_troubles_.insert_or_assign(key, Trouble{error, times});
}

void MemoryTable::relent() {
    service_troubles_.clear();
    destination_troubles_.clear();
}

void MemoryTable::fail(std::errc error, unsigned times) {
    failing_ = {error, times};
}

void MemoryTable::throw_if_failing() {
    if (failing_.times == 0) return;
    if (failing_.times != always) --failing_.times;
    throw std::system_error(std::make_error_code(failing_.error), "IPVS");
}

template <class Key>
std::errc MemoryTable::trouble(std::map<Key, Trouble>& troubles, const Key& key) {
    const auto found = troubles.find(key);
    if (found == troubles.end()) return done;
    const std::errc error = found->second.error;
    if (found->second.times != always && --found->second.times == 0) troubles.erase(found);
    return error;
}

Execution MemoryTable::execute(const Operations& operations) {
    Execution result;
    for (std::size_t i = 0; i < operations.size(); ++i) {
        ++writes_;
        if (budget_ == 0) continue;
        --budget_;
        const std::errc error =
            std::visit([this](const auto& operation) { return write(operation); }, operations[i]);
        if (error != done) result.errors.push_back({i, std::make_error_code(error)});
    }
    return result;
}

std::errc MemoryTable::check(const ServiceKey& key, const ServiceSpec& spec,
                             std::string_view scheduler) const {
    if (!schedulers_.contains(std::string{scheduler})) return std::errc::no_such_file_or_directory;
    if (!spec.persistence_engine.empty() && spec.persistence_engine != "sip")
        return std::errc::no_such_file_or_directory;
    if (key.address.family() == Family::v6 &&
        (spec.persistence_prefix < 1 || spec.persistence_prefix > 128))
        return std::errc::invalid_argument;
    return done;
}

std::errc MemoryTable::write(const ServiceOperation& operation) {
    const ServiceKey& key = *operation.key;
    if (const std::errc error = trouble(service_troubles_, key); error != done) return error;
    const bool held = services_.contains(key);
    const bool adds = operation.command == Command::new_service;
    if (adds && held) return std::errc::file_exists;
    if (!adds && !held) return std::errc::no_such_process;
    if (operation.spec == nullptr) {
        drop(key);
        return done;
    }
    if (const std::errc error = check(key, *operation.spec, operation.scheduler); error != done)
        return error;
    ServiceSpec spec = *operation.spec;
    spec.scheduler = operation.scheduler;
    services_.insert_or_assign(key, std::move(spec));
    return done;
}

std::errc MemoryTable::write(const DestinationOperation& operation) {
    const DestinationKey& key = *operation.key;
    if (const std::errc error = trouble(destination_troubles_, key); error != done) return error;
    if (!services_.contains(key.service)) return std::errc::no_such_process;
    if (operation.spec != nullptr)
        if (const std::errc error = ipvs::check(key, *operation.spec); error != done) return error;
    const bool held = destinations_.contains(key);
    const bool adds = operation.command == Command::new_destination;
    if (adds && held) return std::errc::file_exists;
    if (!adds && !held) return std::errc::no_such_file_or_directory;
    if (adds && !is_reachable(key.address)) return std::errc::invalid_argument;
    if (operation.spec == nullptr) drop(key);
    else destinations_.insert_or_assign(key, *operation.spec);
    return done;
}

} // namespace ipvsproxy::ipvs
