#include "proxy/sync/audit.h"

#include <utility>

namespace ipvsproxy::sync {
namespace {

std::size_t audit(Cluster& cluster, Kernel& kernel, std::vector<Portion> portions) {
    std::size_t drift = 0;
    for (auto& portion : portions) {
        cluster.fill(portion);
        drift += observe(cluster.state(), look(kernel, std::move(portion)));
    }
    return drift;
}

} // namespace

std::size_t audit(Cluster& cluster, Kernel& kernel, const std::set<Part>& parts,
                  std::size_t slice) {
    return audit(cluster, kernel, cluster.portions(parts, slice));
}

std::size_t audit(Cluster& cluster, Kernel& kernel, std::size_t slice) {
    return audit(cluster, kernel, cluster.portions(slice));
}

} // namespace ipvsproxy::sync
