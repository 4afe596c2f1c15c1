// What is left to do in one table. Shared by every Tables, so that all are alike idempotent.
#pragma once

#include <string_view>

#include "proxy/iptables/types.h"

namespace ipvsproxy::iptables {

struct TableEdit {
    TableChanges changes; ///< of one table, in canonical text, without what is so already
    Chains after;         ///< the observed chains as they will be
};

/// Drops from `wanted` what other tables are asked, and what `observed` shows done already: a chain
/// with equal content, an insertion of a rule that stands in its chain (wherever: kube-proxy
/// never moves one either), a removal of what is not there. Each removal takes the first equal
/// rule.
/// @param observed at least the chains that `wanted` names, as far as they exist.
TableEdit edit_for(TableName table, const Chains& observed, const TableChanges& wanted);

/// The chains of one table that `wanted` names.
std::set<Chain> named_chains(TableName table, const TableChanges& wanted);

/// INPUT and the like: made by the kernel, cannot be removed.
bool is_builtin(const Chain& chain) noexcept;

} // namespace ipvsproxy::iptables
