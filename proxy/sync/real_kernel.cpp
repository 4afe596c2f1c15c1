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
    : sockets_{order_salt}, choice_{iptables::choose_backend(backend)}, tables_{doors(sockets_)} {
    if (!enabled) enabled = supported_families(sysctls_);
    for (const auto family : families)
        if ((*enabled)[family]) rules_[family] = open_tables(choice_.backend, family);
    tables_.rules = {rules_.v4.get(), rules_.v6.get()};
}

Kernel RealKernel::doors(Sockets& sockets) noexcept {
    return {
        sockets.device, sockets.ipvs, sockets.ipset, {rules_.v4.get(), rules_.v6.get()}, flows_};
}

Kernel& RealKernel::tables_with_readers() {
    if (!readers_) {
        reading_sockets_.emplace(0);
        readers_.emplace(doors(*reading_sockets_));
        tables_.readers = &*readers_;
    }
    return tables_;
}

KernelCost RealKernel::cost() const noexcept {
    KernelCost all;
    const auto add = [&all](const netlink::Counters& counters) {
        all.messages += counters.messages;
        all.bytes += counters.bytes;
        all.system_calls += counters.sends + counters.receives;
    };
    const auto add_sockets = [&](const Sockets& sockets) {
        const auto ipvs = sockets.ipvs.counters();
        all.messages += ipvs.messages;
        all.bytes += ipvs.bytes;
        all.system_calls += ipvs.system_calls;
        add(sockets.device.counters());
        add(sockets.ipset.counters());
    };
    add_sockets(sockets_);
    if (reading_sockets_) add_sockets(*reading_sockets_);
    add(flows_.counters());
    return all;
}

PerFamily<bool> supported_families(Sysctls& sysctls) {
    const bool present = access("/proc/thread-self/net/if_inet6", F_OK) == 0;
    const bool disabled = sysctls.read("net/ipv6/conf/all/disable_ipv6").value_or("1") == "1";
    return {true, present && !disabled};
}

} // namespace ipvsproxy::sync
