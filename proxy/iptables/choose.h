// Legacy or nft: rules belong where the node's other programs put theirs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proxy/iptables/types.h"

namespace ipvsproxy::iptables {

/// What can be seen on the node.
struct HostSigns {
    bool kubelet_in_nft{};    ///< kubelet's chain in table mangle of nf_tables, either IP family
    bool kubelet_in_legacy{}; ///< the same, of the legacy tables
    bool no_nft_tables{};     ///< this kernel refuses tables of nf_tables
    std::string version{};    ///< what `iptables --version` printed; empty: there is no iptables
    std::vector<std::string> troubles{}; ///< what could not be asked, and why
    friend bool operator==(const HostSigns&, const HostSigns&) = default;
};

struct Choice {
    Backend backend{};
    std::string reason; ///< for the log: the sign that decided, and what could not be asked
    friend bool operator==(const Choice&, const Choice&) = default;
};

/// Legacy where the kernel has no nf_tables. Else by kubelet's chain KUBE-IPTABLES-HINT (or its
/// elder KUBE-KUBELET-CANARY), which it makes with the host's iptables for others to see
/// (KEP-3178); where both kinds show it, nft, for the legacy one is then the older. Without
/// kubelet, by the variant the command iptables is; without that, legacy, which needs no command.
Choice choose_backend(const HostSigns& signs);

/// Looks, without creating tables or loading modules of the legacy kind.
HostSigns read_host_signs();

/// @param wanted what the operator has set; nothing: look and choose.
Choice choose_backend(std::optional<Backend> wanted);

} // namespace ipvsproxy::iptables
