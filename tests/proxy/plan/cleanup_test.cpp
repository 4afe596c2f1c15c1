#include <catch2/catch.hpp>

#include "proxy/plan/cleanup.h"
#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;
using iptables::TableName;

namespace {

/// One of each kind of service, in both families, settled.
Scenario& busy(Scenario& node) {
    auto service = web(model::ServiceType::load_balancer);
    service.cluster_ip.v6 = ip("2001:db8:96::1");
    service.external_ips = {ip("203.0.113.7"), ip("192.0.2.10"), ip("2001:db8:e::7")};
    service.ingress_vips = {ip("203.0.113.9")};
    service.external_local = true;
    service.health_check_node_port = Port{30500};
    service.source_ranges = {*Prefix::parse("10.0.0.0/8")};
    std::uint16_t number = 80;
    for (const auto protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp}) {
        const auto name = std::string{"p"} + std::to_string(number);
        service.ports.push_back({.name = model::Symbol{name},
                                 .protocol = protocol,
                                 .port = Port{number},
                                 .node_port = Port{static_cast<std::uint16_t>(30000 + number)}});
        ++number;
    }
    node.put(service).put(slice("L.1 R.2"));
    node.round();
    return node;
}

} // namespace

TEST_CASE("P-201 D-14 a cleanup leaves what others made, and nothing else", "[plan]") {
    Scenario node;
    // What kubelet, a CNI and an administrator have there.
    auto& kernel = node.kernel;
    for (const auto family : families) {
        auto& chains = kernel.chains[family];
        chains[{TableName::filter, "INPUT"}] = {"-p tcp -j ACCEPT", "-j KUBE-FIREWALL"};
        chains[{TableName::filter, "FORWARD"}] = {"-i eth0 -g CNI-FORWARD"};
        chains[{TableName::filter, "OUTPUT"}] = {"-j KUBE-FIREWALL"};
        chains[{TableName::filter, "KUBE-FIREWALL"}] = {"-j DROP"};
        chains[{TableName::mangle, "KUBE-IPTABLES-HINT"}] = {};
        chains[{TableName::mangle, "KUBE-KUBELET-CANARY"}] = {};
        for (const auto* chain : {"PREROUTING", "OUTPUT", "POSTROUTING"})
            chains[{TableName::nat, chain}] = {"-j CNI"};
        chains[{TableName::nat, "CNI"}] = {};
    }
    const auto before = kernel;
    busy(node);
    CHECK(kernel.services.size() > 15);
    for (const auto* foreign : {"10.5.5.5:80/TCP", "192.0.2.10:8080/TCP", "192.0.2.10:30081/TCP"})
        kernel.services[key(foreign)] = {};

    const auto changes = cleanup(kernel);
    patch(kernel, changes);
    CHECK(kernel.services == ipvs::Services{{key("10.5.5.5:80/TCP"), {}},
                                            {key("192.0.2.10:8080/TCP"), {}},
                                            {key("192.0.2.10:30081/TCP"), {}}});
    CHECK(kernel.destinations.specs.empty());
    CHECK(kernel.sets.empty());
    CHECK_FALSE(kernel.device.present);
    CHECK(kernel.chains == before.chains);
    CHECK(cleanup(kernel).empty());
}

TEST_CASE("a cleanup takes local routes away, also where there is no device", "[plan]") {
    Settings settings;
    settings.vip_binding = Binding::route;
    Scenario node{settings};
    busy(node);
    REQUIRE(node.kernel.device.addresses.size() == 5);
    node.kernel.device.present = GENERATE(true, false);
    patch(node.kernel, cleanup(node.kernel));
    CHECK(node.kernel.device.addresses.empty());
}

TEST_CASE("D-14 what kube-proxy's iptables mode left goes too", "[plan]") {
    NodeSnapshot seen;
    auto& chains = seen.chains.v4;
    chains[{TableName::nat, "PREROUTING"}] = {
        "-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES"};
    chains[{TableName::nat, "KUBE-SERVICES"}] = {"-d 10.96.0.10/32 -j KUBE-SVC-ABC"};
    chains[{TableName::nat, "KUBE-SVC-ABC"}] = {"-j KUBE-SEP-ABC"};
    chains[{TableName::nat, "KUBE-SEP-ABC"}] = {};
    chains[{TableName::filter, "KUBE-EXTERNAL-SERVICES"}] = {};
    chains[{TableName::filter, "INPUT"}] = {"-j KUBE-EXTERNAL-SERVICES", "-j KUBE-FIREWALL"};
    chains[{TableName::filter, "KUBE-FIREWALL"}] = {};
    chains[{TableName::mangle, "KUBE-PROXY-CANARY"}] = {};
    patch(seen, cleanup(seen));
    CHECK(chains == iptables::Chains{{{TableName::nat, "PREROUTING"}, {}},
                                     {{TableName::filter, "INPUT"}, {"-j KUBE-FIREWALL"}},
                                     {{TableName::filter, "KUBE-FIREWALL"}, {}}});
}

TEST_CASE("a kube-ipvs0 that is no dummy device is not ours to take away", "[plan]") {
    NodeSnapshot seen;
    seen.device.present = true;
    seen.device.kind = "bridge";
    CHECK(cleanup(seen).empty());
    seen.device.kind = "dummy";
    CHECK(text(describe(cleanup(seen), NodeState{{}})) ==
          "# node\n- ip link del kube-ipvs0  # made by the proxy\n");
}

namespace {

/// The nat and filter tables as kube-proxy's iptables mode has them, and kubelet's beside them.
iptables::Chains iptables_mode() {
    iptables::Chains chains;
    const auto jump = [](const std::string& words, const std::string& to) {
        return "-m comment --comment \"" + words + "\" -j " + to;
    };
    const auto of_new = [&](const std::string& words, const std::string& to) {
        return "-m conntrack --ctstate NEW " + jump(words, to);
    };
    chains[{TableName::nat, "PREROUTING"}] = {jump("kubernetes service portals", "KUBE-SERVICES")};
    chains[{TableName::nat, "OUTPUT"}] = {jump("kubernetes service portals", "KUBE-SERVICES")};
    chains[{TableName::nat, "POSTROUTING"}] = {
        jump("kubernetes postrouting rules", "KUBE-POSTROUTING"), "-j CNI"};
    chains[{TableName::nat, "KUBE-SERVICES"}] = {"-d 10.96.0.10/32 -j KUBE-SVC-ABC"};
    for (const auto* name :
         {"KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-NODEPORTS", "KUBE-SVC-ABC", "KUBE-SEP-ABC",
          "KUBE-SVL-ABC", "KUBE-EXT-ABC", "KUBE-FW-ABC", "KUBE-PROXY-CANARY", "CNI"})
        chains[{TableName::nat, name}];
    chains[{TableName::filter, "INPUT"}] = {
        of_new("kubernetes load balancer firewall", "KUBE-PROXY-FIREWALL"),
        jump("kubernetes health check service ports", "KUBE-NODEPORTS"),
        of_new("kubernetes externally-visible service portals", "KUBE-EXTERNAL-SERVICES"),
        "-j KUBE-FIREWALL"};
    chains[{TableName::filter, "FORWARD"}] = {
        of_new("kubernetes load balancer firewall", "KUBE-PROXY-FIREWALL"),
        jump("kubernetes forwarding rules", "KUBE-FORWARD"),
        of_new("kubernetes service portals", "KUBE-SERVICES"),
        of_new("kubernetes externally-visible service portals", "KUBE-EXTERNAL-SERVICES")};
    chains[{TableName::filter, "OUTPUT"}] = {
        of_new("kubernetes load balancer firewall", "KUBE-PROXY-FIREWALL"),
        of_new("kubernetes service portals", "KUBE-SERVICES"), "-j KUBE-FIREWALL"};
    for (const auto* name :
         {"KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS",
          "KUBE-PROXY-FIREWALL", "KUBE-PROXY-CANARY", "KUBE-FIREWALL"})
        chains[{TableName::filter, name}];
    chains[{TableName::mangle, "KUBE-PROXY-CANARY"}];
    chains[{TableName::mangle, "KUBE-KUBELET-CANARY"}];
    return chains;
}

} // namespace

TEST_CASE("a node taken over from iptables mode ends as one that never knew it", "[plan]") {
    Scenario fresh;
    for (const auto family : families) {
        auto& chains = fresh.kernel.chains[family];
        chains[{TableName::nat, "POSTROUTING"}] = {"-j CNI"};
        chains[{TableName::nat, "CNI"}];
        for (const auto* chain : {"INPUT", "OUTPUT"})
            chains[{TableName::filter, chain}] = {"-j KUBE-FIREWALL"};
        chains[{TableName::filter, "KUBE-FIREWALL"}];
        chains[{TableName::mangle, "KUBE-KUBELET-CANARY"}];
    }
    busy(fresh);
    Scenario taken;
    for (const auto family : families)
        taken.kernel.chains[family] = iptables_mode();
    taken.look();
    busy(taken);
    for (const auto family : families) {
        auto& chains = taken.kernel.chains[family];
        NodeChanges changes;
        changes.rules[family] = leftovers(family, chains);
        CHECK_FALSE(changes.rules[family].empty());
        patch(taken.kernel, changes);
        CHECK(leftovers(family, chains).empty());
        // Jumps that both modes have keep their place; all else is the same.
        for (const auto& [chain, rules] : fresh.kernel.chains[family]) {
            CAPTURE(chain);
            REQUIRE(chains.contains(chain));
            const auto sorted = [](iptables::Rules all) {
                std::ranges::sort(all);
                return all;
            };
            CHECK(sorted(chains.at(chain)) == sorted(rules));
        }
        for (const auto& [chain, rules] : chains)
            if (!fresh.kernel.chains[family].contains(chain)) CHECK(rules.empty());
    }
}

TEST_CASE("our own rules are no leftovers of another mode", "[plan]") {
    Scenario node;
    busy(node);
    for (const auto family : families)
        CHECK(leftovers(family, node.kernel.chains[family]).empty());
}
