// Changes and states in the words an operator would type: ipvsadm, ipset, iptables, ip.
#pragma once

#include <string>
#include <vector>

#include "proxy/plan/changes.h"
#include "proxy/plan/node_state.h"

namespace ipvsproxy::plan {

enum class Sign : char { add = '+', update = '~', remove = '-' };

/// One change, as a command that would make it.
struct Line {
    Sign sign{};
    std::string table;   ///< "ipvs", "ipset", "iptables", "address", "link"
    std::string command; ///< `ipvsadm -a -t 10.96.0.10:80 -r 10.244.2.7:8080 -m -w 1`
    std::string reason;  ///< "missing", "no Service asks for it", "weight is 0" …
    std::string service; ///< `namespace/name` of the Service it is for; empty: of the node
    friend bool operator==(const Line&, const Line&) = default;
};

/// Every change as a line, those of the node first, then by service; within one by table and key.
/// `state` knows who asks for what and what the kernel holds now.
std::vector<Line> describe(const NodeChanges& changes, const NodeState& state);

/// Real servers that leave once their connections have ended; they are no differences.
std::vector<Line> describe_leaving(const ipvs::Destinations& leaving);

/// `+ ipvsadm …   # missing`, under one heading a service.
std::string text(const std::vector<Line>& lines);

/// @name The forms themselves.
///@{
std::string ipvsadm(std::string_view action, const ipvs::ServiceKey& key);
std::string ipvsadm(std::string_view action, const ipvs::ServiceKey& key,
                    const ipvs::ServiceSpec& spec);
std::string ipvsadm(std::string_view action, const ipvs::DestinationKey& key);
std::string ipvsadm(std::string_view action, const ipvs::DestinationKey& key,
                    const ipvs::DestinationSpec& spec);
std::string ipset_create(const std::string& name, const ipset::SetSpec& spec);
///@}

/// The state as the tools' save formats show it: addresses, `ipvsadm -S -n`, `ipset save`,
/// `iptables-save` of our own chains and jumps; ordered, so that two states compare as text.
std::string text(const NodeSnapshot& state);

} // namespace ipvsproxy::plan
