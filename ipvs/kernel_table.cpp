#include "ipvs/kernel_table.h"

#include <linux/ip_vs.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "ipvs/codec.h"

namespace ipvsproxy::ipvs {

namespace {

[[noreturn]] void fail(std::error_code error, const std::string& what) {
    throw std::system_error(error, what);
}

/// A virtual server with the longest names (IP_VS_SCHEDNAME_MAXLEN, IP_VS_PENAME_MAXLEN) takes 152.
constexpr std::size_t longest_message_bytes = 192;

std::error_code unreadable() {
    return std::make_error_code(std::errc::bad_message);
}

} // namespace

KernelTable::KernelTable(const Options& options)
    : socket_{NETLINK_GENERIC, options.socket}, order_salt_{options.order_salt},
      send_limit_bytes_{options.socket.send_limit_bytes}, family_{resolve()} {}

/// Asking for a family by its name makes the kernel load the module that has it.
std::uint16_t KernelTable::resolve() {
    const auto family = socket_.resolve_family(IPVS_GENL_NAME);
    if (!family)
        fail(std::make_error_code(std::errc::protocol_not_supported),
             "the kernel has no IPVS: module ip_vs is not loaded and the kernel could not load it "
             "by itself; run `modprobe ip_vs` on the node");
    return *family;
}

Services KernelTable::services() {
    family_ = resolve();  // another number after a reload of the module
    options_.count_all(); // mostly their real servers are read next
    netlink::Messages request;
    put_services_query(request, family_);
    GatheredServices found;
    bool readable = true;
    socket_.steady_dump(
        request, [&] { found.clear(); },
        [&](const netlink::Message& message) {
            readable = decode_service(message.payload, found) && readable;
        });
    if (!readable) fail(unreadable(), "IPVS_CMD_GET_SERVICE");
    return in_order(std::move(found));
}

bool KernelTable::schedules_by(std::string_view scheduler) {
    return options_.first_schedule_by(scheduler) || Table::schedules_by(scheduler);
}

ObservedDestinations KernelTable::destinations(std::span<const ServiceKey> services) {
    return read(services, {});
}

ObservedDestinations KernelTable::look_up(std::span<const DestinationKey> keys) {
    return read(services_of(keys), keys);
}

ObservedDestinations KernelTable::read(std::span<const ServiceKey> services, const Only& only) {
    ObservedDestinations found;
    std::vector<ServiceKey> ipv4;
    for (const ServiceKey& service : services)
        if (service.address.family() == Family::v4) ipv4.push_back(service);
        else dump_destinations(service, only, found);
    for (const ServiceKey& service : options_.read(ipv4, only, found))
        dump_destinations(service, only, found);
    return found;
}

void KernelTable::dump_destinations(const ServiceKey& service, const Only& only,
                                    ObservedDestinations& out) {
    netlink::Messages request;
    put_destinations_query(request, family_, service);
    ObservedDestinations found;
    bool readable = true;
    socket_.steady_dump(
        request, [&] { found = {}; },
        [&](const netlink::Message& message) {
            readable = decode_destination(message.payload, service, found) && readable;
        });
    if (!readable) fail(unreadable(), "IPVS_CMD_GET_DEST");
    if (only) {
        const auto asked_for = [&](const auto& each) {
            return std::ranges::binary_search(*only, each.first);
        };
        erase_if(found.specs, std::not_fn(asked_for));
        std::erase_if(found.busy, std::not_fn(asked_for));
    }
    out.specs.merge(found.specs);
    out.busy.merge(found.busy);
}

Outcome KernelTable::apply(const TableChanges& changes) {
    netlink::Messages batch; // its memory serves all portions
    auto outcome = apply_in_order(changes, order_salt_, [&](const Operations& operations) {
        return execute(operations, batch);
    });
    // So is answered, too, a family that has another number since its module was loaded anew.
    const auto unknown = [](const auto& refusal) {
        return refusal.error == std::errc::no_such_file_or_directory;
    };
    if (std::ranges::any_of(outcome.services, unknown) ||
        std::ranges::any_of(outcome.destinations, unknown))
        family_ = resolve();
    return outcome;
}

/// Encodes as much as goes into one send, sends it, and goes on: a cold start of 60,000
/// operations needs no more memory than a small change. A batch that grew past the limit would go
/// as a full send and a small one.
/// @param batch is empty, before and after.
Execution KernelTable::execute(const Operations& operations, netlink::Messages& batch) {
    Execution result;
    OperationEncoder encoder{batch, family_};
    for (std::size_t i = 0; i < operations.size(); ++i) {
        encoder.put(operations[i]);
        const bool has_room = batch.bytes().size() + longest_message_bytes <= send_limit_bytes_;
        if (has_room && i + 1 < operations.size()) continue;
        send(batch, i + 1 - batch.count(), result);
        batch.clear();
    }
    return result;
}

/// @param first the index of the batch's first message among all operations.
void KernelTable::send(netlink::Messages& batch, std::size_t first, Execution& result) {
    const netlink::BatchOutcome outcome = socket_.batch(batch);
    for (const netlink::Failure& failure : outcome.failures)
        result.errors.push_back({first + failure.index, failure.error});
    result.unknown = result.unknown || outcome.unknown;
}

Timeouts KernelTable::timeouts() {
    netlink::Messages request;
    put_timeouts_query(request, family_);
    std::optional<Timeouts> found;
    const auto error = socket_.request(request, [&found](const netlink::Message& message) {
        found = decode_timeouts(message.payload);
    });
    if (error) fail(error, "IPVS_CMD_GET_CONFIG");
    if (!found) fail(unreadable(), "IPVS_CMD_GET_CONFIG");
    return *found;
}

void KernelTable::set_timeouts(const Timeouts& timeouts) {
    for (const auto value : {timeouts.tcp, timeouts.tcp_fin, timeouts.udp})
        if (value < std::chrono::seconds{})
            fail(std::make_error_code(std::errc::invalid_argument), "IPVS timeouts");
    netlink::Messages request;
    put_timeouts(request, family_, timeouts);
    if (const auto error = socket_.request(request)) fail(error, "IPVS_CMD_SET_CONFIG");
}

KernelTable::Counters KernelTable::counters() const noexcept {
    const netlink::Counters& netlink = socket_.counters();
    return {.messages = netlink.messages,
            .bytes = netlink.bytes,
            .system_calls = netlink.sends + netlink.receives + options_.calls()};
}

} // namespace ipvsproxy::ipvs
