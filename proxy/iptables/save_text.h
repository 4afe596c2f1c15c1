// The line language of iptables-save and iptables-restore.
#pragma once

#include <string>
#include <string_view>

#include "proxy/iptables/types.h"

namespace ipvsproxy::iptables {

/// Reads what iptables-save prints: chains and rules of the tables nat, filter and mangle, others
/// skipped. Rules of our vocabulary come in canonical spelling, counters are dropped.
Chains parse_save(std::string_view text);

/// What iptables-restore --noflush takes to make the changes of `table`, as one transaction.
/// Chains are all declared first (which empties those that exist), so that rules may jump to any.
/// @pre every text is writable(), every chain of `changes` is of `table`
std::string restore_text(TableName table, const TableChanges& changes);

/// False when a chain's name or a rule would not stay one word, or one line, of that language.
bool writable(const TableChanges& changes);

} // namespace ipvsproxy::iptables
