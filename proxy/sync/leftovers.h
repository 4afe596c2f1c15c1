// What other modes of kube-proxy left in the kernel, and taking it away.
#pragma once

#include <string>
#include <vector>

#include "netlink/ip.h"
#include "proxy/iptables/types.h"

namespace ipvsproxy::sync {

/// Of one network namespace. To find is to read; nothing is changed before remove().
struct Leftovers {
    iptables::Backend chosen{};                 ///< the variant of iptables that our rules are in
    PerFamily<iptables::TableChanges> beside{}; ///< of iptables mode, in our variant
    PerFamily<iptables::TableChanges> elsewhere{}; ///< of any proxy, in the other variant
    PerFamily<bool> nft_mode{};                    ///< the table of nftables mode
    bool empty() const;
    /// `nft chain KUBE-SVC-…`, `table ip kube-proxy`: each by its name.
    std::vector<std::string> names() const;
};

/// Looks, in the network namespace of the calling thread, without loading modules.
/// @throws std::system_error when the kernel cannot be asked.
Leftovers find_leftovers(iptables::Backend chosen, const PerFamily<bool>& enabled);

/// Removes what was found. @return what was refused, in words.
std::vector<std::string> remove(const Leftovers& leftovers);

} // namespace ipvsproxy::sync
