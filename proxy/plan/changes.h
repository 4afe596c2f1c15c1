// What was seen of a node's kernel, and what is to change in it: one value each for all tables.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "ipset/table.h"
#include "ipvs/table.h"
#include "netlink/device.h"
#include "proxy/iptables/types.h"

namespace ipvsproxy::plan {

/// Everything of a node that is ours to keep, as the kernel shows it or as it should show it.
struct NodeSnapshot {
    PerFamily<bool> families{true, true}; ///< that the node has
    DeviceState device;
    ipvs::Services services;
    ipvs::ObservedDestinations destinations;
    ipset::Sets sets;                   ///< those that bear one of our names, of a type we know
    std::set<std::string> foreign_sets; ///< those that bear one of our names, of another type
    PerFamily<iptables::Chains> chains; ///< all chains of nat and filter (and mangle, if it exists)
};

struct NodeChanges {
    bool create_device{};
    bool destroy_device{}; ///< with all its addresses
    DeviceAddressChanges addresses;
    ipvs::TableChanges ipvs;
    ipset::TableChanges sets;
    PerFamily<iptables::TableChanges> rules;

    bool empty() const noexcept { return size() == 0; }
    /// Objects: a chain that is replaced counts once, as does a set that is created.
    std::size_t size() const noexcept;
};

} // namespace ipvsproxy::plan
