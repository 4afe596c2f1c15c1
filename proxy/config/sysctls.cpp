#include "proxy/config/sysctls.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <unistd.h>

namespace ipvsproxy::config {

std::optional<KernelVersion> parse_kernel_version(std::string_view release) {
    std::array<int, 3> numbers{};
    std::size_t count = 0;
    for (; count < numbers.size(); ++count) {
        const auto* const last = release.data() + release.size();
        const auto [end, error] = std::from_chars(release.data(), last, numbers.at(count));
        if (error != std::errc{} || numbers.at(count) < 0) break;
        release.remove_prefix(static_cast<std::size_t>(end - release.data()));
        if (!release.starts_with('.')) {
            ++count;
            break;
        }
        release.remove_prefix(1);
    }
    if (count < 2) return std::nullopt;
    return KernelVersion{numbers[0], numbers[1], numbers[2]};
}

unsigned online_cpus() {
    return static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

std::uint32_t conntrack_max(const Conntrack& conntrack, unsigned cpus) {
    if (conntrack.max_per_core <= 0) return 0;
    constexpr std::int64_t most = 1 << 20; // some 300 MB of entries
    const auto scaled = std::min(std::int64_t{conntrack.max_per_core} * cpus, most);
    return static_cast<std::uint32_t>(std::max(scaled, std::int64_t{conntrack.min}));
}

std::optional<std::uint32_t> conntrack_buckets(std::uint32_t max, std::uint32_t observed) {
    const auto wanted = max / 4;
    return observed < wanted ? std::optional{wanted} : std::nullopt;
}

std::vector<Sysctl> conntrack_sysctls(const Conntrack& conntrack, unsigned cpus) {
    const std::string folder{"net/netfilter/"};
    std::vector<Sysctl> sysctls;
    const auto seconds = [&](const char* name, Duration timeout) {
        if (timeout <= Duration{}) return;
        const auto whole = std::chrono::floor<std::chrono::seconds>(timeout).count();
        sysctls.push_back({folder + name, std::to_string(std::max(whole, decltype(whole){1}))});
    };
    if (const auto max = conntrack_max(conntrack, cpus); max > 0)
        sysctls.push_back({folder + "nf_conntrack_max", std::to_string(max)});
    seconds("nf_conntrack_tcp_timeout_established", conntrack.tcp_established_timeout);
    seconds("nf_conntrack_tcp_timeout_close_wait", conntrack.tcp_close_wait_timeout);
    if (conntrack.tcp_be_liberal) sysctls.push_back({folder + "nf_conntrack_tcp_be_liberal", "1"});
    seconds("nf_conntrack_udp_timeout", conntrack.udp_timeout);
    seconds("nf_conntrack_udp_timeout_stream", conntrack.udp_stream_timeout);
    return sysctls;
}

std::vector<Sysctl> ipvs_sysctls(bool strict_arp, const KernelVersion& kernel) {
    std::vector<Sysctl> sysctls{{"net/ipv4/vs/conntrack", "1", true}};
    if (kernel >= KernelVersion{4, 1, 0} && kernel < KernelVersion{5, 9, 0})
        sysctls.push_back({"net/ipv4/vs/conn_reuse_mode", "0"});
    sysctls.push_back({"net/ipv4/vs/expire_nodest_conn", "1"});
    sysctls.push_back({"net/ipv4/vs/expire_quiescent_template", "1"});
    sysctls.push_back({"net/ipv4/ip_forward", "1", true});
    if (strict_arp) {
        sysctls.push_back({"net/ipv4/conf/all/arp_ignore", "1"});
        sysctls.push_back({"net/ipv4/conf/all/arp_announce", "2"});
    }
    return sysctls;
}

std::vector<SysctlChange> apply_sysctls(std::span<const Sysctl> wanted, Sysctls& kernel) {
    std::vector<SysctlChange> changes;
    for (const auto& sysctl : wanted) {
        auto before = kernel.read(sysctl.name);
        if (before == sysctl.value) continue;
        const auto error = kernel.write(sysctl.name, sysctl.value);
        changes.push_back({sysctl, std::move(before), error});
    }
    return changes;
}

} // namespace ipvsproxy::config
