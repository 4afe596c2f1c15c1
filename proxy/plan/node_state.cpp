#include "proxy/plan/node_state.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <functional>

#include "proxy/plan/ledger_walks.h"

namespace ipvsproxy::plan {
namespace {

/// Walks two ordered lists and tells what only one of them has. `project` gives the order.
template <class List, class Gone, class Come, class Both, class Project = std::identity>
void compare(const List& before, const List& after, const Gone& gone, const Come& come,
             const Both& both, const Project& project = {}) {
    auto old = before.begin();
    auto now = after.begin();
    while (old != before.end() && now != after.end()) {
        const auto& one = std::invoke(project, *old);
        const auto& other = std::invoke(project, *now);
        if (one == other) both(*old++, *now++); // mostly, and equality is found sooner than order
        else if (one < other) gone(*old++);
        else come(*now++);
    }
    std::for_each(old, before.end(), gone);
    std::for_each(now, after.end(), come);
}

constexpr auto nothing = [](const auto&, const auto&) {};

/// IPv6 VIPs are deprecated from birth, so that the kernel never picks one as a source (D-22).
DeviceAddressSpec device_spec(const DeviceAddress& key) {
    const bool v6 = key.address.family() == Family::v6;
    return {.deprecated = v6 && key.binding == Binding::address};
}

ipvs::DestinationKey destination(const VirtualServer& server, const AddressPort& at) {
    return {server.key, at.address, at.port};
}

} // namespace

std::size_t NodeChanges::size() const noexcept {
    std::size_t count = (create_device ? 1U : 0U) + (destroy_device ? 1U : 0U) + addresses.size() +
                        ipvs.services.size() + ipvs.destinations.size() + sets.destroy.size();
    for (const auto& set : sets.sets)
        count += (set.second.create ? 1U : 0U) + set.second.add.size() + set.second.remove.size();
    for (const auto family : families) {
        const auto& rule = rules[family];
        count += rule.replace.size() + rule.insert.size() + rule.remove_rules.size() +
                 rule.remove_chains.size();
    }
    return count;
}

void NodeState::replace(const model::ObjectName& service, Contribution&& contribution) {
    auto& all = contributions_;
    Contribution before;
    auto at = all.end();
    if (all.empty() || all.rbegin()->first < service) { // mostly they come in order
        at = all.emplace_hint(at, service, std::move(contribution));
    } else {
        at = all.try_emplace(service).first;
        before = std::exchange(at->second, std::move(contribution));
    }
    const Contribution& after = at->second;
    compare(
        before.entries, after.entries,
        [&](const SetEntry& entry) {
            set(entry.first).drop(entry.second);
            if (is_binding(entry)) addresses_.drop(bound(entry.second.address));
        },
        [&](const SetEntry& entry) {
            set(entry.first).want(entry.second, {});
            if (!is_binding(entry)) return;
            const auto key = bound(entry.second.address);
            addresses_.want(key, device_spec(key));
        },
        nothing);
    compare(
        before.guarded, after.guarded,
        [&](const GuardedVip& vip) {
            auto& rules = rules_[vip.address.family()];
            const auto found = rules.guarded.find(vip);
            if (--found->second == 0) rules.guarded.erase(found);
            rules.stale = true;
        },
        [&](const GuardedVip& vip) {
            auto& rules = rules_[vip.address.family()];
            ++rules.guarded[vip];
            rules.stale = true;
        },
        nothing);
    replace_servers(at->first, before, after);
    if (after.empty()) contributions_.erase(at);
}

DeviceAddress NodeState::bound(const Address& address) const {
    return {address, address.bits(), settings_.vip_binding};
}

void NodeState::replace_servers(const model::ObjectName& name, const Contribution& before,
                                const Contribution& after) {
    // A service that was made anew under its old name asks as late as its new age says.
    const bool same_rank = before.created == after.created;
    compare(
        before.virtual_servers, after.virtual_servers,
        [&](const VirtualServer& old) {
            release(name, old);
            if (!claims_.contains(old.key) && is_excluded(old.key)) leave_alone(old);
        },
        [&](const VirtualServer& now) { claim(name, now); },
        [&](const VirtualServer& old, const VirtualServer& now) {
            if (!same_rank) {
                release(name, old);
                claim(name, now);
                return;
            }
            if (*claims_.at(now.key) != name) return;
            services_.alter(now.key, now.spec);
            compare(
                old.destinations, now.destinations,
                [&](const AddressPort& at) { destinations_.drop(destination(old, at)); },
                [&](const AddressPort& at) { destinations_.want(destination(now, at), {}); },
                nothing);
        },
        &VirtualServer::key);
}

void NodeState::claim(const model::ObjectName& name, const VirtualServer& server) {
    auto& winner = claims_[server.key];
    if (winner == nullptr) {
        winner = &name;
        enact(server);
        return;
    }
    Claimant loser = &name;
    if (outranks(name, *winner)) {
        withdraw(this->server(*winner, server.key));
        loser = std::exchange(winner, &name);
        enact(server);
    }
    losers_[server.key].push_back(loser);
    contests_.push_back({server.key, *winner, *loser});
}

void NodeState::release(const model::ObjectName& name, const VirtualServer& server) {
    const auto at = claims_.find(server.key);
    assert(at != claims_.end());
    const auto waiting = losers_.find(server.key);
    const auto forget = [&](const auto& loser) {
        waiting->second.erase(loser);
        if (waiting->second.empty()) losers_.erase(waiting);
    };
    if (*at->second != name) {
        forget(std::ranges::find_if(waiting->second, [&](Claimant one) { return *one == name; }));
        return;
    }
    withdraw(server);
    if (waiting == losers_.end()) {
        claims_.erase(at);
        return;
    }
    const auto next = std::ranges::min_element(
        waiting->second, [&](Claimant one, Claimant other) { return outranks(*one, *other); });
    at->second = *next;
    forget(next);
    enact(this->server(*at->second, server.key));
}

void NodeState::enact(const VirtualServer& server) {
    services_.want(server.key, server.spec);
    destinations_.want_rising(server.destinations,
                              [&](const AddressPort& at) { return destination(server, at); }, {});
}

void NodeState::withdraw(const VirtualServer& server) {
    for (const auto& at : server.destinations)
        destinations_.drop(destination(server, at));
    services_.drop(server.key);
}

bool NodeState::outranks(const model::ObjectName& one, const model::ObjectName& other) const {
    const auto age = [&](const model::ObjectName& name) { return contributions_.at(name).created; };
    return std::tuple{age(one), one} < std::tuple{age(other), other};
}

const VirtualServer& NodeState::server(const model::ObjectName& name,
                                       const ipvs::ServiceKey& key) const {
    const auto& all = contributions_.at(name).virtual_servers;
    const auto found = std::ranges::lower_bound(all, key, {}, &VirtualServer::key);
    assert(found != all.end() && found->key == key);
    return *found;
}

const Contribution* NodeState::contribution(const model::ObjectName& service) const {
    const auto at = contributions_.find(service);
    return at == contributions_.end() ? nullptr : &at->second;
}

const model::ObjectName* NodeState::owner(const ipvs::ServiceKey& key) const {
    const auto at = claims_.find(key);
    return at == claims_.end() ? nullptr : at->second;
}

std::vector<Contest> NodeState::take_contests() {
    return std::exchange(contests_, {});
}

bool NodeState::is_excluded(const ipvs::ServiceKey& key) const {
    return std::ranges::any_of(settings_.exclude_cidrs,
                               [&](const Prefix& cidr) { return cidr.contains(key.address); });
}

/// A virtual server that nobody wants any more and that excludeCIDRs cover stays as it is, with its
/// real servers; kube-proxy never deletes it either.
void NodeState::leave_alone(const VirtualServer& server) {
    services_.forget(server.key);
    for (const auto& at : server.destinations)
        destinations_.forget(destination(server, at));
}

ipset::SetSpec NodeState::desired_set(SetId id) const {
    auto spec = set_spec(id);
    const auto entries = sets_.at(id.index()).entries.wanted().size();
    if (entries > spec.max_entries) // D-13
        spec.max_entries = static_cast<std::uint32_t>(std::bit_ceil(entries));
    return spec;
}

void NodeState::add_set_changes(SetId id, Moment now, ipset::TableChanges& out) const {
    const auto& state = sets_.at(id.index());
    if (!settings_.enabled[id.family] || state.not_before > now) return;
    ipset::SetChanges changes;
    changes.spec = desired_set(id);
    if (!state.spec || !state.spec->serves(changes.spec)) changes.create = changes.spec;
    auto entries = state.entries.changes(now);
    changes.remove.assign(entries.remove.begin(), entries.remove.end());
    changes.add.reserve(entries.add.size());
    for (const auto& [entry, present] : entries.add)
        changes.add.push_back(entry);
    if (changes.create || !changes.remove.empty() || !changes.add.empty())
        out.sets.emplace(set_name(id), std::move(changes));
}

RuleInputs NodeState::rule_inputs(Family family) const {
    RuleInputs inputs;
    for (std::size_t i = 0; i < set_count; ++i)
        inputs.filled.set(i, !sets_.at(i).entries.wanted().empty());
    for (const auto& [vip, owners] : rules_[family].guarded)
        inputs.guarded.insert(vip);
    return inputs;
}

const iptables::TableChanges& NodeState::rule_changes_of(Family family) {
    auto& rules = rules_[family];
    std::bitset<set_count> filled;
    for (std::size_t i = 0; i < set_count; ++i)
        filled.set(i, !sets_.at(i).entries.wanted().empty());
    if (rules.stale || filled != rules.filled) {
        rules.filled = filled;
        rules.changes =
            rule_changes(rules.observed, chains(family, rule_inputs(family), settings_));
        rules.stale = false;
    }
    return rules.changes;
}

NodeChanges NodeState::changes(Moment now) {
    NodeChanges all;
    all.create_device = !device_present_;
    all.addresses = addresses_.changes(now);
    all.ipvs.services = services_.changes(now);
    all.ipvs.destinations = destinations_.changes(now);
    for (std::size_t i = 0; i < set_count; ++i)
        add_set_changes(SetId::at(i), now, all.sets);
    for (const auto family : families)
        if (settings_.enabled[family] && rules_[family].not_before <= now)
            all.rules[family] = rule_changes_of(family);
    return all;
}

std::optional<Moment> NodeState::next_due(Moment now) const {
    std::optional<Moment> earliest;
    const auto take = [&](std::optional<Moment> due) {
        if (due && *due > now) earliest = std::min(earliest.value_or(Moment::max()), *due);
    };
    take(addresses_.next_due(now));
    take(services_.next_due(now));
    take(destinations_.next_due(now));
    for (const auto& state : sets_) {
        take(state.entries.next_due(now));
        take(state.not_before);
    }
    for (const auto family : families)
        take(rules_[family].not_before);
    return earliest;
}

void NodeState::rules_applied(Family family, const iptables::TableChanges& changes) {
    auto& rules = rules_[family];
    for (const auto& [chain, content] : changes.replace)
        rules.observed[chain] = content;
    for (const auto& placed : changes.insert) {
        auto& chain = rules.observed[placed.chain];
        chain.insert(chain.begin(), placed.rule);
    }
    rules.stale = true;
    rules.not_before = {};
}

NodeSnapshot NodeState::desired() const {
    NodeSnapshot all;
    all.families = settings_.enabled;
    all.device.present = true;
    all.device.kind = "dummy";
    for (const auto& [key, wanted] : addresses_.wanted())
        all.device.addresses[key] = wanted.spec;
    for (const auto& [key, wanted] : services_.wanted())
        all.services[key] = wanted.spec;
    for (const auto& [key, wanted] : destinations_.wanted())
        all.destinations.specs[key] = wanted.spec;
    for (std::size_t i = 0; i < set_count; ++i) {
        const auto id = SetId::at(i);
        if (!settings_.enabled[id.family]) continue;
        auto& set = all.sets[set_name(id)];
        set.spec = desired_set(id);
        for (const auto& [entry, wanted] : sets_.at(i).entries.wanted())
            set.entries.insert(entry);
    }
    for (const auto family : families) {
        if (!settings_.enabled[family]) continue;
        all.chains[family] = chains(family, rule_inputs(family), settings_);
        for (const auto& jump : jumps()) {
            auto& chain = all.chains[family][jump.chain];
            chain.insert(chain.begin(), jump.rule);
        }
    }
    return all;
}

} // namespace ipvsproxy::plan
