#include "proxy/sync/real_kernel.h"

#include <unistd.h>

#include "proxy/iptables/legacy_tables.h"
#include "proxy/iptables/nft_tables.h"

namespace ipvsproxy::sync {

std::unique_ptr<iptables::Tables> open_tables(iptables::Backend backend, Family family) {
    if (backend == iptables::Backend::legacy)
        return std::make_unique<iptables::LegacyTables>(family);
    return std::make_unique<iptables::NftTables>(family);
}

RealKernel::RealKernel(std::optional<PerFamily<bool>> enabled,
                       std::optional<iptables::Backend> backend, std::uint64_t order_salt)
    : ipvs_{ipvs::KernelTable::Options{.order_salt = order_salt}}, choice_{iptables::choose_backend(
                                                                       backend)} {
    if (!enabled) enabled = supported_families(sysctls_);
    for (const auto family : families)
        if ((*enabled)[family]) rules_[family] = open_tables(choice_.backend, family);
    tables_.emplace(Kernel{device_, ipvs_, ipset_, {rules_.v4.get(), rules_.v6.get()}, flows_});
}

KernelCost RealKernel::cost() const noexcept {
    const auto ipvs = ipvs_.counters();
    KernelCost all{ipvs.messages, ipvs.bytes, ipvs.system_calls};
    for (const auto* counters : {&device_.counters(), &ipset_.counters(), &flows_.counters()}) {
        all.messages += counters->messages;
        all.bytes += counters->bytes;
        all.system_calls += counters->sends + counters->receives;
    }
    return all;
}

PerFamily<bool> supported_families(Sysctls& sysctls) {
    const bool present = access("/proc/thread-self/net/if_inet6", F_OK) == 0;
    const bool disabled = sysctls.read("net/ipv6/conf/all/disable_ipv6").value_or("1") == "1";
    return {true, present && !disabled};
}

} // namespace ipvsproxy::sync
