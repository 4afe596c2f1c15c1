// Taking everything out again that a proxy made.
#pragma once

#include "proxy/plan/changes.h"

namespace ipvsproxy::plan {

/// What removes from a node exactly what ipvsproxy, or kube-proxy in ipvs or iptables mode, made in
/// both families (D-14). Whose a virtual server is, the sets tell: it is the proxy's when its
/// address and port stand in one of them, or its port in a node port set while its address is the
/// node's. All others stay, as do foreign chains and rules, and kube-ipvs0 where it is no dummy
/// device.
NodeChanges cleanup(const NodeSnapshot& seen);

/// What kube-proxy's iptables mode left beside our own chains and jumps, in the same tables: its
/// chains that are not ours, and the rules that jump to them, or to ours by a jump that only that
/// mode has.
iptables::TableChanges leftovers(Family family, const iptables::Chains& seen);

} // namespace ipvsproxy::plan
