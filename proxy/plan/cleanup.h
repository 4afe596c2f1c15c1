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

} // namespace ipvsproxy::plan
