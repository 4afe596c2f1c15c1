// What one change of an input touches, and what it does not.
#include <catch2/catch.hpp>

#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;

namespace {

using Names = std::set<std::string>;

/// UDP services: those that were derived anew show by their flows.
model::Service udp(const std::string& name, std::string_view ip) {
    return service(name, ip, {port(53, Protocol::udp)});
}

PaperNode& begin(PaperNode& node) {
    node.put(udp("plain", "10.96.0.10"), "R.1");
    auto node_port = udp("node-port", "10.96.0.20");
    node_port.type = model::ServiceType::node_port;
    node_port.ports[0].node_port = Port{30053};
    node.put(node_port, "R.2");
    auto external = udp("external", "10.96.0.30");
    external.external_ips = {plan::ip("198.51.100.8")};
    node.put(external, "R.3");
    auto balanced = udp("balanced", "10.96.0.40");
    balanced.type = model::ServiceType::load_balancer;
    balanced.ingress_vips = {plan::ip("198.51.100.9")};
    node.put(balanced, "R.4");
    node.adopt();
    REQUIRE(node.round().clean());
    return node;
}

Names derived(PaperNode& node) {
    node.cluster().derive();
    auto work = node.cluster().take_round(node.now);
    Names names;
    for (const auto& name : work.flow_owners)
        names.insert(name.name.text());
    const auto outcome = apply(node.tables.kernel, work);
    CHECK(node.cluster().settle(work, outcome).clean());
    return names;
}

Names derived_with(PaperNode& node, std::initializer_list<InterfaceAddress> more) {
    auto all = node.tables.device.state().elsewhere;
    all.insert(all.end(), more.begin(), more.end());
    node.cluster().set_interfaces(all);
    return derived(node);
}

Flow flow(const char* to, std::uint16_t port, const char* by) {
    return {.source = {plan::ip("10.244.0.77"), Port{1234}},
            .destination = {plan::ip(to), Port{port}},
            .reply_source = {plan::ip(by), Port{8053}}};
}

} // namespace

TEST_CASE("D-11 an interface's address touches only the services that depend on it", "[sync]") {
    PaperNode node;
    begin(node);
    CHECK(derived(node).empty());
    CHECK(derived_with(node, {{"eth1", plan::ip("192.0.2.77")}}) == Names{"node-port"});
    CHECK(node.tables.ipvs.held_services().contains(plan::key("192.0.2.77:30053/UDP")));
    CHECK(node.tables.text() == node.wanted());
    CHECK(derived_with(node, {{"eth1", plan::ip("192.0.2.77")}}).empty());
    CHECK(derived_with(node, {}) == Names{"node-port"});
    CHECK_FALSE(node.tables.ipvs.held_services().contains(plan::key("192.0.2.77:30053/UDP")));
    CHECK(
        derived_with(node, {{"eth1", plan::ip("fe80::1")}, {"lo", plan::ip("127.0.0.2")}}).empty());
}

TEST_CASE("Services whose health check comes, changes or goes are named, each time once",
          "[sync]") {
    PaperNode node;
    begin(node);
    const auto changed = [&node] {
        derived(node);
        Names names;
        for (const auto& name : node.cluster().take_changed_health_checks())
            names.insert(name.name.text());
        return names;
    };
    CHECK(changed().empty());
    auto local = service("local", "10.96.0.50");
    local.type = model::ServiceType::load_balancer;
    local.external_local = true;
    local.ingress_vips = {plan::ip("198.51.100.10")};
    local.health_check_node_port = Port{30500};
    node.put(local, "L.1");
    CHECK(changed() == Names{"local"});
    CHECK(changed().empty());
    node.put(local, "L.1 R.2"); // counts as before
    CHECK(changed().empty());
    node.put(local, "L.1 L.2");
    CHECK(changed() == Names{"local"});
    local.health_check_node_port = Port{30501};
    node.put(local, "L.1 L.2");
    CHECK(changed() == Names{"local"});
    node.remove("local");
    CHECK(changed() == Names{"local"});
    CHECK(node.cluster().health_checks().empty());
}

TEST_CASE("an external or ingress address that the node owns is not bound again", "[sync]") {
    PaperNode node;
    begin(node);
    const DeviceAddress external{plan::ip("198.51.100.8"), 32},
        ingress{plan::ip("198.51.100.9"), 32};
    const auto& bound = node.tables.device.state().addresses;
    CHECK(bound.contains(external));
    CHECK(bound.contains(ingress));
    CHECK(derived_with(node, {{"eth1", external.address}}) == Names{"external", "node-port"});
    CHECK_FALSE(bound.contains(external));
    CHECK(bound.contains(ingress));
    derived_with(node, {});
    CHECK(bound.contains(external));
    // The index follows the services.
    node.remove("external");
    derived(node);
    CHECK(derived_with(node, {{"eth1", external.address}}) == Names{"node-port"});
    node.remove("node-port");
    derived(node);
    CHECK(derived_with(node, {}).empty());
}

TEST_CASE("P-153 each change of a UDP Service's slices has its flows looked at, no change has not",
          "[sync]") {
    PaperNode node;
    begin(node);
    const auto plain = udp("plain", "10.96.0.10");
    auto second = backends(plain, "R.5");
    second.name.name = "plain-2";
    const auto looked_at = [&](const auto& change) {
        change(node.store());
        return derived(node) == Names{"plain"};
    };
    const auto put = [&](model::EndpointSlice slice) {
        return looked_at([&](model::Store& store) { store.put(std::move(slice)); });
    };
    CHECK(put(backends(plain, "R.1 R.2"))); // an address comes
    CHECK_FALSE(put(backends(plain, "R.1 R.2")));
    CHECK(put(backends(plain, "R.1"))); // and goes
    CHECK(put(second));
    CHECK(looked_at([&](model::Store& store) { store.remove_slice(second.name); }));
    CHECK_FALSE(looked_at([&](model::Store& store) { store.remove_slice(second.name); }));
    CHECK_FALSE(put(backends(plain, ""))); // where nobody serves no flow is stale (P-211)
    CHECK(put(backends(plain, "R.1")));
    CHECK(put(backends(plain, "R.1!term")));
    CHECK_FALSE(put(backends(plain, "R.1!dead"))); // nor here
    auto ports = backends(plain, "R.1");
    CHECK(put(ports));
    ports.ports[0].port = Port{5353}; // renumbered
    CHECK(put(ports));
    ports.ports[0].name = model::Symbol{"other"};        // renamed
    CHECK_FALSE(put(ports));                             // nor here
    ports.ports.push_back(backends(plain, "").ports[0]); // one more
    CHECK(put(ports));
    CHECK_FALSE(put(ports));
}

TEST_CASE("what the Node object decides touches all services, once", "[sync]") {
    PaperNode node;
    begin(node);
    const auto facts = node.cluster().facts();
    node.cluster().set_node(facts.name, model::Symbol{"zone-b"}, facts.ip);
    CHECK(derived(node) == Names{"plain", "node-port", "external", "balanced"});
    node.cluster().set_node(facts.name, model::Symbol{"zone-b"}, facts.ip);
    CHECK(derived(node).empty());
}

TEST_CASE("P-262 of a Node's labels the zone alone is followed", "[sync]") {
    plan::Scenario node;
    const auto changed = [&](const std::string& labels) {
        node.apply("{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {" + labels + "}}}");
        return node.store.take_node_changed();
    };
    CHECK(changed("a: b"));
    CHECK_FALSE(changed("a: c, topology.kubernetes.io/region: r1"));
    CHECK(changed("a: c, topology.kubernetes.io/zone: z1"));
    CHECK(node.store.node("n1")->zone == model::Symbol{"z1"});
    CHECK_FALSE(changed("topology.kubernetes.io/zone: z1, topology.kubernetes.io/region: r2"));
    CHECK(changed("topology.kubernetes.io/zone: z2"));
    CHECK(changed(""));
    CHECK(node.store.node("n1")->zone.empty());
}

TEST_CASE("D-12 stale UDP flows are forgotten once, after slice and Service changes", "[sync]") {
    PaperNode node;
    begin(node);
    auto& flows = node.tables.flows.flows();
    const auto kept = flow("10.96.0.10", 53, "10.244.0.1");
    flows = {kept, flow("10.96.0.10", 53, "10.244.0.9"), flow("10.96.0.20", 53, "10.244.0.9")};
    CHECK(node.round().forgotten_flows == 0); // nothing changed

    node.put(udp("plain", "10.96.0.10"), "R.1 R.6");
    CHECK(node.round().forgotten_flows == 1);
    CHECK(flows == std::set{kept, flow("10.96.0.20", 53, "10.244.0.9")});
    flows.insert(flow("10.96.0.10", 53, "10.244.0.9"));
    CHECK(node.round().forgotten_flows == 0); // once

    auto sticky = udp("plain", "10.96.0.10");
    sticky.client_ip_affinity = 100s;
    node.store().put(sticky);
    CHECK(node.round().forgotten_flows == 1);
    CHECK(flows == std::set{kept, flow("10.96.0.20", 53, "10.244.0.9")});
}

TEST_CASE("flows that cannot be read are made up for, and nothing else waits", "[sync]") {
    PaperNode node;
    begin(node);
    auto& flows = node.tables.flows.flows();
    flows = {flow("10.96.0.10", 53, "10.244.0.1")};
    node.tables.flows.refuse(std::make_error_code(std::errc::no_buffer_space));
    node.put(udp("plain", "10.96.0.10"), "R.6");
    auto report = node.round();
    REQUIRE(report.newly_refused.size() == 1);
    CHECK(report.refused[0].object == "conntrack");
    CHECK(report.doubtful.empty());
    CHECK(node.tables.text() == node.wanted());
    CHECK(node.round_in(1s).newly_refused.empty());
    node.tables.flows.refuse({});
    node.now += 1min;
    CHECK(node.round().forgotten_flows == 1);
    CHECK(flows.empty());
    CHECK(node.cluster().take_round(node.now).empty());
}

TEST_CASE("a Service that comes before or after its slices is the same in the end", "[sync]") {
    PaperNode first, second;
    const auto web = service("web", "10.96.0.10");
    for (auto* node : {&first, &second})
        node->adopt();
    first.store().put(web);
    first.round();
    first.store().put(backends(web, "R.1 R.2"));
    first.round();
    second.store().put(backends(web, "R.1 R.2"));
    second.round();
    second.store().put(web);
    second.round();
    CHECK(first.tables.text() == second.tables.text());
    CHECK(first.tables.text() == first.wanted());
}
