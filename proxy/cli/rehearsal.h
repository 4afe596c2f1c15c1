// Trying on a network namespace of its own what the program is going to do to the node's.
#pragma once

#include <string>
#include <vector>

#include "proxy/cli/preflight.h"
#include "proxy/iptables/types.h"

namespace ipvsproxy::cli {

struct Rehearsal {
    std::vector<Trial> trials;
    std::string error; ///< why there is none: mostly that CAP_SYS_ADMIN is missing
};

/// Makes a network namespace, writes into it what one Service of every kind asks for, as run()
/// would, and lets it go again with all that is in it. Nothing of the node's own namespace is
/// touched, and no lock; but the kernel loads the modules that it needs, as it will for run().
/// Rules that match bridge ports (-m physdev, of external addresses) are tried only where
/// br_netfilter is loaded already: loading it changes what bridges do.
Rehearsal rehearse(const PerFamily<bool>& enabled, iptables::Backend backend,
                   const std::string& scheduler);

} // namespace ipvsproxy::cli
