#include "proxy/plan/text.h"

#include <algorithm>
#include <map>
#include <utility>

namespace ipvsproxy::plan {
namespace {

constexpr std::string_view device = "kube-ipvs0";
constexpr auto nobody = "no Service asks for it";

std::string_view service_option(Protocol protocol) {
    switch (protocol) {
    case Protocol::tcp:
        return "-t";
    case Protocol::udp:
        return "-u";
    case Protocol::sctp:
        return "--sctp-service";
    }
    return "?";
}

std::string_view forward_option(ipvs::Forward forward) {
    switch (forward) {
    case ipvs::Forward::masquerade:
        return "-m";
    case ipvs::Forward::local:
    case ipvs::Forward::bypass:
    case ipvs::Forward::route:
        return "-g";
    case ipvs::Forward::tunnel:
        return "-i";
    }
    return "?";
}

/// ipvsadm's names of a scheduler's own flags; others have none but flag-N.
std::string scheduler_flags(const ipvs::ServiceSpec& spec) {
    const auto name = spec.scheduler.text();
    const bool hashes = name == "sh" || name == "mh";
    std::string flags;
    const auto add = [&](std::uint32_t bit, std::string_view number, std::string_view word) {
        if ((spec.flags & bit) == 0) return;
        if (!flags.empty()) flags += ',';
        flags += hashes && !word.empty() ? name + '-' + std::string{word}
                                         : "flag-" + std::string{number};
    };
    add(ipvs::flag_scheduler_1, "1", "fallback");
    add(ipvs::flag_scheduler_2, "2", "port");
    add(ipvs::flag_scheduler_3, "3", "");
    return flags;
}

std::string address_text(const DeviceAddress& key) {
    return key.address.text() + '/' + std::to_string(key.prefix_length);
}

std::string ip_command(std::string_view action, const DeviceAddress& key,
                       const DeviceAddressSpec* spec) {
    if (key.binding == Binding::route)
        return std::string{key.address.family() == Family::v4 ? "ip" : "ip -6"} + " route " +
               std::string{action} + " local " + key.address.text() +
               " dev lo table local proto 155";
    std::string out = "ip address " + std::string{action} + ' ' + address_text(key) + " dev " +
                      std::string{device};
    if (spec != nullptr && spec->deprecated) out += " preferred_lft 0";
    return out;
}

/// As one types it: iptables-save writes a backslash before a single quote, which a shell would
/// take for a part of the text.
std::string iptables_command(Family family, const iptables::Chain& chain, std::string_view action,
                             std::string_view rule = {}) {
    std::string out = std::string{family == Family::v4 ? "iptables" : "ip6tables"} + " -t " +
                      std::string{name(chain.table)} + ' ' + std::string{action} + ' ' + chain.name;
    if (!rule.empty()) out += ' ';
    for (std::size_t i = 0; i < rule.size(); ++i)
        if (!rule.substr(i).starts_with("\\'")) out += rule[i];
    return out;
}

std::string differing(const ipvs::ServiceSpec& seen, const ipvs::ServiceSpec& wanted) {
    if (seen.scheduler != wanted.scheduler) return "scheduler is " + seen.scheduler.text();
    if (seen.flags != wanted.flags) return "flags are " + std::to_string(seen.flags);
    if (seen.timeout_seconds != wanted.timeout_seconds)
        return "affinity timeout is " + std::to_string(seen.timeout_seconds) + " s";
    if (seen.persistence_prefix != wanted.persistence_prefix)
        return "clients are grouped by /" + std::to_string(seen.persistence_prefix);
    return "persistence engine is " + seen.persistence_engine.text();
}

std::string differing(const ipvs::DestinationSpec& seen, const ipvs::DestinationSpec& wanted) {
    if (seen.weight != wanted.weight) return "weight is " + std::to_string(seen.weight);
    if (seen.forward != wanted.forward)
        return "forwarding method is " + std::string{forward_option(seen.forward)};
    return "thresholds are " + std::to_string(seen.upper_threshold) + '/' +
           std::to_string(seen.lower_threshold);
}

/// Who asks for an address or a set entry; where several do, one of them. Most are found by the
/// virtual server they go with; only for others is everybody's list read, once.
class Owners {
public:
    explicit Owners(const NodeState& state) : state_{state} {}

    std::string of(const Address& address) {
        const auto& servers = state_.services().wanted();
        const auto at = servers.lower_bound({address, {}, {}});
        const bool found = at != servers.end() && at->first.address == address;
        if (const auto* name = found ? state_.owner(at->first) : nullptr;
            name != nullptr && asks(*name, binding(address)))
            return name->text();
        read_all();
        return text(binding(address));
    }
    std::string of(const SetEntry& entry) {
        const auto& [id, one] = entry;
        if (const auto* name = state_.owner({one.address, one.port, one.protocol});
            name != nullptr && asks(*name, entry))
            return name->text();
        read_all();
        return text(entry);
    }

private:
    bool asks(const model::ObjectName& name, const SetEntry& entry) const {
        return std::ranges::binary_search(state_.contribution(name)->entries, entry);
    }
    void read_all() {
        if (std::exchange(all_read_, true)) return;
        for (const auto& [name, contribution] : state_.contributions())
            for (const auto& entry : contribution.entries)
                entries_.emplace(entry, &name);
    }
    std::string text(const SetEntry& entry) const {
        const auto at = entries_.find(entry);
        return at == entries_.end() ? std::string{} : at->second->text();
    }

    const NodeState& state_;
    bool all_read_{};
    std::map<SetEntry, const model::ObjectName*> entries_;
};

/// Collects the lines of one set of changes.
class Describer {
public:
    explicit Describer(const NodeState& state) : state_{state}, owners_{state} {}

    void describe(const NodeChanges& changes) {
        if (changes.create_device)
            add(Sign::add, "link", "ip link add " + std::string{device} + " type dummy", "missing");
        if (changes.destroy_device)
            add(Sign::remove, "link", "ip link del " + std::string{device}, "made by the proxy");
        for (const auto& [name, set] : changes.sets.sets)
            describe(name, set);
        for (const auto family : families)
            describe(family, changes.rules[family]);
        for (const auto& name : changes.sets.destroy) // which rules named until now
            add(Sign::remove, "ipset", "ipset destroy " + name, "made by the proxy");
        describe(changes.ipvs.services);
        describe(changes.ipvs.destinations, changes.ipvs.services);
        describe(changes.addresses);
    }

    std::vector<Line> take() {
        std::ranges::stable_sort(lines_, {}, &Line::service);
        return std::move(lines_);
    }

private:
    void add(Sign sign, std::string table, std::string command, std::string reason,
             std::string service = {}) {
        lines_.push_back(
            {sign, std::move(table), std::move(command), std::move(reason), std::move(service)});
    }

    /// In what the kernel differs; nothing when it is not known to differ any more.
    template <class Table, class Key, class Spec>
    static std::string why(const Table& table, const Key& key, const Spec& spec) {
        const auto at = table.differences().find(key);
        return at == table.differences().end() || !at->second.observed
                   ? std::string{}
                   : differing(*at->second.observed, spec);
    }

    std::string owner(const ipvs::ServiceKey& key) const {
        const auto* name = state_.owner(key);
        return name == nullptr ? std::string{} : name->text();
    }

    void describe(const std::string& name, const ipset::SetChanges& set) {
        const auto id = find_set(name);
        if (set.create) {
            const bool unfit = id && state_.set_in_kernel(*id);
            add(unfit ? Sign::update : Sign::add, "ipset", ipset_create(name, *set.create),
                unfit ? "too small or of another type: built anew, then swapped in" : "missing");
        }
        const auto entry_text = [&](const ipset::Entry& entry) {
            return ' ' + name + ' ' + ipset::text(set.spec.type, entry);
        };
        for (const auto& entry : set.remove)
            add(Sign::remove, "ipset", "ipset del" + entry_text(entry), nobody);
        for (const auto& entry : set.add)
            add(Sign::add, "ipset", "ipset add" + entry_text(entry), "missing",
                id ? owners_.of(SetEntry{*id, entry}) : std::string{});
    }

    /// In the order in which they can be typed: all chains are there before a rule leads to one.
    void describe(Family family, const iptables::TableChanges& changes) {
        for (const auto& [chain, rules] : changes.replace)
            if (state_.chain_missing(family, chain))
                add(Sign::add, "iptables", iptables_command(family, chain, "-N"), "missing");
        for (const auto& [chain, rules] : changes.replace) {
            if (!state_.chain_missing(family, chain))
                add(Sign::update, "iptables", iptables_command(family, chain, "-F"),
                    "content differs");
            for (const auto& rule : rules)
                add(Sign::add, "iptables", iptables_command(family, chain, "-A", rule), "");
        }
        for (const auto& [chain, rule] : changes.insert)
            add(Sign::add, "iptables", iptables_command(family, chain, "-I", rule), "missing");
        for (const auto& [chain, rule] : changes.remove_rules)
            add(Sign::remove, "iptables", iptables_command(family, chain, "-D", rule),
                "made by the proxy");
        for (const auto* action : {"-F", "-X"}) // none leads to another when the first goes
            for (const auto& chain : changes.remove_chains)
                add(Sign::remove, "iptables", iptables_command(family, chain, action),
                    "made by the proxy");
    }

    void describe(const ipvs::ServiceChanges& changes) {
        for (const auto& key : changes.remove)
            add(Sign::remove, "ipvs", ipvsadm("-D", key), nobody);
        for (const auto& [key, spec] : changes.update)
            add(Sign::update, "ipvs", ipvsadm("-E", key, spec), why(state_.services(), key, spec),
                owner(key));
        for (const auto& [key, spec] : changes.add)
            add(Sign::add, "ipvs", ipvsadm("-A", key, spec), "missing", owner(key));
    }

    void describe(const ipvs::DestinationChanges& changes, const ipvs::ServiceChanges& services) {
        for (const auto& key : changes.remove)
            if (!services.remove.contains(key.service))
                add(Sign::remove, "ipvs", ipvsadm("-d", key), "no ready endpoint",
                    owner(key.service));
        for (const auto& [key, spec] : changes.update) {
            const bool leaving = state_.destinations().wanted(key) == nullptr;
            add(Sign::update, "ipvs", ipvsadm("-e", key, spec),
                leaving ? "leaving, has connections" : why(state_.destinations(), key, spec),
                owner(key.service));
        }
        for (const auto& [key, spec] : changes.add)
            add(Sign::add, "ipvs", ipvsadm("-a", key, spec), "missing", owner(key.service));
    }

    void describe(const DeviceAddressChanges& changes) {
        for (const auto& key : changes.remove)
            add(Sign::remove, "address", ip_command("del", key, nullptr), nobody);
        for (const auto& [key, spec] : changes.update)
            add(Sign::update, "address", ip_command("change", key, &spec),
                spec.deprecated ? "not deprecated" : "deprecated", owners_.of(key.address));
        for (const auto& [key, spec] : changes.add)
            add(Sign::add, "address", ip_command("add", key, &spec), "missing",
                owners_.of(key.address));
    }

    const NodeState& state_;
    Owners owners_;
    std::vector<Line> lines_;
};

void append_chains(std::string& out, Family family, const iptables::Chains& chains) {
    for (const auto table : {iptables::TableName::nat, iptables::TableName::filter}) {
        out += "# " + std::string{family == Family::v4 ? "iptables" : "ip6tables"} + " -t " +
               std::string{name(table)} + '\n';
        for (const auto& [chain, rules] : chains)
            if (chain.table == table)
                for (const auto& rule : rules)
                    out += "-A " + chain.name + ' ' + rule + '\n';
    }
}

} // namespace

std::string ipvsadm(std::string_view action, const ipvs::ServiceKey& key) {
    return "ipvsadm " + std::string{action} + ' ' + std::string{service_option(key.protocol)} +
           ' ' + AddressPort{key.address, key.port}.text();
}

std::string ipvsadm(std::string_view action, const ipvs::ServiceKey& key,
                    const ipvs::ServiceSpec& spec) {
    std::string out = ipvsadm(action, key) + " -s " + spec.scheduler.text();
    if ((spec.flags & ipvs::flag_persistent) != 0) {
        out += " -p " + std::to_string(spec.timeout_seconds);
        if (spec.persistence_prefix != key.address.bits()) {
            out += " -M ";
            if (key.address.family() == Family::v6) out += std::to_string(spec.persistence_prefix);
            else
                out += Prefix{*Address::parse("255.255.255.255"), spec.persistence_prefix}
                           .address()
                           .text();
        }
    }
    if (!spec.persistence_engine.empty()) out += " --pe " + spec.persistence_engine.text();
    if ((spec.flags & ipvs::flag_one_packet) != 0) out += " -o";
    if (const auto flags = scheduler_flags(spec); !flags.empty()) out += " -b " + flags;
    return out;
}

std::string ipvsadm(std::string_view action, const ipvs::DestinationKey& key) {
    return ipvsadm(action, key.service) + " -r " + AddressPort{key.address, key.port}.text();
}

std::string ipvsadm(std::string_view action, const ipvs::DestinationKey& key,
                    const ipvs::DestinationSpec& spec) {
    std::string out = ipvsadm(action, key) + ' ' + std::string{forward_option(spec.forward)} +
                      " -w " + std::to_string(spec.weight);
    if (spec.upper_threshold != 0) out += " -x " + std::to_string(spec.upper_threshold);
    if (spec.lower_threshold != 0) out += " -y " + std::to_string(spec.lower_threshold);
    return out;
}

std::string ipset_create(const std::string& name, const ipset::SetSpec& spec) {
    std::string out = "ipset create " + name + ' ' + std::string{ipset::name(spec.type)};
    if (spec.type == ipset::Type::bitmap_port) return out + " range 0-65535";
    return out + " family " + (spec.family == Family::v4 ? "inet" : "inet6") + " maxelem " +
           std::to_string(spec.max_entries);
}

std::vector<Line> describe(const NodeChanges& changes, const NodeState& state) {
    Describer describer{state};
    describer.describe(changes);
    return describer.take();
}

std::vector<Line> describe_leaving(const ipvs::Destinations& leaving) {
    std::vector<Line> lines;
    for (const auto& [key, spec] : leaving)
        lines.push_back(
            {Sign::update, "ipvs", ipvsadm("-e", key, spec), "leaving, has connections", ""});
    return lines;
}

std::string text(const std::vector<Line>& lines) {
    std::string out;
    const std::string* heading = nullptr;
    for (const auto& line : lines) {
        if (heading == nullptr || *heading != line.service) {
            if (heading != nullptr) out += '\n';
            out += line.service.empty() ? "# node\n" : "# Service " + line.service + '\n';
            heading = &line.service;
        }
        out += static_cast<char>(line.sign);
        out += ' ' + line.command;
        if (!line.reason.empty()) out += "  # " + line.reason;
        out += '\n';
    }
    return out;
}

std::string text(const NodeSnapshot& state) {
    std::string out = "# addresses of " + std::string{device} +
                      (state.device.present ? "\n" : " (there is no such link)\n");
    for (const auto& [key, spec] : state.device.addresses)
        out += address_text(key) + (key.binding == Binding::route ? " route" : "") +
               (spec.deprecated ? " deprecated\n" : "\n");
    out += "# ipvsadm -S -n\n";
    const auto without_tool = [](const std::string& command) { return command.substr(8) + '\n'; };
    auto next = state.destinations.specs.begin();
    const auto end = state.destinations.specs.end();
    for (const auto& [key, spec] : state.services) {
        out += without_tool(ipvsadm("-A", key, spec));
        while (next != end && next->first.service < key)
            ++next;
        for (; next != end && next->first.service == key; ++next)
            out += without_tool(ipvsadm("-a", next->first, next->second));
    }
    out += "# ipset save\n";
    for (const auto& [name, set] : state.sets)
        out += ipset_create(name, set.spec).substr(6) + '\n';
    for (const auto& [name, set] : state.sets)
        for (const auto& entry : set.entries)
            out += "add " + name + ' ' + ipset::text(set.spec.type, entry) + '\n';
    for (const auto family : families)
        append_chains(out, family, state.chains[family]);
    return out;
}

} // namespace ipvsproxy::plan
