// Tables of nf_tables itself, past iptables: whose names stand there, and taking one away.
#pragma once

#include <string>
#include <system_error>
#include <vector>

#include "netlink/ip.h"

namespace ipvsproxy::iptables {

/// "ip nat", "ip6 kube-proxy", "other filter" …; none when nf_tables is not loaded (asking would
/// load it).
/// @throws std::system_error when the kernel cannot be asked.
std::vector<std::string> nft_table_names();

/// The table that kube-proxy's nftables mode makes: "ip kube-proxy".
std::string nft_mode_table(Family family);

/// Deletes that table with all that is in it, which takes up to a second.
/// @return the kernel's errno; ENOENT when there is none.
std::error_code delete_nft_mode_table(Family family);

} // namespace ipvsproxy::iptables
