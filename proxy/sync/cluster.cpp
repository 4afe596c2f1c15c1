#include "proxy/sync/cluster.h"

#include <algorithm>
#include <sstream>

#include "proxy/sync/settling.h"

namespace ipvsproxy::sync {
namespace {

/// Served before all others: without them nothing else in the cluster finds its way.
const std::array<model::ObjectName, 2> urgent_services{{
    {"default", "kubernetes"},
    {"kube-system", "kube-dns"},
}};

/// Whether nothing goes, and nothing that is there becomes another.
bool only_adds(const plan::NodeChanges& changes, const plan::NodeState& state) {
    const auto adds = [](const auto& table) {
        return table.update.empty() && table.remove.empty();
    };
    const auto adds_entries = [](const auto& set) { return set.second.remove.empty(); };
    const auto adds_rules = [&](Family family) {
        const auto& rules = changes.rules[family];
        const auto is_new = [&](const auto& chain) {
            return state.chain_missing(family, chain.first);
        };
        return rules.remove_rules.empty() && rules.remove_chains.empty() &&
               std::ranges::all_of(rules.replace, is_new);
    };
    return !changes.destroy_device && adds(changes.addresses) && adds(changes.ipvs.services) &&
           adds(changes.ipvs.destinations) && changes.sets.destroy.empty() &&
           std::ranges::all_of(changes.sets.sets, adds_entries) &&
           std::ranges::all_of(families, adds_rules);
}

std::vector<Address> outer_addresses(const model::Service& service) {
    auto all = service.external_ips;
    all.insert(all.end(), service.ingress_vips.begin(), service.ingress_vips.end());
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

/// Looks keys up that come in rising order: after one, the next is mostly the next in the map too.
template <class Map> class Search {
public:
    explicit Search(const Map& map) : map_{map}, at_{map.begin()} {}
    const typename Map::mapped_type* find(const typename Map::key_type& key) {
        if (at_ == map_.end() || !(at_->first == key)) {
            at_ = map_.lower_bound(key);
            if (at_ == map_.end() || !(at_->first == key)) return nullptr;
        }
        const auto* const found = &at_->second;
        ++at_;
        return found;
    }

private:
    const Map& map_;
    typename Map::const_iterator at_; ///< where the next is expected
};

/// Each that is in one of two ordered lists, once and in order.
template <class List, class Take>
void for_each_of_both(const List& one, const List& other, const Take& take) {
    auto at = one.begin();
    auto beside = other.begin();
    while (at != one.end() && beside != other.end())
        if (*at == *beside) { // mostly: at the start both have all
            take(*at++);
            ++beside;
        } else if (*at < *beside) {
            take(*at++);
        } else {
            take(*beside++);
        }
    std::for_each(at, one.end(), take);
    std::for_each(beside, other.end(), take);
}

} // namespace

std::string RefusedObject::text() const {
    return object + ": " + cause + (remedy.empty() ? "" : "; " + remedy);
}

Cluster::Cluster(model::Store& store, plan::Settings settings, plan::NodeFacts facts)
    : facts_{std::move(facts)}, store_{store}, state_{std::move(settings)},
      drains_{state_.settings().drain_limit} {
    derive_all_anew(); // they may have been seen by another before
}

/// At the next occasion.
void Cluster::derive_all_anew() {
    for (const auto& [service, object] : store_.services())
        to_derive_.insert(service);
}

void Cluster::set_node(model::Symbol name, model::Symbol zone, const PerFamily<Address>& ip) {
    if (facts_.name == name && facts_.zone == zone && facts_.ip == ip) return;
    facts_.name = name;
    facts_.zone = zone;
    facts_.ip = ip;
    derive_all_anew();
}

bool Cluster::set_interfaces(std::span<const InterfaceAddress> elsewhere) {
    auto next = facts_;
    plan::take_interfaces(next, state_.settings(), elsewhere);
    if (next == facts_) return false;
    if (next.port_addresses != facts_.port_addresses)
        to_derive_.insert(on_node_ports_.begin(), on_node_ports_.end());
    std::vector<Address> changed;
    std::ranges::set_symmetric_difference(next.elsewhere, facts_.elsewhere,
                                          std::back_inserter(changed));
    for (const auto& address : changed)
        if (const auto at = by_outer_address_.find(address); at != by_outer_address_.end())
            to_derive_.insert(at->second.begin(), at->second.end());
    facts_ = std::move(next);
    return true;
}

void Cluster::derive() {
    const auto asked = std::exchange(to_derive_, {}), dirty = store_.take_dirty();
    derived_ = store_.changed();
    auto triggers = store_.take_triggers();
    triggers_.insert(triggers_.end(), triggers.begin(), triggers.end());
    Search services{store_.services()};
    Search slices{store_.all_slices()};
    static const model::Store::Slices none;
    for_each_of_both(asked, dirty, [&](const model::ObjectName& name) {
        const auto* of_service = slices.find(name);
        derive(name, services.find(name), of_service == nullptr ? none : *of_service);
    });
}

/// It stays among those that changed, and is derived once more with all others.
bool Cluster::derive_first() {
    const auto& name = urgent_services.front();
    const auto* service = store_.service(name);
    if (service == nullptr) return false;
    derive(name, service, store_.slices(name));
    return !std::as_const(state_).destinations().wanted().empty();
}

void Cluster::derive(const model::ObjectName& name, const model::Service* service,
                     const model::Store::Slices& slices) {
    index(name, service);
    if (service == nullptr) {
        probe(name, {});
        state_.replace(name, {});
        return;
    }
    auto wish = plan::contribution(*service, slices, facts_, state_.settings());
    if (!wish.udp_flows.empty()) flows_due_.insert(name);
    probe(name, wish.health_check);
    state_.replace(name, std::move(wish));
}

void Cluster::index(const model::ObjectName& name, const model::Service* service) {
    const bool node_ports = service != nullptr &&
                            std::ranges::any_of(service->ports, [](const model::ServicePort& port) {
                                return port.node_port.has_value();
                            });
    if (node_ports) on_node_ports_.insert(name);
    else if (!on_node_ports_.empty()) on_node_ports_.erase(name);

    const bool outer =
        service != nullptr && !(service->external_ips.empty() && service->ingress_vips.empty());
    if (!outer && outer_addresses_.empty()) return; // as in most clusters
    auto next = outer ? outer_addresses(*service) : std::vector<Address>{};
    const auto known = outer_addresses_.find(name);
    if (known != outer_addresses_.end() ? known->second == next : next.empty()) return;
    if (known != outer_addresses_.end()) {
        for (const auto& address : known->second) {
            const auto at = by_outer_address_.find(address);
            at->second.erase(name);
            if (at->second.empty()) by_outer_address_.erase(at);
        }
        outer_addresses_.erase(known);
    }
    for (const auto& address : next)
        by_outer_address_[address].insert(name);
    if (!next.empty()) outer_addresses_.emplace(name, std::move(next));
}

void Cluster::probe(const model::ObjectName& name, const std::optional<plan::HealthCheck>& check) {
    const auto known = health_checks_.find(name);
    if (!check) {
        if (known == health_checks_.end()) return;
        health_checks_.erase(known);
    } else if (known == health_checks_.end()) {
        health_checks_.emplace(name, *check);
    } else {
        if (known->second == *check) return;
        known->second = *check;
    }
    changed_health_checks_.insert(name);
}

Round Cluster::take_round(plan::Moment now) {
    Round round;
    round.now = now;
    round.changes = state_.changes(now);
    hold_device(round);
    complete_servers(round.changes, now);
    open_doors(round);
    round.deadlines = drains_.deadlines();
    for (const auto& name : urgent_services)
        if (const auto* wish = state_.contribution(name)) round.urgent.add(*wish);
    round.flow_owners = std::exchange(flows_due_, {});
    for (const auto& name : round.flow_owners)
        if (const auto* wish = state_.contribution(name))
            round.flows.insert(round.flows.end(), wish->udp_flows.begin(), wish->udp_flows.end());
    return round;
}

Round Cluster::take_first_round(plan::Moment now) {
    auto round = take_round(now);
    if (only_adds(round.changes, state_)) return round;
    flows_due_.insert(round.flow_owners.begin(), round.flow_owners.end());
    return {};
}

/// Into a state that has not met the kernel yet, all services are derived with less work.
void Cluster::begin_anew() {
    state_ = plan::NodeState{state_.settings()};
    derive_all_anew();
}

/// A device that cannot be made is not tried at every occasion, and its addresses wait for it.
void Cluster::hold_device(Round& round) {
    if (state_.device_present()) patience_.taken(device_object);
    if (!patience_.holds(device_object, round.now)) return;
    round.changes.create_device = false;
    round.changes.addresses = {};
}

/// Whether every virtual server is added in this round, or is one of a few that are there: a node
/// begins.
bool Cluster::all_come(const ipvs::Services& coming) const {
    const auto& services = state_.services();
    return coming.size() + services.held().size() == services.wanted().size();
}

/// A virtual server that is added comes with all of its real servers, whatever became of them
/// before; and real servers wait for their virtual server.
void Cluster::complete_servers(plan::NodeChanges& changes, plan::Moment now) {
    const auto& coming = changes.ipvs.services.add;
    auto& servers = changes.ipvs.destinations.add;
    if (!all_come(coming)) {
        // Real servers of one virtual server follow each other, so it is asked about once.
        std::optional<ipvs::ServiceKey> service;
        Search search{coming};
        bool waits = false;
        erase_if(servers, [&](const auto& entry) {
            if (service != entry.first.service) {
                service = entry.first.service;
                waits = search.find(*service) == nullptr &&
                        !state_.services().believed_present(*service);
            }
            return waits;
        });
    }
    const auto& destinations = state_.destinations();
    for (const auto& [key, difference] : destinations.differences()) {
        if (difference.not_before <= now || difference.observed) continue;
        if (coming.contains(key.service)) servers.try_emplace(key, *destinations.wanted(key));
    }
}

/// An address is bound once a virtual server is behind it: now, or in this round.
void Cluster::open_doors(Round& round) {
    const auto& services = std::as_const(state_).services();
    const auto& wanted = services.wanted();
    const auto& coming = round.changes.ipvs.services.add;
    auto first = wanted.begin(); // addresses come in the order of the virtual servers
    const auto end = wanted.end();
    Search search{coming};
    const bool all = all_come(coming) && services.held().empty();
    const auto stands = [&](const Address& address) {
        return first != end && first->first.address == address;
    };
    erase_if(round.changes.addresses.add, [&](const auto& entry) {
        const auto& address = entry.first.address;
        if (first != end && first->first.address < address) ++first; // mostly to it
        if (!stands(address)) first = wanted.lower_bound(first, {address, {}, {}});
        if (all) return !stands(address);
        bool is_there = false, comes = false;
        for (auto at = first; at != end && at->first.address == address; ++at) {
            is_there = is_there || services.believed_present(at->first);
            comes = comes || search.find(at->first) != nullptr;
        }
        if (is_there) round.served.insert(address);
        return !is_there && !comes;
    });
}

std::optional<plan::Moment> Cluster::next_due(plan::Moment now) const {
    auto due = state_.next_due(now);
    if (!state_.device_present() && patience_.holds(device_object, now))
        due = std::min(due.value_or(plan::Moment::max()), patience_.not_before(device_object));
    return due;
}

bool Cluster::holds_anything(plan::Moment now) {
    if (patience_.holds_anything(now) || state_.addresses().any_refused() ||
        state_.services().any_refused() || state_.destinations().any_refused())
        return true;
    for (std::size_t i = 0; i < plan::set_count; ++i)
        if (state_.set(plan::SetId::at(i)).any_refused()) return true;
    return false;
}

Report Cluster::settle(const Round& round, const Outcome& outcome) {
    Report report = settle_outcome({state_, drains_, patience_}, round, outcome);
    report.held = holds_anything(round.now);
    if (std::ranges::any_of(outcome.failures,
                            [](const Failure& failure) { return failure.part == Part::flows; }))
        flows_due_.insert(round.flow_owners.begin(), round.flow_owners.end());
    std::map<std::string, std::string> told;
    for (const auto& refused : report.refused) {
        const auto before = told_.find(refused.object);
        if (before == told_.end() || before->second != refused.cause)
            report.newly_refused.push_back(refused);
        told.emplace(refused.object, refused.cause);
    }
    // What is held back now was told already and is not forgotten while anything waits.
    if (report.held) told.merge(told_);
    told_ = std::move(told);
    return report;
}

std::vector<Portion> Cluster::portions(const std::set<Part>& parts, std::size_t slice) const {
    std::vector<Portion> all;
    const auto& enabled = state_.settings().enabled;
    if (parts.contains(Part::device)) all.push_back({.part = Part::device});
    for (const auto part : {Part::sets, Part::rules})
        for (const auto family : families)
            if (parts.contains(part) && enabled[family]) all.push_back({part, family});
    if (parts.contains(Part::services)) all.push_back({.part = Part::services});
    if (!parts.contains(Part::destinations)) return all;
    Portion portion{.part = Part::destinations};
    std::size_t filled = 0;
    for (const auto& [key, spec] : state_.services().wanted()) {
        if (filled++ == slice) {
            portion.last = key;
            all.push_back(std::exchange(portion, {.part = Part::destinations, .first = key}));
            filled = 1;
        }
    }
    all.push_back(std::move(portion));
    return all;
}

void Cluster::fill(Portion& portion) const {
    if (portion.part != Part::destinations) return;
    const auto& wanted = state_.services().wanted();
    auto at = portion.first ? wanted.lower_bound(*portion.first) : wanted.begin();
    const auto end = portion.last ? wanted.lower_bound(*portion.last) : wanted.end();
    portion.services.clear();
    for (; at != end; ++at)
        if (state_.services().believed_present(at->first)) portion.services.push_back(at->first);
}

std::vector<Portion> Cluster::portions(std::size_t slice) const {
    return portions({Part::device, Part::sets, Part::rules, Part::services, Part::destinations},
                    slice);
}

std::vector<model::Store::Trigger> Cluster::take_triggers(const PerFamily<bool>& families_taken) {
    const auto kept =
        std::stable_partition(triggers_.begin(), triggers_.end(),
                              [&](const auto& trigger) { return !families_taken[trigger.family]; });
    std::vector<model::Store::Trigger> taken{kept, triggers_.end()};
    triggers_.erase(kept, triggers_.end());
    return taken;
}

bool Cluster::in_order(Family family, plan::Moment now) const {
    if (patience_.failing(device_object, now)) return false;
    if (patience_.failing(family == Family::v4 ? "iptables" : "ip6tables", now)) return false;
    for (std::size_t i = 0; i < plan::set_count; ++i)
        if (const auto id = plan::SetId::at(i);
            id.family == family && patience_.failing(plan::set_name(id), now))
            return false;
    return true;
}

Cluster::NoLocal Cluster::services_without_local_endpoints() const {
    NoLocal count;
    for (const auto& [name, wish] : state_.contributions())
        for (const auto family : families) {
            count.internal[family] += wish.no_local_internal[family] ? 1U : 0U;
            count.external[family] += wish.no_local_external[family] ? 1U : 0U;
        }
    return count;
}

} // namespace ipvsproxy::sync
