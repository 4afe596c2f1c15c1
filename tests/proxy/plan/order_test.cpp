#include <algorithm>
#include <catch2/catch.hpp>

#include "proxy/plan/order.h"
#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;

namespace {

/// What a step does, in a word each: `+device`, `+sets`, `+ipvs`, `-address` …
struct Gist {
    std::string operator()(CreateDevice) const { return "+device"; }
    std::string operator()(DestroyDevice) const { return "-device"; }
    std::string operator()(const DeviceAddressChanges& changes) const {
        return changes.remove.empty() ? "+address" : "-address";
    }
    std::string operator()(const ipset::TableChanges& changes) const {
        std::set<char> signs;
        for (const auto& [name, set] : changes.sets) {
            if (set.create) signs.insert('*');
            if (!set.add.empty()) signs.insert('+');
            if (!set.remove.empty()) signs.insert('-');
        }
        return std::string{signs.begin(), signs.end()} + "sets";
    }
    std::string operator()(const RuleStep& step) const {
        return step.family == Family::v4 ? "rules" : "rules6";
    }
    std::string operator()(const ipvs::TableChanges& changes) const {
        return changes.services.remove.empty() ? "+ipvs" : "-ipvs";
    }
};

Lines gists(const std::vector<Step>& steps) {
    Lines all;
    for (const auto& step : steps)
        all.push_back(std::visit(Gist{}, step));
    return all;
}

Lines order_of(Scenario& node, const Urgent& urgent = {}) {
    return gists(steps(node.state().changes(), urgent));
}

model::Service named(const char* space, const char* name, const char* address) {
    auto service = web();
    service.name = {space, name};
    service.cluster_ip.v4 = ip(address);
    return service;
}

Urgent urgent_of(Scenario& node, const model::ObjectName& name) {
    Urgent urgent;
    urgent.add(*node.state().contribution(name));
    return urgent;
}

/// Comparable whatever order entries stand in.
std::string comparable(NodeChanges changes, const NodeState& state) {
    for (auto& [name, set] : changes.sets.sets)
        std::ranges::sort(set.add);
    return text(describe(changes, state));
}

} // namespace

TEST_CASE("D-03 make before break: sets, rules, virtual servers, and the address last", "[plan]") {
    Scenario node;
    node.put(web()).put(slice("R.1"));
    CHECK(order_of(node) == Lines{"+device", "*+sets", "rules", "rules6", "+ipvs", "+address"});
    node.round();
    auto service = web();
    service.external_ips = {ip("203.0.113.7")};
    node.put(service);
    CHECK(order_of(node) == Lines{"+sets", "rules", "+ipvs", "+address"});
}

TEST_CASE("D-03 what goes leaves the other way round: the address first, its entries last",
          "[plan]") {
    Scenario node;
    node.put(web()).put(slice("R.1"));
    node.put(named("default", "stays", "10.96.0.20"));
    node.round();
    node.store.remove_service({"default", "web"});
    CHECK(order_of(node) == Lines{"-address", "-ipvs", "-sets"});
}

TEST_CASE("an address that is bound in another way is bound anew before it is let go", "[plan]") {
    for (const auto binding : {Binding::address, Binding::route}) {
        Settings before, after;
        (binding == Binding::address ? after : before).vip_binding = Binding::route;
        Scenario first{before};
        first.put(web()).put(slice("R.1"));
        first.round();
        Scenario second{after};
        second.kernel = first.kernel;
        second.put(web()).put(slice("R.1"));
        second.look();
        CHECK(order_of(second) == Lines{"+address", "-address"});
        CHECK(second.round().find(binding == Binding::address ? "+ ip route" : "- ip route") !=
              std::string::npos);
        CHECK(second.kernel.device == [&] {
            Scenario alone{after};
            alone.put(web()).put(slice("R.1"));
            alone.round();
            return alone.kernel.device;
        }());
    }
}

TEST_CASE("an endpoint costs one step", "[plan]") {
    Scenario node;
    node.put(web()).put(slice("R.1"));
    node.round();
    node.put(slice("R.1 R.2"));
    const auto changes = steps(node.state().changes(), {});
    REQUIRE(changes.size() == 1);
    const auto& ipvs = std::get<ipvs::TableChanges>(changes.front());
    CHECK(ipvs.services.empty());
    CHECK(ipvs.destinations.size() == 1);
    CHECK(steps({}, {}).empty());
}

TEST_CASE("D-03 urgent services are whole before any other begins", "[plan]") {
    Scenario node;
    const auto dns = named("kube-system", "kube-dns", "10.96.200.10");
    node.put(web()).put(slice("R.1")).put(dns);
    const auto urgent = urgent_of(node, dns.name);
    const auto all = steps(node.state().changes(), urgent);
    CHECK(gists(all) == Lines{"+device", "*+sets", "rules", "rules6", "+ipvs", "+address", "+sets",
                              "+ipvs", "+address"});
    const auto& first = std::get<ipvs::TableChanges>(all.at(4)).services.add;
    CHECK(first.size() == 1);
    CHECK(first.begin()->first.address == ip("10.96.200.10"));
    const auto& sets = std::get<ipset::TableChanges>(all.at(1)).sets;
    CHECK(sets.size() == set_count);
    CHECK(sets.at("KUBE-CLUSTER-IP").add.size() == 1);
    CHECK(sets.at("KUBE-CLUSTER-IP").expected == 2);
    CHECK(std::get<DeviceAddressChanges>(all.at(5)).add.size() == 1);
}

TEST_CASE("without anything urgent to write, the order is as if nothing were urgent", "[plan]") {
    Scenario node;
    const auto dns = named("kube-system", "kube-dns", "10.96.200.10");
    auto balancer = web(model::ServiceType::load_balancer);
    balancer.ingress_vips = {ip("203.0.113.9")};
    node.put(balancer).put(slice("R.1")).put(dns);
    node.round();
    node.store.remove_service(balancer.name);
    // The rules about load balancers go too, but not before the address has gone.
    CHECK(order_of(node, urgent_of(node, dns.name)) ==
          Lines{"-address", "rules", "-ipvs", "-sets"});
}

TEST_CASE("nothing is lost or doubled by cutting changes into steps", "[plan]") {
    Scenario node;
    const auto dns = named("kube-system", "kube-dns", "10.96.200.10");
    auto more = web(model::ServiceType::load_balancer);
    more.name.name = "more";
    more.cluster_ip.v4 = ip("10.96.0.11");
    more.ingress_vips = {ip("203.0.113.9")};
    node.put(web()).put(slice("R.1 R.2")).put(dns);
    node.round();
    // Of everything something: additions, updates and removals, urgent ones among them.
    node.kernel.services[key("10.96.200.10:80/TCP")].scheduler = "wlc";
    node.kernel.services[key("10.9.9.9:80/TCP")] = {};
    node.kernel.sets["KUBE-CLUSTER-IP"].entries.clear();
    node.kernel.sets.erase("KUBE-6-CLUSTER-IP");
    node.kernel.device.addresses = {{{ip("10.9.9.9"), 32}, {}}};
    node.kernel.chains.v4.clear();
    node.kernel.device.present = false;
    node.look();
    node.put(more).put(slice("R.2 R.3"));
    const auto changes = node.state().changes();
    const bool any_urgent = GENERATE(false, true);
    const auto urgent = any_urgent ? urgent_of(node, dns.name) : Urgent{};
    NodeChanges again;
    std::size_t objects = 0;
    for (auto& step : steps(changes, urgent)) {
        NodeChanges one;
        absorb(one, step);
        CHECK_FALSE(one.empty());
        objects += one.size();
        absorb(again, std::move(step));
    }
    CHECK(objects == changes.size());
    CHECK(comparable(again, node.state()) == comparable(changes, node.state()));
}

TEST_CASE("what is taken out goes in the order of what leaves", "[plan]") {
    NodeChanges changes;
    changes.destroy_device = true;
    changes.ipvs.services.remove = {key("10.96.0.10:80/TCP")};
    changes.sets.destroy = {"KUBE-CLUSTER-IP"};
    changes.rules.v4.remove_chains = {{iptables::TableName::nat, "KUBE-SERVICES"}};
    CHECK(gists(steps(changes, {})) == Lines{"-device", "rules", "-ipvs", "sets"});
}
