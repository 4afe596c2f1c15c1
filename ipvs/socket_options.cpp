#include "ipvs/socket_options.h"

#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>

#include "ipvs/codec.h"

namespace ipvsproxy::ipvs {

namespace {

/// Counting the real servers of one virtual server costs about this many times its share of
/// counting those of all: one system call against a copy.
constexpr std::size_t single_count_cost = 4;
/// So few are counted one by one, without asking how many there are.
constexpr std::size_t few = 16;

constexpr std::size_t first_services = 64;

[[noreturn]] void fail(int number, const char* what) {
    throw std::system_error(number, std::generic_category(), what);
}

std::size_t size_of_services(std::size_t count) {
    return sizeof(ip_vs_get_services) + count * sizeof(ip_vs_service_entry);
}

/// Memory from the system, all zero, that goes back to it: a megabyte that comes and goes would
/// make malloc keep as much for later (mallopt(3), M_MMAP_THRESHOLD).
class Pages {
public:
    explicit Pages(std::size_t size)
        : size_{size}, memory_{::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)} {
        if (memory_ == MAP_FAILED) fail(errno, "memory for the virtual servers");
    }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    ~Pages() { ::munmap(memory_, size_); }
    std::span<std::uint8_t> bytes() const noexcept {
        return {static_cast<std::uint8_t*>(memory_), size_};
    }

private:
    std::size_t size_;
    void* memory_;
};

Address ipv4_address(__be32 value) {
    return *Address::from_bytes(netlink::bytes_of(value));
}

/// The address, port and protocol that name a virtual server, in any of the structures.
template <class Structure> Structure naming(const ServiceKey& service) {
    Structure result; // not {}: the tables end in arrays of no size, which clang++ would not fill
    std::memset(&result, 0, sizeof result);
    result.protocol = static_cast<std::uint16_t>(service.protocol);
    std::memcpy(&result.addr, service.address.bytes().data(), sizeof result.addr);
    result.port = htons(service.port.value);
    return result;
}

/// In the order of their keys.
std::uint64_t number_of(std::uint32_t address, std::uint16_t port, std::uint16_t protocol) {
    return std::uint64_t{address} << 32 | std::uint64_t{port} << 16 | protocol;
}

std::uint64_t number_of(const ServiceKey& service) {
    std::uint32_t address = 0;
    std::memcpy(&address, service.address.bytes().data(), sizeof address);
    return number_of(ntohl(address), service.port.value,
                     static_cast<std::uint16_t>(service.protocol));
}

DestinationSpec specification(const ip_vs_dest_entry& entry) {
    return {.forward = static_cast<Forward>(entry.conn_flags & IP_VS_CONN_F_FWD_MASK),
            .weight = entry.weight,
            .upper_threshold = entry.u_threshold,
            .lower_threshold = entry.l_threshold};
}

DestinationStatus status(const ip_vs_dest_entry& entry) {
    return {.active_connections = entry.activeconns,
            .inactive_connections = entry.inactconns,
            .persistent_connections = entry.persistconns};
}

/// In the order of the keys of one virtual server's real servers.
std::uint64_t order_of(std::uint32_t address, std::uint16_t port) {
    return std::uint64_t{address} << 16 | port;
}

/// Those of this virtual server that have an IPv4 address; no other is read here.
std::vector<std::uint64_t> orders_of(std::span<const DestinationKey> keys,
                                     const ServiceKey& service) {
    std::vector<std::uint64_t> orders;
    auto key = std::ranges::lower_bound(keys, service, {}, &DestinationKey::service);
    for (; key != keys.end() && key->service == service; ++key) {
        if (key->address.family() != Family::v4) continue;
        std::uint32_t address = 0;
        std::memcpy(&address, key->address.bytes().data(), sizeof address);
        orders.push_back(order_of(ntohl(address), key->port.value));
    }
    return orders;
}

/// How many are used, from the first on.
std::size_t count_destination_entries(netlink::Bytes table) {
    std::size_t count = 0;
    for (; table.size() >= sizeof(ip_vs_dest_entry);
         table = table.subspan(sizeof(ip_vs_dest_entry)), ++count) {
        unsigned flags = 0; // the kernel sets IP_VS_CONN_F_INACTIVE in each entry that it fills
        std::memcpy(&flags, table.data() + offsetof(ip_vs_dest_entry, conn_flags), sizeof flags);
        if (flags == 0) break;
    }
    return count;
}

} // namespace

std::size_t decode_destination_entries(netlink::Bytes table, const ServiceKey& service,
                                       const Only& only, ObservedDestinations& out) {
    const auto count = count_destination_entries(table);
    const auto entry_at = [&](std::size_t at) {
        return *netlink::structure<ip_vs_dest_entry>(table.subspan(at * sizeof(ip_vs_dest_entry)));
    };
    struct Place {
        std::uint64_t order; // as the keys'
        std::size_t at;
    };
    const auto asked = only ? orders_of(*only, service) : std::vector<std::uint64_t>{};
    std::vector<Place> places; // the kernel has them the other way round than they were added
    places.reserve(only ? asked.size() : count);
    for (std::size_t at = 0; at < count; ++at) {
        const auto entry = entry_at(at);
        const auto order = order_of(ntohl(entry.addr), ntohs(entry.port));
        if (!only || std::ranges::binary_search(asked, order)) places.push_back({order, at});
    }
    std::ranges::sort(places, {}, &Place::order);
    for (const auto& place : places) {
        const auto entry = entry_at(place.at);
        add_destination(out, {service, ipv4_address(entry.addr), Port{ntohs(entry.port)}},
                        specification(entry), status(entry));
    }
    return count;
}

std::vector<Count> decode_service_entries(netlink::Bytes table) {
    std::vector<Count> counts;
    counts.reserve(table.size() / sizeof(ip_vs_service_entry));
    for (; const auto entry = netlink::structure<ip_vs_service_entry>(table);
         table = table.subspan(sizeof(ip_vs_service_entry))) {
        if (entry->fwmark != 0 || !known_protocol(entry->protocol)) continue;
        counts.push_back(
            {number_of(ntohl(entry->addr), ntohs(entry->port), entry->protocol), entry->num_dests});
    }
    std::ranges::sort(counts, {}, &Count::service);
    return counts;
}

SocketOptionReader::SocketOptionReader()
    : socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    if (!socket_) fail(errno, "socket for IPVS");
}

/// @return 0 or the errno.
int SocketOptionReader::get(int option, std::span<std::uint8_t> value) {
    ++calls_;
    auto length = static_cast<socklen_t>(value.size());
    return ::getsockopt(socket_.get(), IPPROTO_IP, option, value.data(), &length) == 0 ? 0 : errno;
}

/// Leaves in the buffer, which is all zero, what fits into the table of so many entries at its end.
/// @return 0 or the errno.
int SocketOptionReader::get_services(std::span<std::uint8_t> buffer, std::size_t offered) {
    ip_vs_get_services request;
    std::memset(&request, 0, sizeof request);
    request.num_services = static_cast<unsigned>(offered);
    std::memcpy(buffer.data(), &request, sizeof request);
    return get(IP_VS_SO_GET_SERVICES, buffer);
}

bool SocketOptionReader::first_schedule_by(std::string_view scheduler) {
    buffer_.assign(size_of_services(first_services), 0);
    if (get_services(buffer_, first_services) != 0) return false;
    auto table = netlink::Bytes{buffer_}.subspan(sizeof(ip_vs_get_services));
    for (; const auto entry = netlink::structure<ip_vs_service_entry>(table);
         table = table.subspan(sizeof(ip_vs_service_entry))) {
        const auto* const name = entry->sched_name;
        const bool is_named = entry->fwmark == 0 && entry->protocol != 0;
        if (is_named &&
            scheduler == std::string_view{name, strnlen(name, sizeof entry->sched_name)})
            return true;
    }
    return false;
}

std::size_t SocketOptionReader::count_services() {
    buffer_.assign(sizeof(ip_vs_getinfo), 0);
    if (const int error = get(IP_VS_SO_GET_INFO, buffer_)) fail(error, "IP_VS_SO_GET_INFO");
    return netlink::structure<ip_vs_getinfo>(buffer_)->num_services;
}

void SocketOptionReader::count_all() {
    count_all(count_services());
}

/// @param services how many virtual servers there are
void SocketOptionReader::count_all(std::size_t services) {
    counts_.clear();
    // One entry more than there should be: if it is used, somebody has added virtual servers since
    // they were counted, and the kernel has left out as many.
    const Pages buffer{size_of_services(services + 1)};
    if (const int error = get_services(buffer.bytes(), services + 1))
        fail(error, "IP_VS_SO_GET_SERVICES");
    const auto table = netlink::Bytes{buffer.bytes()}.subspan(sizeof(ip_vs_get_services));
    const auto last = netlink::structure<ip_vs_service_entry>(
        table.subspan(services * sizeof(ip_vs_service_entry)));
    if (last->protocol == 0 && last->fwmark == 0) counts_ = decode_service_entries(table);
}

/// @param at where it is looked for first; behind what was found afterwards
Count* SocketOptionReader::counted(const ServiceKey& service, std::size_t& at) {
    const auto number = number_of(service);
    if (at >= counts_.size() || counts_[at].service != number) {
        const auto found = std::ranges::lower_bound(counts_, number, {}, &Count::service);
        at = static_cast<std::size_t>(found - counts_.begin());
        if (found == counts_.end() || found->service != number) return nullptr;
    }
    return &counts_[at++];
}

/// The number of real servers, those of the other family included; 0 when there is no such service.
std::uint32_t SocketOptionReader::count(const ServiceKey& service) {
    const auto request = naming<ip_vs_service_entry>(service);
    const netlink::Bytes bytes = netlink::bytes_of(request);
    buffer_.assign(bytes.begin(), bytes.end());
    const int error = get(IP_VS_SO_GET_SERVICE, buffer_);
    if (error == ESRCH) return 0;
    if (error != 0) fail(error, "IP_VS_SO_GET_SERVICE");
    return netlink::structure<ip_vs_service_entry>(buffer_)->num_dests;
}

/// Offers one entry more than there should be, so that a real server too many shows.
/// @return false when not exactly `count` were there.
bool SocketOptionReader::read_one(const ServiceKey& service, std::uint32_t count, const Only& only,
                                  ObservedDestinations& out) {
    auto request = naming<ip_vs_get_dests>(service);
    request.num_dests = count + 1;
    buffer_.assign(sizeof request + request.num_dests * sizeof(ip_vs_dest_entry), 0);
    std::memcpy(buffer_.data(), &request, sizeof request);
    const int error = get(IP_VS_SO_GET_DESTS, buffer_);
    if (error == ESRCH) return true;
    if (error != 0) fail(error, "IP_VS_SO_GET_DESTS");
    const netlink::Bytes table = netlink::Bytes{buffer_}.subspan(sizeof request);
    if (count_destination_entries(table) != count) return false;
    decode_destination_entries(table, service, only, out);
    return true;
}

std::vector<ServiceKey> SocketOptionReader::read(std::span<const ServiceKey> services,
                                                 const Only& only, ObservedDestinations& out) {
    std::vector<ServiceKey> incomplete;
    if (services.empty()) return incomplete;
    if (counts_.empty() && services.size() > few)
        if (const auto all = count_services(); all <= services.size() * single_count_cost)
            count_all(all);
    std::size_t next = 0; // mostly they are asked for in their order
    for (const ServiceKey& service : services) {
        auto* const known = counted(service, next);
        if (known != nullptr && read_one(service, known->destinations, only, out)) continue;
        const auto now = count(service);
        if (known != nullptr) known->destinations = now;
        if (now != 0 && !read_one(service, now, only, out)) incomplete.push_back(service);
    }
    return incomplete;
}

} // namespace ipvsproxy::ipvs
