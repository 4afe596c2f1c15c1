// IPVS's older interface: getsockopt(2) with IP_VS_SO_GET_* of linux/ip_vs.h. IPv4 only, but it
// reads real servers at a twelfth of the cost of netlink, which wants a dump for each service.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ipvs/types.h"
#include "netlink/bytes.h"
#include "netlink/handle.h"

namespace ipvsproxy::ipvs {

/// Which real servers are asked for, in rising order; nothing: all.
using Only = std::optional<std::span<const DestinationKey>>;

/// Adds the real servers of a table of struct ip_vs_dest_entry to `out`, which has none of that
/// virtual server, up to its first unused entry (all zero; the kernel sets IP_VS_CONN_F_INACTIVE in
/// each that it fills).
/// @return how many were there, of those that are not asked for too. Bytes that make no whole entry
/// are not looked at.
std::size_t decode_destination_entries(netlink::Bytes table, const ServiceKey& service,
                                       const Only& only, ObservedDestinations& out);

/// How many real servers an IPv4 virtual server has.
struct Count {
    std::uint64_t service{}; ///< its address, port and protocol as a number, in the order of keys
    std::uint32_t destinations{};
};

/// Of each virtual server of a table of struct ip_vs_service_entry, in their order; those known by
/// a firewall mark are left out.
std::vector<Count> decode_service_entries(netlink::Bytes table);

/// Reads the network namespace of the thread that makes it; used by one thread at a time.
class SocketOptionReader {
public:
    /// @throws std::system_error when there is no IPv4 socket to be had.
    SocketOptionReader();

    /// Counts the real servers of every virtual server, two system calls: until their number
    /// changes, reading those of one is one call instead of two.
    /// @throws std::system_error with the kernel's errno.
    void count_all();

    /// Adds the real servers of IPv4 virtual servers to `out`; those that are gone have none.
    /// @return the virtual servers of which this interface cannot tell all: they had real
    /// servers of the other family when they were last counted, or change just now. Nothing of
    /// them is in `out`.
    /// @throws std::system_error with the kernel's errno.
    std::vector<ServiceKey> read(std::span<const ServiceKey> services, const Only& only,
                                 ObservedDestinations& out);

    /// Whether one of the first 64 IPv4 virtual servers, in the kernel's order, uses the scheduler.
    /// False also where they cannot be read.
    bool first_schedule_by(std::string_view scheduler);

    /// System calls made so far.
    std::uint64_t calls() const noexcept { return calls_; }

private:
    int get(int option, std::span<std::uint8_t> value);
    int get_services(std::span<std::uint8_t> buffer, std::size_t offered);
    std::size_t count_services();
    void count_all(std::size_t services);
    Count* counted(const ServiceKey& service, std::size_t& at);
    std::uint32_t count(const ServiceKey& service);
    bool read_one(const ServiceKey& service, std::uint32_t count, const Only& only,
                  ObservedDestinations& out);

    FileDescriptor socket_;
    std::vector<std::uint8_t> buffer_;
    std::vector<Count> counts_; ///< as last seen, in the order of keys
    std::uint64_t calls_{};
};

} // namespace ipvsproxy::ipvs
