// What is measured of the program, each in processes of its own.
#pragma once

#include "tests/bench/setting.h"

namespace ipvsproxy::bench {

/// In process: cold start, one endpoint replaced or added, one service added, a thousand changes at
/// once, a whole audit; then adoption by a second process.
void run_phases(const Setting& setting);

/// From outside: `apply` on an empty node and again, `run` on the settled node, and idle.
void run_program(const Setting& setting);

/// In process: events one by one to a running loop, and how long each takes to the kernel.
void run_latency(const Setting& setting);

/// One virtual server of scheduler mh and its real servers, as they are written together, and as
/// they are added to one that is mh already. mh computes its whole table at each change of it.
void run_mh(const Setting& setting);

/// The state that the manifest asks for, written by a loop that only sends bytes which were made
/// before: 128 KiB of netlink requests a send, the last of each acknowledged. No rules of iptables.
/// @throws std::runtime_error when the kernel's state is then another.
void run_floor(const Setting& setting);

/// The same by `ipset restore`, `ipvsadm -R` and `ip -batch`.
void run_tools(const Setting& setting);

/// In process: cold start and adoption from the API server's lists, in protobuf.
void run_api(const Setting& setting);

/// The list of all EndpointSlices, as kube-apiserver sends it, decoded into a store: JSON,
/// protobuf.
void run_list(const Setting& setting);

} // namespace ipvsproxy::bench
