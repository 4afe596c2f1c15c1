#include "proxy/sync/settling.h"

#include <algorithm>
#include <sstream>

#include "ipset/error.h"
#include "proxy/plan/ledger_walks.h"

namespace ipvsproxy::sync {
namespace {

template <class T> std::string shown(const T& value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

/// Errors that mean "the table is not as was believed" rather than "this cannot be".
bool means_drift(const std::error_code& error) {
    return error == std::errc::file_exists || error == std::errc::no_such_process ||
           error == std::errc::no_such_file_or_directory || error == std::errc::no_such_device;
}

class Settling {
public:
    Settling(Memory memory, const Round& round, const Outcome& outcome)
        : state_{memory.state}, drains_{memory.drains}, patience_{memory.patience}, round_{round},
          outcome_{outcome} {}

    Report settle() {
        for (const auto& failure : outcome_.failures)
            fail(failure);
        settle_device();
        settle_sets();
        for (const auto family : families)
            settle_rules(family);
        settle_ipvs();
        settle_leaving();
        report_.flows = outcome_.flows;
        for (const auto family : families)
            if (const auto& flows = outcome_.flows[family])
                report_.forgotten_flows += flows->deleted;
        const auto all = outcome_.written.size();
        report_.changes = all - std::min(all, report_.refused.size());
        return std::move(report_);
    }

private:
    bool failed(Part part) const {
        return std::ranges::any_of(outcome_.failures,
                                   [=](const Failure& failure) { return failure.part == part; });
    }

    void refuse(Part part, std::string object, const std::error_code& error) {
        report_.refused.push_back(
            {std::move(object), error.message(), remedy(part, error), part, error});
        if (means_drift(error)) report_.doubtful.insert(part);
        // ESRCH: the virtual server of a real server has gone.
        if (part == Part::destinations && error == std::errc::no_such_process)
            report_.doubtful.insert(Part::services);
    }

    void fail(const Failure& failure) {
        report_.refused.push_back({std::string{name(failure.part)}, failure.reason,
                                   remedy(failure.part, failure.error), failure.part,
                                   failure.error});
        if (failure.part != Part::flows) report_.doubtful.insert(failure.part);
        if (failure.part == Part::services) report_.doubtful.insert(Part::destinations);
    }

    /// Believes what of `changes` was not refused; holds the rest back.
    template <class Ledger, class Key, class Spec>
    void learn(Ledger& ledger, const Changes<Key, Spec>& changes,
               const std::vector<Refusal<Key>>& refused) {
        if (refused.empty()) {
            ledger.applied(changes);
            return;
        }
        auto taken = changes;
        for (const auto& refusal : refused) {
            taken.add.erase(refusal.key);
            taken.update.erase(refusal.key);
            taken.remove.erase(refusal.key);
        }
        ledger.applied(taken);
        for (const auto& refusal : refused)
            hold(ledger, refusal.key);
    }

    template <class Ledger, class Key> void hold(Ledger& ledger, const Key& key) {
        ledger.hold(key, round_.now + pause_after_refusals(ledger.refuse(key)));
    }

    template <class Ledger, class Key, class Spec>
    void hold_all(Ledger& ledger, const Changes<Key, Spec>& changes) {
        for (const auto& key : changes.remove)
            hold(ledger, key);
        for (const auto& [key, spec] : changes.update)
            hold(ledger, key);
        for (const auto& [key, spec] : changes.add)
            hold(ledger, key);
    }

    void settle_device() {
        const auto& written = outcome_.written;
        if (failed(Part::device) || outcome_.addresses.unknown) {
            report_.doubtful.insert(Part::device);
            hold_all(state_.addresses(), written.addresses);
            if (written.create_device) patience_.refused(device_object, round_.now);
            return;
        }
        if (written.create_device) state_.device_created();
        learn(state_.addresses(), written.addresses, outcome_.addresses.refused);
        for (const auto& refusal : outcome_.addresses.refused)
            refuse(Part::device,
                   refusal.key.binding == Binding::route
                       ? shown(refusal.key)
                       : "address " + shown(refusal.key) + " of kube-ipvs0",
                   refusal.error);
    }

    void settle_sets() {
        if (failed(Part::sets)) {
            for (const auto& [name, set] : outcome_.written.sets.sets)
                if (const auto id = plan::find_set(name))
                    state_.hold_set(*id, patience_.refused(name, round_.now));
            return;
        }
        for (const auto& [name, set] : outcome_.written.sets.sets)
            if (const auto id = plan::find_set(name)) settle_set(*id, name, set);
        for (const auto& refusal : outcome_.sets.refused) {
            const auto& [set, entry] = refusal.key;
            const auto id = plan::find_set(set);
            const auto type = id ? plan::set_spec(*id).type : ipset::Type::hash_ip_port;
            refuse(Part::sets,
                   entry ? "ipset entry " + set + ' ' + ipset::text(type, *entry) : "ipset " + set,
                   refusal.error);
        }
    }

    void settle_set(plan::SetId id, const std::string& name, const ipset::SetChanges& set) {
        Changes<ipset::Entry, Present> changes;
        changes.remove.insert(set.remove.begin(), set.remove.end());
        for (const auto& entry : set.add)
            changes.add.try_emplace(entry);
        std::vector<Refusal<ipset::Entry>> refused;
        bool whole = outcome_.sets.unknown.contains(name);
        if (whole) report_.doubtful.insert(Part::sets);
        for (const auto& refusal : outcome_.sets.refused) {
            if (refusal.key.set != name) continue;
            if (refusal.key.entry) refused.push_back({*refusal.key.entry, refusal.error});
            else whole = true;
        }
        if (whole) {
            report_.doubtful.insert(Part::sets);
            state_.hold_set(id, patience_.refused(name, round_.now));
            return;
        }
        patience_.taken(name);
        if (set.create) state_.set_created(id, *set.create);
        learn(state_.set(id), changes, refused);
    }

    void settle_rules(Family family) {
        const auto& changes = outcome_.written.rules[family];
        const auto& refused = outcome_.rules[family];
        if (changes.empty()) return;
        const std::string object = family == Family::v4 ? "iptables" : "ip6tables";
        if (refused.empty() && !failed(Part::rules)) {
            state_.rules_applied(family, changes);
            patience_.taken(object);
            return;
        }
        report_.doubtful.insert(Part::rules);
        report_.rules_refused[family] = true;
        state_.hold_rules(family, patience_.refused(object, round_.now));
        for (const auto& refusal : refused)
            report_.refused.push_back(
                {object + " table " + std::string{iptables::name(refusal.table)}, refusal.reason,
                 remedy(Part::rules, refusal.error), Part::rules, refusal.error});
    }

    void settle_ipvs() {
        const auto& written = outcome_.written.ipvs;
        if (failed(Part::services) || outcome_.ipvs.unknown) {
            report_.doubtful.insert({Part::services, Part::destinations});
            hold_all(state_.services(), written.services);
            hold_all(state_.destinations(), written.destinations);
            return;
        }
        learn(state_.services(), written.services, outcome_.ipvs.services);
        for (const auto& refusal : outcome_.ipvs.services)
            refuse(Part::services, "virtual server " + refusal.key.text(), refusal.error);
        learn(state_.destinations(), written.destinations, outcome_.ipvs.destinations);
        std::set<ipvs::ServiceKey> without;
        for (const auto& refusal : outcome_.ipvs.services)
            without.insert(refusal.key);
        for (const auto& refusal : outcome_.ipvs.destinations) {
            // A real server of a virtual server that was refused itself is no news.
            if (without.contains(refusal.key.service)) continue;
            refuse(Part::destinations, "real server " + refusal.key.text(), refusal.error);
        }
    }

    void settle_leaving() {
        report_.leaving = outcome_.leaving;
        const bool lost = failed(Part::services) || outcome_.ipvs.unknown;
        for (const auto& [key, spec] : outcome_.leaving) {
            const bool refused =
                std::ranges::any_of(outcome_.ipvs.destinations, [&key = key](const auto& refusal) {
                    return refusal.key == key;
                });
            if (!refused && !lost) state_.destinations().observe(key, spec);
            state_.destinations().hold(key, drains_.put_off(key, round_.now));
        }
        std::vector<ipvs::DestinationKey> over;
        for (const auto& [key, deadline] : drains_.deadlines())
            if (!state_.destinations().differences().contains(key) ||
                state_.destinations().wanted(key) != nullptr)
                over.push_back(key);
        for (const auto& key : over)
            drains_.forget(key);
    }

    plan::NodeState& state_;
    plan::Drains& drains_;
    Patience& patience_;
    const Round& round_;
    const Outcome& outcome_;
    Report report_;
};

} // namespace

std::string remedy(Part part, const std::error_code& error) {
    if (error == std::errc::operation_not_permitted || error == std::errc::permission_denied)
        // The tools and libraries of iptables ask through raw sockets.
        return part == Part::rules
                   ? "the process needs CAP_NET_ADMIN and CAP_NET_RAW in this network namespace"
                   : "the process needs CAP_NET_ADMIN in this network namespace";
    if (error == std::errc::not_enough_memory || error == std::errc::no_buffer_space)
        return "the kernel is short of memory; tried again later";
    if (part == Part::services && error == std::errc::no_such_file_or_directory)
        return "the kernel has no such scheduler: load its module (modprobe ip_vs_<scheduler>) or "
               "choose another with ipvs.scheduler";
    if (part == Part::services && error == std::errc::protocol_not_supported)
        return "this kernel's IPVS lacks the protocol or the address family";
    if (error == ipset::make_error_code(ipset::Error::unknown_type))
        return "load the modules of the set types: modprobe -a ip_set_hash_ip ip_set_hash_ipport "
               "ip_set_hash_ipportip ip_set_hash_ipportnet ip_set_bitmap_port";
    if (part == Part::device && error == std::errc::operation_not_supported)
        return "the kernel lacks the dummy device: modprobe dummy";
    return {};
}

Report settle_outcome(Memory memory, const Round& round, const Outcome& outcome) {
    return Settling{memory, round, outcome}.settle();
}

} // namespace ipvsproxy::sync
