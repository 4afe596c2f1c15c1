// Which kernel switches must stand how before a proxy in ipvs mode can work.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "netlink/sysctl.h"
#include "proxy/config/configuration.h"

namespace ipvsproxy::config {

struct Sysctl {
    std::string name; ///< below /proc/sys, with slashes
    std::string value;
    /// Without it nothing is forwarded; the others are wishes (docs/differences.md, D-21).
    bool required{};
    friend bool operator==(const Sysctl&, const Sysctl&) = default;
};

struct KernelVersion {
    int major{}, minor{}, patch{};
    friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};
/// The numbers at the start of /proc/sys/kernel/osrelease: 5.15.0 of "5.15.0-84-generic".
std::optional<KernelVersion> parse_kernel_version(std::string_view release);

/// CPUs that are online.
unsigned online_cpus();

/// nf_conntrack_max; 0 leaves it as it is. maxPerCore for each CPU, but no more than 1048576; never
/// less than min.
std::uint32_t conntrack_max(const Conntrack& conntrack, unsigned cpus);

/// What nf_conntrack's hashsize (/sys/module/nf_conntrack/parameters/hashsize) should become for
/// this maximum: a quarter of it. Nothing where it is large enough.
std::optional<std::uint32_t> conntrack_buckets(std::uint32_t max, std::uint32_t observed);

/// In the order in which they are to be written (nf_conntrack_max first). Timeouts in whole
/// seconds, at least 1.
std::vector<Sysctl> conntrack_sysctls(const Conntrack& conntrack, unsigned cpus);

/// net.ipv4.vs.conn_reuse_mode is 0 only in kernels from 4.1 to before 5.9: there 1 costs a second
/// a connection under conntrack; earlier ones do not have it.
std::vector<Sysctl> ipvs_sysctls(bool strict_arp, const KernelVersion& kernel);

struct SysctlChange {
    Sysctl sysctl;
    std::optional<std::string> before{}; ///< nothing when it could not be read
    std::error_code error{};             ///< of the write
};
/// Writes those that differ. @return the ones it wrote, or tried to.
std::vector<SysctlChange> apply_sysctls(std::span<const Sysctl> wanted, Sysctls& kernel);

} // namespace ipvsproxy::config
