#include "tests/proxy/plan/scenario.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "proxy/api/decode.h"
#include "proxy/plan/ledger_walks.h"
#include "proxy/plan/text.h"

namespace ipvsproxy::plan {
namespace {

std::vector<model::Symbol> symbols(const std::string& list) {
    std::vector<model::Symbol> all;
    std::istringstream in{list};
    for (std::string one; std::getline(in, one, ',');)
        all.emplace_back(one);
    return all;
}

model::Endpoint endpoint(const std::string& word) {
    const auto end = word.find_first_of("!@#");
    model::Endpoint one{.address = ip("10.244.0" + word.substr(1, end - 1)),
                        .node = model::Symbol{word.front() == 'L' ? "n1" : "n2"}};
    for (auto at = end; at != std::string::npos;) {
        const auto next = word.find_first_of("!@#", at + 1);
        const auto value = word.substr(at + 1, next - at - 1);
        if (word[at] == '@') one.zone_hints = symbols(value);
        else if (word[at] == '#') one.node_hints = symbols(value);
        else {
            one.ready = false;
            one.serving = value == "term";
            one.terminating = value != "unready";
        }
        at = next;
    }
    return one;
}

void patch(iptables::Chains& chains, const iptables::TableChanges& changes) {
    for (const auto& [chain, rules] : changes.replace)
        chains[chain] = rules;
    for (const auto& [chain, rule] : changes.insert)
        chains[chain].insert(chains[chain].begin(), rule);
    for (const auto& [chain, rule] : changes.remove_rules)
        std::erase(chains.at(chain), rule);
    for (const auto& chain : changes.remove_chains)
        chains.erase(chain);
}

} // namespace

Address ip(std::string_view text) {
    const auto address = Address::parse(text);
    if (!address) throw std::invalid_argument{std::string{text}};
    return *address;
}

ipvs::ServiceKey key(std::string_view text) {
    const auto slash = text.rfind('/'), colon = text.rfind(':', slash);
    auto address = text.substr(0, colon);
    if (address.starts_with('[')) address = address.substr(1, address.size() - 2);
    const auto port = std::stoul(std::string{text.substr(colon + 1)});
    return {ip(address), Port{static_cast<std::uint16_t>(port)},
            parse_protocol(text.substr(slash + 1)).value()};
}

std::vector<model::Endpoint> endpoints(std::string_view line) {
    std::vector<model::Endpoint> all;
    std::istringstream in{std::string{line}};
    for (std::string word; in >> word;)
        all.push_back(endpoint(word));
    return all;
}

model::EndpointSlice slice(std::string_view line, std::string name) {
    return {.name = {"default", std::move(name)},
            .service = {"default", "web"},
            .ports = {{.name = model::Symbol{"http"}, .port = Port{8080}}},
            .endpoints = endpoints(line)};
}

model::Service web(model::ServiceType type) {
    return {.name = {"default", "web"},
            .type = type,
            .cluster_ip = {.v4 = ip("10.96.0.10")},
            .ports = {{.name = model::Symbol{"http"}, .port = Port{80}}}};
}

std::string short_form(const std::vector<AddressPort>& all) {
    std::string out;
    for (const auto& at : all) {
        const auto text = at.address.text();
        out += (out.empty() ? "" : " ") + text.substr(text.rfind('.'));
    }
    return out;
}

Scenario::Scenario(Settings settings) : settings_{settings}, state_{std::move(settings)} {
    node.name = model::Symbol{"n1"};
    node.ip = {ip("192.0.2.10"), ip("2001:db8::10")};
    interfaces({{"eth0", ip("192.0.2.10")}, {"eth0", ip("2001:db8::10")}});
}

Scenario& Scenario::apply(std::string_view yaml) {
    const auto refused = api::decode_yaml(yaml, [this](api::Decoded&& decoded) {
        if (!decoded.object) throw std::invalid_argument{decoded.object.error().text()};
        if (const auto* service = std::get_if<model::Service>(&*decoded.object))
            store.put(*service);
        else if (const auto* some = std::get_if<model::EndpointSlice>(&*decoded.object))
            store.put(*some);
        else if (const auto* known = std::get_if<model::Node>(&*decoded.object)) store.put(*known);
        else store.remove_slice(decoded.name);
    });
    if (refused) throw std::invalid_argument{refused->text()};
    return *this;
}

Scenario& Scenario::put(model::Service service) {
    store.put(std::move(service));
    return *this;
}

Scenario& Scenario::put(model::EndpointSlice slice) {
    store.put(std::move(slice));
    return *this;
}

void Scenario::interfaces(const std::vector<InterfaceAddress>& elsewhere) {
    take_interfaces(node, settings_, elsewhere);
    kernel.device.elsewhere = elsewhere;
    all_ = true;
}

NodeState& Scenario::state() {
    auto dirty = store.take_dirty();
    if (std::exchange(all_, false))
        for (const auto& [name, service] : store.services())
            dirty.insert(name);
    for (const auto& name : dirty) {
        const auto* service = store.service(name);
        state_.replace(name, service == nullptr
                                 ? Contribution{}
                                 : contribution(*service, store.slices(name), node, settings_));
    }
    return state_;
}

Lines Scenario::servers() {
    const auto wanted = state().desired();
    Lines lines;
    for (const auto& [server, spec] : wanted.services) {
        auto line = server.text();
        if (spec.scheduler != "rr") line += ' ' + spec.scheduler.text();
        if (spec.flags != 0) line += " flags " + std::to_string(spec.flags);
        if (spec.timeout_seconds != 0) line += " timeout " + std::to_string(spec.timeout_seconds);
        line += " ->";
        for (const auto& [at, how] : wanted.destinations.specs)
            if (at.service == server) line += ' ' + AddressPort{at.address, at.port}.text();
        lines.push_back(line);
    }
    return lines;
}

std::string Scenario::reached(std::string_view server) {
    if (state().services().wanted(key(server)) == nullptr) return "none";
    std::vector<AddressPort> all;
    for (const auto& [at, wanted] : state_.destinations().wanted())
        if (at.service == key(server)) all.push_back({at.address, at.port});
    return short_form(all);
}

Lines Scenario::entries(const std::string& set) {
    const auto wanted = state().desired().sets.at(set);
    Lines lines;
    for (const auto& entry : wanted.entries)
        lines.push_back(ipset::text(wanted.spec.type, entry));
    return lines;
}

Lines Scenario::addresses() {
    Lines lines;
    for (const auto& [at, wanted] : state().addresses().wanted())
        lines.push_back(at.address.text());
    return lines;
}

Lines Scenario::chain(iptables::TableName table, const std::string& name, Family family) {
    return state().desired().chains[family].at({table, name});
}

std::string Scenario::plan() {
    const auto changes = state().changes();
    return text(describe(changes, state_));
}

std::string Scenario::round() {
    const auto changes = state().changes();
    auto said = text(describe(changes, state_));
    patch(kernel, changes);
    learn(state_, changes);
    return said;
}

std::size_t Scenario::look() {
    return state().observe(kernel);
}

void patch(NodeSnapshot& kernel, const NodeChanges& changes) {
    if (changes.create_device) {
        kernel.device.present = true;
        kernel.device.kind = "dummy";
    }
    ipvsproxy::patch(kernel.device.addresses, changes.addresses);
    for (const auto& gone : changes.ipvs.services.remove)
        erase_if(kernel.destinations.specs,
                 [&](const auto& one) { return one.first.service == gone; });
    ipvsproxy::patch(kernel.services, changes.ipvs.services);
    ipvsproxy::patch(kernel.destinations.specs, changes.ipvs.destinations);
    for (const auto& [name, set] : changes.sets.sets) {
        auto& held = kernel.sets[name];
        if (set.create) held.spec = *set.create;
        for (const auto& entry : set.remove)
            held.entries.erase(entry);
        held.entries.insert(set.add.begin(), set.add.end());
    }
    for (const auto& name : changes.sets.destroy)
        kernel.sets.erase(name);
    for (const auto family : families)
        patch(kernel.chains[family], changes.rules[family]);
    if (!changes.destroy_device) return;
    auto elsewhere = std::move(kernel.device.elsewhere);
    kernel.device = {};
    kernel.device.elsewhere = std::move(elsewhere);
}

void learn(NodeState& state, const NodeChanges& changes) {
    if (changes.create_device) state.device_created();
    state.addresses().applied(changes.addresses);
    state.services().applied(changes.ipvs.services);
    state.destinations().applied(changes.ipvs.destinations);
    for (const auto& [name, set] : changes.sets.sets) {
        const auto id = find_set(name).value();
        if (set.create) state.set_created(id, *set.create);
        for (const auto& entry : set.remove)
            state.set(id).observe(entry, std::nullopt);
        for (const auto& entry : set.add)
            state.set(id).observe(entry, Present{});
    }
    for (const auto family : families)
        if (!changes.rules[family].empty()) state.rules_applied(family, changes.rules[family]);
}

} // namespace ipvsproxy::plan
