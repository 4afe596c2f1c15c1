#include "proxy/sync/kernel.h"

#include <algorithm>
#include <set>
#include <utility>

namespace ipvsproxy::sync {
namespace {

template <class T> void append(std::vector<T>& to, std::vector<T> from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

/// Writes one round, step by step, and gathers what was refused.
class Writer {
public:
    /// @param open addresses with a virtual server behind them already
    Writer(Kernel& kernel, Outcome& outcome, SortedSet<Address> open)
        : kernel_{kernel}, outcome_{outcome}, open_{std::move(open)} {}

    void write(plan::Step& step) {
        std::visit([this](auto& one) { write(one); }, step);
    }

    /// Runs `work`; a table that cannot be asked fails alone.
    template <class Work> void guard(Part part, const Work& work) {
        try {
            work();
        } catch (const std::system_error& error) {
            outcome_.failures.push_back({part, error.code(), error.what()});
        } catch (const std::exception& error) {
            outcome_.failures.push_back({part, {}, error.what()});
        }
    }

private:
    void write(plan::CreateDevice) {
        guard(Part::device, [&] { kernel_.device.create(); });
    }

    void write(plan::DestroyDevice) {
        guard(Part::device, [&] { kernel_.device.destroy(); });
    }

    void write(DeviceAddressChanges& changes) {
        skip_addresses_without_server(changes);
        std::erase_if(changes.remove,
                      [&](const DeviceAddress& key) { return not_opened_.contains(key.address); });
        guard(Part::device, [&] {
            auto outcome = kernel_.device.apply(changes);
            note_closed_doors(changes, outcome);
            append(outcome_.addresses.refused, std::move(outcome.refused));
            outcome_.addresses.unknown |= outcome.unknown;
        });
    }

    void write(ipset::TableChanges& changes) {
        guard(Part::sets, [&] {
            auto outcome = kernel_.ipset.apply(changes);
            append(outcome_.sets.refused, std::move(outcome.refused));
            outcome_.sets.unknown.merge(outcome.unknown);
        });
    }

    void write(plan::RuleStep& step) {
        guard(Part::rules, [&] {
            append(outcome_.rules[step.family], kernel_.rules[step.family]->apply(step.changes));
        });
    }

    void write(ipvs::TableChanges& changes) {
        guard(Part::services, [&] {
            auto outcome = kernel_.ipvs.apply(changes);
            note_doors(changes, outcome);
            append(outcome_.ipvs.services, std::move(outcome.services));
            append(outcome_.ipvs.destinations, std::move(outcome.destinations));
            outcome_.ipvs.unknown |= outcome.unknown;
        });
    }

    /// Remembers addresses that have got a virtual server.
    void note_doors(const ipvs::TableChanges& changes, const ipvs::Outcome& outcome) {
        if (outcome.unknown) return;
        std::set<ipvs::ServiceKey> refused;
        for (const auto& refusal : outcome.services)
            refused.insert(refusal.key);
        for (const auto& [key, spec] : changes.services.add)
            if (!refused.contains(key)) open_.insert(key.address);
    }

    /// Remembers addresses that did not become local, or may not have: what makes them local so
    /// far stays until the new way has been taken.
    void note_closed_doors(const DeviceAddressChanges& changes, const DeviceOutcome& outcome) {
        for (const auto& refusal : outcome.refused)
            not_opened_.insert(refusal.key.address);
        if (!outcome.unknown) return;
        for (const auto& [key, spec] : changes.add)
            not_opened_.insert(key.address);
    }

    /// Traffic to an address without a virtual server behind it would end at whatever listens on
    /// the node itself; so such an address stays unbound until there is one.
    void skip_addresses_without_server(DeviceAddressChanges& changes) {
        auto open = open_.begin(); // addresses come in their order
        const auto end = open_.end();
        erase_if(changes.add, [&](const auto& entry) {
            const auto& address = entry.first.address;
            while (open != end && *open != address && *open < address)
                ++open;
            if (open != end && *open == address) return false;
            outcome_.skipped.push_back(entry.first);
            return true;
        });
    }

    Kernel& kernel_;
    Outcome& outcome_;
    SortedSet<Address> open_;
    std::set<Address> not_opened_;
};

std::map<std::string, std::optional<ipset::Set>> read_sets(ipset::Table& table, Family family) {
    const auto headers = table.headers();
    std::map<std::string, std::optional<ipset::Set>> sets;
    for (std::size_t i = 0; i < plan::set_count; ++i) {
        const auto id = plan::SetId::at(i);
        if (id.family != family) continue;
        const auto name = plan::set_name(id);
        const auto header = headers.find(name);
        if (header == headers.end()) continue;
        auto& set = sets[name];
        const auto& [spec, entry_count] = header->second;
        if (!spec) continue;
        // The kernel looks at each of the 65,536 places of a bitmap to find that it is empty.
        if (entry_count == 0) set = ipset::Set{*spec, {}};
        else if (auto entries = table.entries(name)) set = ipset::Set{*spec, *std::move(entries)};
    }
    return sets;
}

/// Family by family: each has a conntrack table of its own to walk, and metrics of its own.
std::optional<Forgetting> forget(Kernel& kernel, const Round& round, Family family) {
    std::vector<StaleFlows> stale;
    for (const auto& flows : round.flows)
        if (flows.destination.address.family() == family) stale.push_back(flows);
    if (stale.empty()) return {};
    const auto begin = std::chrono::steady_clock::now();
    const auto deleted = kernel.flows.forget(stale);
    return Forgetting{deleted, std::chrono::steady_clock::now() - begin};
}

std::vector<ipvs::ServiceKey> keys_of(const ipvs::Services& services) {
    std::vector<ipvs::ServiceKey> keys;
    keys.reserve(services.size());
    for (const auto& [key, spec] : services)
        keys.push_back(key);
    return keys;
}

} // namespace

std::string_view name(Part part) noexcept {
    switch (part) {
    case Part::device:
        return "kube-ipvs0";
    case Part::services:
        return "IPVS virtual servers";
    case Part::destinations:
        return "IPVS real servers";
    case Part::sets:
        return "ipsets";
    case Part::rules:
        return "iptables rules";
    case Part::flows:
        return "conntrack";
    }
    return "?";
}

Outcome apply(Kernel& kernel, Round& round) {
    Outcome outcome;
    Writer writer{kernel, outcome, std::move(round.served)};
    auto& changes = round.changes;
    const auto to_count = plan::leaving_to_count(changes.ipvs);
    if (!to_count.empty()) {
        // Without a count nothing leaves: connections may not be cut because of a failed read.
        std::optional<ipvs::ObservedDestinations> seen;
        writer.guard(Part::destinations, [&] { seen = kernel.ipvs.look_up(to_count); });
        if (seen) outcome.leaving = plan::drain(changes.ipvs, *seen, round.deadlines, round.now);
        else changes.ipvs.destinations.remove.clear();
    }
    for (auto& step : plan::steps(std::exchange(changes, {}), round.urgent)) {
        writer.write(step);
        plan::absorb(outcome.written, std::move(step));
    }
    for (const auto family : families)
        writer.guard(Part::flows, [&] { outcome.flows[family] = forget(kernel, round, family); });
    return outcome;
}

plan::NodeSnapshot snapshot(Kernel& kernel) {
    plan::NodeSnapshot all;
    all.device = kernel.device.snapshot();
    all.services = kernel.ipvs.services();
    all.destinations = kernel.ipvs.destinations(keys_of(all.services));
    for (const auto family : families) {
        all.families[family] = kernel.rules[family] != nullptr;
        for (auto& [name, set] : read_sets(kernel.ipset, family)) {
            if (set) all.sets.emplace(name, *std::move(set));
            else all.foreign_sets.insert(name);
        }
        if (kernel.rules[family] != nullptr) all.chains[family] = kernel.rules[family]->snapshot();
    }
    return all;
}

Sight look(Kernel& kernel, Portion portion) {
    Sight sight;
    switch (portion.part) {
    case Part::device:
        sight.seen = kernel.device.snapshot();
        break;
    case Part::services:
        sight.seen = kernel.ipvs.services();
        break;
    case Part::destinations:
        sight.seen = kernel.ipvs.destinations(portion.services);
        break;
    case Part::sets:
        sight.seen = read_sets(kernel.ipset, portion.family);
        break;
    case Part::rules:
        sight.seen = kernel.rules[portion.family]->snapshot();
        break;
    case Part::flows: // nothing is kept there, so nothing is audited
        break;
    }
    sight.portion = std::move(portion);
    return sight;
}

std::size_t observe(plan::NodeState& state, const Sight& sight) {
    const auto& portion = sight.portion;
    switch (portion.part) {
    case Part::device:
        return state.observe_device(std::get<DeviceState>(sight.seen));
    case Part::services:
        return state.observe_services(std::get<ipvs::Services>(sight.seen));
    case Part::destinations:
        return state.observe_destinations(std::get<ipvs::ObservedDestinations>(sight.seen).specs,
                                          portion.first, portion.last);
    case Part::rules:
        return state.observe_rules(portion.family, std::get<iptables::Chains>(sight.seen));
    case Part::flows:
        return 0;
    case Part::sets:
        break;
    }
    const auto& sets = std::get<std::map<std::string, std::optional<ipset::Set>>>(sight.seen);
    std::size_t drift = 0;
    for (std::size_t i = 0; i < plan::set_count; ++i) {
        const auto id = plan::SetId::at(i);
        if (id.family != portion.family) continue;
        const auto found = sets.find(plan::set_name(id));
        if (found == sets.end() || !found->second) drift += state.observe_set(id, {}, {});
        else drift += state.observe_set(id, found->second->spec, found->second->entries);
    }
    return drift;
}

} // namespace ipvsproxy::sync
