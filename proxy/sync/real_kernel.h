// The doors to the running kernel's tables, all of one network namespace.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ipset/kernel_table.h"
#include "ipvs/kernel_table.h"
#include "netlink/kernel_conntrack.h"
#include "netlink/kernel_device.h"
#include "netlink/kernel_sysctl.h"
#include "proxy/iptables/choose.h"
#include "proxy/sync/kernel.h"

namespace ipvsproxy::sync {

/// The name of the device that holds the VIPs; CNIs know it by that name.
inline constexpr std::string_view device_name = "kube-ipvs0";

/// Requests and system calls so far, over all tables that speak netlink.
struct KernelCost {
    std::uint64_t messages{}, bytes{}, system_calls{};
};

/// Opens every table in the network namespace of the calling thread.
class RealKernel {
public:
    /// @param enabled nothing: the families that the kernel has once IPVS is open, for ip_vs brings
    ///        the module ipv6 along
    /// @param backend nothing: as the host's other programs do
    /// @param order_salt differs from node to node, so that not every node's round robin begins
    ///        with the same pod
    /// @throws std::system_error when the kernel has no IPVS, or refuses to be asked.
    RealKernel(std::optional<PerFamily<bool>> enabled, std::optional<iptables::Backend> backend,
               std::uint64_t order_salt);

    /// For one thread.
    Kernel& tables() noexcept { return tables_; }
    /// The same with readers for a second thread, opened at the first call in the network namespace
    /// of the calling thread. @throws std::system_error when the kernel refuses to be asked.
    Kernel& tables_with_readers();
    Sysctls& sysctls() noexcept { return sysctls_; }
    const iptables::Choice& backend() const noexcept { return choice_; }
    KernelCost cost() const noexcept;

private:
    /// What is asked through sockets of its own.
    struct Sockets {
        explicit Sockets(std::uint64_t order_salt) : ipvs{{.order_salt = order_salt}} {}
        KernelDevice device{std::string{device_name}};
        ipvs::KernelTable ipvs;
        ipset::KernelTable ipset;
    };
    Kernel doors(Sockets& sockets) noexcept;

    Sockets sockets_;
    KernelFlows flows_;
    KernelSysctls sysctls_;
    iptables::Choice choice_;
    PerFamily<std::unique_ptr<iptables::Tables>> rules_; ///< keep nothing between two calls
    Kernel tables_;
    std::optional<Sockets> reading_sockets_;
    std::optional<Kernel> readers_;
};

/// The tables of one family in this namespace.
std::unique_ptr<iptables::Tables> open_tables(iptables::Backend backend, Family family);

/// Which families the kernel of this namespace has: IPv4 always; IPv6 where /proc/net/if_inet6
/// exists and net.ipv6.conf.all.disable_ipv6 is not 1.
PerFamily<bool> supported_families(Sysctls& sysctls);

} // namespace ipvsproxy::sync
