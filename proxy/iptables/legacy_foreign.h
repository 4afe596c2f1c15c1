// Words for matches that we never write but that stand in other people's rules.
#pragma once

#include <optional>
#include <string>

#include "proxy/iptables/legacy_bytes.h"

namespace ipvsproxy::iptables {

/// `-m tcp --dport 80`, `-m udp …`, `-m multiport --dports 80,443`, `-m state --state NEW` as
/// iptables-save prints them; nothing for another match, or for a form without words here.
std::optional<std::string> foreign_match(const Part& part);

} // namespace ipvsproxy::iptables
