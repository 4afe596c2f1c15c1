// The kernel's own IPVS table, over generic netlink and, where that is cheaper, getsockopt(2).
#pragma once

#include <cstdint>

#include "ipvs/operations.h"
#include "ipvs/socket_options.h"
#include "ipvs/table.h"
#include "netlink/kernel_socket.h"

namespace ipvsproxy::ipvs {

/// IPVS of the network namespace of the thread that makes it. One thread at a time may use it;
/// it may be another thread, in another namespace.
class KernelTable final : public Table {
public:
    struct Options {
        netlink::SocketOptions socket{};
        /// New real servers of a virtual server are added in an order that depends on it; give
        /// each node its own, so that not all of them send their first connection to one pod.
        std::uint64_t order_salt{};
    };
    /// What it has asked of the kernel so far.
    struct Counters {
        std::uint64_t messages{};     ///< netlink requests
        std::uint64_t bytes{};        ///< of those
        std::uint64_t system_calls{}; ///< netlink's and getsockopt's
    };

    /// Has the kernel load module ip_vs if it is not there yet.
    /// @throws std::system_error: EPROTONOSUPPORT, with the remedy in its text, when the kernel
    /// has no IPVS and cannot load it.
    KernelTable() : KernelTable(Options{}) {}
    explicit KernelTable(const Options& options);

    /// One dump, and what makes reading their real servers cheaper: how many each has.
    /// @throws also EBADMSG when an answer cannot be read.
    Services services() override;
    /// One system call where the first IPv4 virtual servers tell; else a dump.
    bool schedules_by(std::string_view scheduler) override;
    /// About one system call for an IPv4 virtual server, two for an IPv6 one.
    ObservedDestinations destinations(std::span<const ServiceKey> services) override;
    /// As many system calls as for all real servers of the same virtual servers.
    ObservedDestinations look_up(std::span<const DestinationKey> keys) override;
    Outcome apply(const TableChanges& changes) override;
    Timeouts timeouts() override;
    void set_timeouts(const Timeouts& timeouts) override;

    Counters counters() const noexcept;

private:
    std::uint16_t resolve();
    ObservedDestinations read(std::span<const ServiceKey> services, const Only& only);
    void dump_destinations(const ServiceKey& service, const Only& only, ObservedDestinations& out);
    Execution execute(const Operations& operations, netlink::Messages& batch);
    void send(netlink::Messages& batch, std::size_t first, Execution& result);

    netlink::Socket socket_;
    SocketOptionReader options_;
    std::uint64_t order_salt_;
    std::size_t send_limit_bytes_;
    std::uint16_t family_;
};

} // namespace ipvsproxy::ipvs
