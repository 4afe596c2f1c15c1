// What the kernel was seen to hold, taken into the node's state.
#include "proxy/plan/node_state.h"

#include "proxy/plan/ledger_walks.h"

namespace ipvsproxy::plan {
namespace {

/// Whether nothing else is to be done than what was known before.
bool is_part_of(const iptables::TableChanges& some, const iptables::TableChanges& all) {
    return std::ranges::includes(all.replace, some.replace) &&
           std::ranges::all_of(some.insert, [&](const iptables::PlacedRule& placed) {
               return std::ranges::find(all.insert, placed) != all.insert.end();
           });
}

/// The lowest key that a real server of this virtual server can have.
std::optional<ipvs::DestinationKey> lowest(const std::optional<ipvs::ServiceKey>& service) {
    if (!service) return std::nullopt;
    return ipvs::DestinationKey{*service, {}, {}};
}

} // namespace

/// Virtual servers that are gone took their real servers with them. Those that are neighbours are
/// seen to be empty in one, so that an empty node is one walk.
void NodeState::lose_destinations() {
    const auto& wanted = services_.wanted();
    if (services_.counts_as_empty()) {
        std::optional<ipvs::ServiceKey> first;
        for (const auto& key : services_.held()) {
            destinations_.observe(ipvs::Destinations{}, lowest(first), lowest(key));
            const auto next = std::next(wanted.find(key));
            if (next == wanted.end()) return;
            first = next->first;
        }
        destinations_.observe(ipvs::Destinations{}, lowest(first));
        return;
    }
    const auto& differences = services_.differences();
    for (auto gone = differences.begin(); gone != differences.end();) {
        if (gone->second.observed) {
            ++gone;
            continue;
        }
        const auto first = gone->first;
        auto next = wanted.find(first); // what is not there differs only because it is wanted
        const auto both_stand_at_another_gone = [&] {
            return gone != differences.end() && next != wanted.end() && !gone->second.observed &&
                   gone->first == next->first;
        };
        do {
            ++gone;
            ++next;
        } while (both_stand_at_another_gone());
        std::optional<ipvs::ServiceKey> last;
        if (next != wanted.end()) last = next->first;
        if (gone != differences.end()) last = std::min(last.value_or(gone->first), gone->first);
        destinations_.observe(ipvs::Destinations{}, lowest(first), lowest(last));
    }
}

std::size_t NodeState::observe(const NodeSnapshot& seen) {
    auto drift = observe_device(seen.device) + observe_services(seen.services) +
                 observe_destinations(seen.destinations.specs);
    for (std::size_t i = 0; i < set_count; ++i) {
        const auto id = SetId::at(i);
        const auto found = seen.sets.find(set_name(id));
        drift += found == seen.sets.end()
                     ? observe_set(id, std::nullopt, {})
                     : observe_set(id, found->second.spec, found->second.entries);
    }
    for (const auto family : families)
        drift += observe_rules(family, seen.chains[family]);
    return drift;
}

std::size_t NodeState::observe_device(const DeviceState& seen) {
    const std::size_t gone = device_present_ && !seen.present ? 1 : 0;
    device_present_ = seen.present;
    DeviceAddresses ours;
    for (const auto& [key, spec] : seen.addresses) {
        const auto family = key.address.family();
        if (!settings_.enabled[family]) continue;
        // The kernel makes link-local addresses by itself, and loopback ones are nobody's VIP; but
        // a Service may ask for either.
        const bool passed_over = key.address.is_ipv6_link_local() || key.address.is_loopback();
        if (passed_over && addresses_.wanted(key) == nullptr) continue;
        // Whether an IPv4 address is deprecated, nobody asks for and nobody heeds.
        ours.emplace(key, family == Family::v4 ? DeviceAddressSpec{} : spec);
    }
    return gone + addresses_.observe(ours);
}

std::size_t NodeState::observe_services(const ipvs::Services& seen) {
    const auto ours_to_remove = [&](const ipvs::ServiceKey& key) {
        return settings_.enabled[key.address.family()] && !is_excluded(key);
    };
    const auto news = services_.observe(seen, {}, {}, ours_to_remove);
    lose_destinations();
    return news;
}

std::size_t NodeState::observe_destinations(const ipvs::Destinations& seen,
                                            const std::optional<ipvs::ServiceKey>& first,
                                            const std::optional<ipvs::ServiceKey>& last) {
    // Those of virtual servers that go or stay foreign do not matter.
    const auto ours = [&](const ipvs::DestinationKey& key) {
        return services_.wanted(key.service) != nullptr;
    };
    return destinations_.observe(seen, lowest(first), lowest(last), ours);
}

std::size_t NodeState::observe_set(SetId id, const std::optional<ipset::SetSpec>& spec,
                                   const ipset::Entries& entries) {
    if (!settings_.enabled[id.family]) return 0;
    auto& state = sets_.at(id.index());
    const std::size_t gone = state.spec && !spec ? 1 : 0;
    state.spec = spec;
    static const ipset::Entries::Map none;
    return gone + state.entries.observe(spec ? entries.map() : none);
}

std::size_t NodeState::observe_rules(Family family, const iptables::Chains& seen) {
    if (!settings_.enabled[family]) return 0;
    auto& rules = rules_[family];
    iptables::Chains ours;
    const auto take = [&](const iptables::Chain& chain) {
        if (const auto found = seen.find(chain); found != seen.end()) ours.insert(*found);
    };
    for (const auto& chain : chains(family, {}, settings_))
        take(chain.first);
    for (const auto& jump : jumps())
        take(jump.chain);
    const auto before = rule_changes_of(family);
    rules.observed = std::move(ours);
    rules.seen = true;
    rules.stale = true;
    return is_part_of(rule_changes_of(family), before) ? 0 : 1;
}

} // namespace ipvsproxy::plan
