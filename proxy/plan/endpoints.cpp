#include "proxy/plan/endpoints.h"

#include <algorithm>

namespace ipvsproxy::plan {
namespace {

using model::Endpoint;

bool draining(const Endpoint& endpoint) {
    return endpoint.serving && endpoint.terminating;
}

bool contains(model::SymbolList hints, model::Symbol wanted) {
    return std::ranges::find(hints, wanted) != hints.end();
}

enum class Topology : std::uint8_t { none, same_node, same_zone };

/// A mode counts only when every ready endpoint carries its kind of hint and one names us: a
/// half-written set of slices must not starve this node.
Topology topology(const Candidates& all, const NodeFacts& node) {
    bool any_ready = false, node_hints = true, zone_hints = true;
    bool for_node = false, for_zone = false;
    for (const auto& [endpoint, port] : all) {
        if (!endpoint->ready) continue;
        any_ready = true;
        node_hints = node_hints && !endpoint->node_hints.empty();
        zone_hints = zone_hints && !endpoint->zone_hints.empty();
        if (!node_hints && !zone_hints) return Topology::none;
        for_node = for_node || contains(endpoint->node_hints, node.name);
        for_zone = for_zone || contains(endpoint->zone_hints, node.zone);
    }
    if (!any_ready) return Topology::none;
    if (node_hints && for_node) return Topology::same_node;
    if (zone_hints && for_zone && !node.zone.empty()) return Topology::same_zone;
    return Topology::none;
}

bool allowed(const Endpoint& endpoint, Topology mode, const NodeFacts& node) {
    switch (mode) {
    case Topology::none:
        return true;
    case Topology::same_node:
        return contains(endpoint.node_hints, node.name);
    case Topology::same_zone:
        return contains(endpoint.zone_hints, node.zone);
    }
    return true;
}

template <class Test> std::vector<AddressPort> select(const Candidates& all, const Test& test) {
    const auto first = std::ranges::find_if(
        all, [&](const Candidate& candidate) { return test(*candidate.endpoint); });
    if (first == all.end()) return {};
    std::vector<AddressPort> chosen(static_cast<std::size_t>(all.end() - first)); // mostly all
    auto place = chosen.begin();
    for (auto at = first; at != all.end(); ++at)
        if (test(*at->endpoint)) *place++ = at->at();
    chosen.erase(place, chosen.end());
    chosen.shrink_to_fit(); // it is kept, by the ten thousand: no more memory than needed
    return chosen;
}

bool precedes(const Candidate& one, const Candidate& other) {
    const auto order = one.endpoint->address <=> other.endpoint->address;
    return order == 0 ? one.port < other.port : order < 0;
}

/// Sorts what mostly is in order: a slice, then the next, and here and there an endpoint that is
/// newer than its place. Ordered runs are found and merged, so that the work is in their number.
void sort_runs(Candidates& all) {
    std::vector<Candidates::iterator> bounds{all.begin()};
    while (bounds.back() != all.end())
        bounds.push_back(std::is_sorted_until(bounds.back(), all.end(), precedes));
    while (bounds.size() > 2) {
        std::size_t kept = 1;
        for (std::size_t i = 2; i < bounds.size(); i += 2) {
            std::inplace_merge(bounds[i - 2], bounds[i - 1], bounds[i], precedes);
            bounds[kept++] = bounds[i];
        }
        if (bounds.size() % 2 == 0) bounds[kept++] = bounds.back();
        bounds.resize(kept);
    }
}

std::vector<AddressPort> cluster_endpoints(const Candidates& all, const NodeFacts& node) {
    const auto mode = topology(all, node);
    auto chosen = mode == Topology::none
                      ? select(all, [](const Endpoint& endpoint) { return endpoint.ready; })
                      : select(all, [&](const Endpoint& endpoint) {
                            return endpoint.ready && allowed(endpoint, mode, node);
                        });
    if (!chosen.empty()) return chosen;
    return select(all, draining);
}

std::vector<AddressPort> local_endpoints(const Candidates& all, const NodeFacts& node) {
    auto chosen = select(
        all, [&](const Endpoint& endpoint) { return endpoint.ready && is_local(endpoint, node); });
    if (!chosen.empty()) return chosen;
    return select(all, [&](const Endpoint& endpoint) {
        return draining(endpoint) && is_local(endpoint, node);
    });
}

} // namespace

Candidates merge_endpoints(const model::Store::Slices& slices, Family family,
                           model::Symbol port_name, Protocol protocol) {
    std::size_t most = 0;
    for (const auto& [name, slice] : slices)
        most += slice.endpoints.size();
    Candidates all;
    all.reserve(most);
    bool in_order = true;
    for (const auto& [name, slice] : slices) {
        if (slice.family != family) continue;
        for (const auto& port : slice.ports) {
            if (port.name != port_name || port.protocol != protocol) continue;
            for (const auto& endpoint : slice.endpoints) {
                const Candidate next{&endpoint, port.port};
                in_order = in_order && (all.empty() || precedes(all.back(), next));
                all.push_back(next);
            }
        }
    }
    if (in_order) return all;
    sort_runs(all);
    auto last = all.begin();
    for (auto at = std::next(last); at != all.end(); ++at) {
        if (last->at() != at->at()) *++last = *at;
        else if (!at->endpoint->terminating) *last = *at;
    }
    all.erase(std::next(last), all.end());
    return all;
}

EndpointGroups group_endpoints(const Candidates& all, const TrafficScope& scope,
                               const NodeFacts& node) {
    EndpointGroups groups;
    if (scope.uses_cluster()) groups.cluster = cluster_endpoints(all, node);
    if (scope.uses_local()) {
        groups.local = local_endpoints(all, node);
        groups.any = std::ranges::any_of(all, [](const Candidate& candidate) {
            return candidate.endpoint->ready || draining(*candidate.endpoint);
        });
    }
    groups.any = groups.any || !groups.cluster.empty();
    return groups;
}

} // namespace ipvsproxy::plan
