// Can this kernel hold the nft variant's tables at all?
#pragma once

namespace ipvsproxy::iptables {

/// False where nf_tables is missing or knows no IPv4 tables (CONFIG_NF_TABLES_IPV4): there the
/// nft variant refuses every table, whatever the command iptables is. Changes nothing.
/// @throws std::system_error when the kernel cannot be asked (EPERM: without CAP_NET_ADMIN).
bool kernel_has_nft_tables();

} // namespace ipvsproxy::iptables
