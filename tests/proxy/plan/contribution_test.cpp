// What each kind of Service asks for.
#include <catch2/catch.hpp>

#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;
using model::ServiceType;

namespace {

constexpr auto both_families = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.10, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: six, namespace: default}
spec: {clusterIP: "2001:db8:96::1", ports: [{name: http, port: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.244.0.5]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: six-1, namespace: default, labels: {kubernetes.io/service-name: six}}
addressType: IPv6
ports: [{name: http, port: 8080}]
endpoints: [{addresses: ["2001:db8:244::5"]}]
)";

model::Service node_port(std::uint16_t number = 30080, Protocol protocol = Protocol::tcp) {
    auto service = web(ServiceType::node_port);
    service.ports.front().node_port = Port{number};
    service.ports.front().protocol = protocol;
    return service;
}

model::EndpointSlice slice_of(Protocol protocol, std::string_view line) {
    auto some = slice(line);
    some.ports.front().protocol = protocol;
    return some;
}

model::Service load_balancer(const char* ingress = "203.0.113.9") {
    auto service = web(ServiceType::load_balancer);
    service.ingress_vips = {ip(ingress)};
    return service;
}

} // namespace

TEST_CASE("P-020 P-021 each family serves the services of its own addresses", "[plan]") {
    Scenario node;
    node.apply(both_families);
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP -> 10.244.0.5:8080",
                                  "[2001:db8:96::1]:8080/TCP -> [2001:db8:244::5]:8080"});
    node.store.remove_slice({"default", "web-1"});
    CHECK(node.servers().front() == "10.96.0.10:80/TCP ->");

    Settings four;
    four.enabled.v6 = false;
    CHECK(Scenario{four}.apply(both_families).servers() ==
          Lines{"10.96.0.10:80/TCP -> 10.244.0.5:8080"});
    Settings six;
    six.enabled.v4 = false;
    CHECK(Scenario{six}.apply(both_families).addresses() == Lines{"2001:db8:96::1"});
}

TEST_CASE("P-022 P-026 a node port is served at each node address of the family", "[plan]") {
    Scenario node;
    auto six = slice("R.5", "web-6");
    six.family = Family::v6;
    six.endpoints.front().address = ip("2001:db8:244::5");
    node.put(node_port()).put(slice("R.5")).put(six);
    CHECK(node.servers() ==
          Lines{"10.96.0.10:80/TCP -> 10.244.0.5:8080", "192.0.2.10:30080/TCP -> 10.244.0.5:8080"});
    CHECK(node.addresses() == Lines{"10.96.0.10"});
    node.store.remove_slice({"default", "web-1"});
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP ->", "192.0.2.10:30080/TCP ->"});
}

TEST_CASE("P-023 P-025 P-124 a service without an address of a family has nothing there",
          "[plan]") {
    Scenario node;
    auto service = node_port();
    service.cluster_ip = {.v6 = ip("2001:db8:96::1")};
    auto six = slice("R.5");
    six.family = Family::v6;
    six.endpoints.front().address = ip("2001:db8:244::5");
    node.put(service).put(six);
    CHECK(node.servers() == Lines{"[2001:db8::10]:30080/TCP -> [2001:db8:244::5]:8080",
                                  "[2001:db8:96::1]:80/TCP -> [2001:db8:244::5]:8080"});
    CHECK(node.entries("KUBE-NODE-PORT-TCP").empty());
    CHECK(node.entries("KUBE-6-NODE-PORT-TCP") == Lines{"30080"});
}

TEST_CASE("P-024 a UDP node port is two virtual servers and one entry", "[plan]") {
    Scenario node;
    node.put(node_port(30080, Protocol::udp)).put(slice_of(Protocol::udp, "R.5"));
    CHECK(node.servers() ==
          Lines{"10.96.0.10:80/UDP -> 10.244.0.5:8080", "192.0.2.10:30080/UDP -> 10.244.0.5:8080"});
    CHECK(node.entries("KUBE-NODE-PORT-UDP") == Lines{"30080"});
    CHECK(node.entries("KUBE-CLUSTER-IP") == Lines{"10.96.0.10,udp:80"});
}

TEST_CASE("P-027 an SCTP node port has an entry for each node address", "[plan]") {
    Scenario node;
    node.interfaces({{"eth0", ip("192.0.2.10")},
                     {"eth0", ip("192.0.2.11")},
                     {"eth1", ip("192.0.2.12")},
                     {"eth1", ip("2001:db8::12")}});
    node.put(node_port(30080, Protocol::sctp));
    CHECK(node.servers().size() == 4);
    CHECK(node.entries("KUBE-NODE-PORT-SCTP-HASH") ==
          Lines{"192.0.2.10,sctp:30080", "192.0.2.11,sctp:30080", "192.0.2.12,sctp:30080"});
    CHECK(node.entries("KUBE-6-NODE-PORT-SCTP-HASH").empty());
}

TEST_CASE("P-028 P-029 a local node port stands in both sets and leads to local endpoints",
          "[plan]") {
    struct Sets {
        Protocol protocol;
        const char *every, *local, *entry;
    };
    const auto sets =
        GENERATE(Sets{Protocol::tcp, "KUBE-NODE-PORT-TCP", "KUBE-NODE-PORT-LOCAL-TCP", "30080"},
                 Sets{Protocol::udp, "KUBE-NODE-PORT-UDP", "KUBE-NODE-PORT-LOCAL-UDP", "30080"},
                 Sets{Protocol::sctp, "KUBE-NODE-PORT-SCTP-HASH", "KUBE-NODE-PORT-LOCAL-SCTP-HASH",
                      "192.0.2.10,sctp:30080"});
    Scenario node;
    auto service = node_port(30080, sets.protocol);
    service.external_local = true;
    node.put(service).put(slice_of(sets.protocol, "L.5 R.6"));
    const auto protocol = '/' + std::string{upper_name(sets.protocol)};
    CHECK(node.reached("10.96.0.10:80" + protocol) == ".5 .6");
    CHECK(node.reached("192.0.2.10:30080" + protocol) == ".5");
    CHECK(node.entries(sets.every) == Lines{sets.entry});
    CHECK(node.entries(sets.local) == Lines{sets.entry});
}

TEST_CASE("P-031 an address shared by several ports is bound once, until the last one goes",
          "[plan]") {
    Scenario node;
    auto service = web();
    service.ports = {{.name = model::Symbol{"a"}, .port = Port{1234}},
                     {.name = model::Symbol{"b"}, .port = Port{1235}}};
    node.put(service);
    CHECK(node.addresses() == Lines{"10.96.0.10"});
    service.ports.pop_back();
    node.put(service);
    CHECK(node.addresses() == Lines{"10.96.0.10"});
    service.ports.push_back(
        {.name = model::Symbol{"c"}, .protocol = Protocol::udp, .port = Port{1234}});
    node.put(service);
    CHECK(node.addresses() == Lines{"10.96.0.10"});
    CHECK(node.entries("KUBE-IPVS-IPS") == Lines{"10.96.0.10"});
    node.store.remove_service(service.name);
    CHECK(node.addresses().empty());
    CHECK(node.servers().empty());
}

TEST_CASE("P-042 an external IP is a virtual server of its own, bound and masqueraded", "[plan]") {
    Scenario node;
    auto service = web();
    service.external_ips = {ip("203.0.113.7")};
    node.put(service);
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP ->", "203.0.113.7:80/TCP ->"});
    CHECK(node.entries("KUBE-EXTERNAL-IP") == Lines{"203.0.113.7,tcp:80"});
    CHECK(node.entries("KUBE-EXTERNAL-IP-LOCAL").empty());
    CHECK(node.addresses() == Lines{"10.96.0.10", "203.0.113.7"});
}

TEST_CASE("P-043 endpoints of another protocol are none of the port's", "[plan]") {
    Scenario node;
    auto service = web();
    service.external_ips = {ip("203.0.113.7"), ip("2001:db8:e::1"), ip("127.0.0.1")};
    node.put(service).put(slice_of(Protocol::udp, "L.5 R.6"));
    CHECK(node.servers() ==
          Lines{"10.96.0.10:80/TCP ->", "127.0.0.1:80/TCP ->", "203.0.113.7:80/TCP ->"});
}

TEST_CASE("P-044 externalTrafficPolicy Local sends external IPs to local endpoints", "[plan]") {
    Scenario node;
    auto service = web(ServiceType::node_port);
    service.external_local = true;
    service.external_ips = {ip("203.0.113.7"), ip("2001:db8:e::1"), ip("127.0.0.1")};
    node.put(service).put(slice("L.5 R.6"));
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP -> 10.244.0.5:8080 10.244.0.6:8080",
                                  "127.0.0.1:80/TCP -> 10.244.0.5:8080",
                                  "203.0.113.7:80/TCP -> 10.244.0.5:8080"});
    CHECK(node.entries("KUBE-EXTERNAL-IP").empty());
    CHECK(node.entries("KUBE-EXTERNAL-IP-LOCAL") ==
          Lines{"127.0.0.1,tcp:80", "203.0.113.7,tcp:80"});
}

TEST_CASE("P-045 X-011 an ingress address is served and enters KUBE-LOAD-BALANCER", "[plan]") {
    Scenario node;
    node.interfaces({});
    auto service = load_balancer();
    service.ports.front().node_port = Port{30080};
    node.put(service);
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP ->", "203.0.113.9:80/TCP ->"});
    CHECK(node.entries("KUBE-LOAD-BALANCER") == Lines{"203.0.113.9,tcp:80"});
    CHECK(node.entries("KUBE-NODE-PORT-TCP").empty()); // X-011: there is no node address
}

TEST_CASE("P-046 a local ingress address stands in both sets and leads to local endpoints",
          "[plan]") {
    Scenario node;
    auto service = load_balancer();
    service.external_local = true;
    node.put(service).put(slice("L.5 R.6"));
    CHECK(node.reached("203.0.113.9:80/TCP") == ".5");
    CHECK(node.entries("KUBE-LOAD-BALANCER") == Lines{"203.0.113.9,tcp:80"});
    CHECK(node.entries("KUBE-LOAD-BALANCER-LOCAL") == Lines{"203.0.113.9,tcp:80"});
}

TEST_CASE("P-047 P-125 P-127 X-002 source ranges of the family fill the firewall's sets",
          "[plan]") {
    Scenario node;
    auto service = load_balancer();
    for (const auto* range : {"10.0.0.0/8", "198.51.100.7/32", "0.0.0.0/1", "2001:db8:5::/64"})
        service.source_ranges.push_back(Prefix::parse(range).value());
    node.put(service);
    CHECK(node.entries("KUBE-LOAD-BALANCER-FW") == Lines{"203.0.113.9,tcp:80"});
    CHECK(node.entries("KUBE-LOAD-BALANCER-SOURCE-CIDR") ==
          Lines{"203.0.113.9,tcp:80,0.0.0.0/1", "203.0.113.9,tcp:80,10.0.0.0/8",
                "203.0.113.9,tcp:80,198.51.100.7"});
    CHECK(node.entries("KUBE-6-LOAD-BALANCER-SOURCE-CID").empty());
}

TEST_CASE("X-003 a range of length 0 lifts every restriction of its family", "[plan]") {
    Scenario node;
    auto service = load_balancer();
    service.source_ranges = {*Prefix::parse("0.0.0.0/0"), *Prefix::parse("10.0.0.0/8")};
    node.put(service);
    CHECK(node.entries("KUBE-LOAD-BALANCER-FW").empty());
    CHECK(node.entries("KUBE-LOAD-BALANCER-SOURCE-CIDR").empty());
    service.source_ranges = {*Prefix::parse("::/0"), *Prefix::parse("10.0.0.0/8")};
    node.put(service);
    CHECK(node.entries("KUBE-LOAD-BALANCER-FW") == Lines{"203.0.113.9,tcp:80"});
}

TEST_CASE("X-004 a range that holds the node's address admits the node, else it is shut out",
          "[plan]") {
    Scenario node;
    auto service = load_balancer();
    service.source_ranges = {*Prefix::parse("192.0.2.0/24")};
    node.put(service);
    const auto out_filter = [&] {
        return node.chain(iptables::TableName::filter, "KUBE-IPVS-OUT-FILTER");
    };
    CHECK(node.entries("KUBE-LOAD-BALANCER-SOURCE-IP") == Lines{"203.0.113.9,tcp:80,203.0.113.9"});
    CHECK(out_filter().empty());
    service.source_ranges = {*Prefix::parse("10.0.0.0/8")};
    node.put(service);
    CHECK(node.entries("KUBE-LOAD-BALANCER-SOURCE-IP").empty());
    CHECK(out_filter() ==
          Lines{"-s 203.0.113.9/32 -m ipvs --vproto 6 --vaddr 203.0.113.9 --vport 80 -j DROP"});
}

TEST_CASE("P-049 an ingress address in mode Proxy is not served here", "[plan]") {
    const auto* const manifest = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, allocateLoadBalancerNodePorts: false, clusterIP: 10.96.0.10, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9MODE}]}}
)";
    const auto servers = [&](const std::string& mode) {
        std::string text{manifest};
        text.replace(text.find("MODE"), 4, mode);
        return Scenario{}.apply(text).servers().size();
    };
    CHECK(servers(", ipMode: Proxy") == 1);
    CHECK(servers(", ipMode: VIP") == 2);
    CHECK(servers("") == 2);
}

TEST_CASE("P-050 X-012 affinity and the scheduler mark every virtual server", "[plan]") {
    Settings settings;
    settings.scheduler = "mh";
    Scenario node{settings};
    auto service = node_port();
    service.external_ips = {ip("203.0.113.7")};
    node.put(service);
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP mh flags 16 ->",
                                  "192.0.2.10:30080/TCP mh flags 16 ->",
                                  "203.0.113.7:80/TCP mh flags 16 ->"});
    service.client_ip_affinity = std::chrono::seconds{10800};
    node.put(service);
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP mh flags 17 timeout 10800 ->",
                                  "192.0.2.10:30080/TCP mh flags 17 timeout 10800 ->",
                                  "203.0.113.7:80/TCP mh flags 17 timeout 10800 ->"});
}

TEST_CASE("P-060 P-061 P-123 D-07 health check node ports of local load balancers", "[plan]") {
    Scenario node;
    node.interfaces({}); // no node address: the entry stands all the same
    const auto put = [&](const char* name, const char* address, std::uint16_t port, bool local) {
        auto service = load_balancer(address);
        service.name.name = name;
        service.cluster_ip.v4 = ip("10.96.1." + std::to_string(port % 100));
        service.external_local = local;
        service.health_check_node_port = Port{port};
        service.ports.push_back({.name = model::Symbol{"more"}, .port = Port{81}});
        node.put(service);
    };
    put("a", "203.0.113.1", 30500, true);
    put("b", "203.0.113.2", 30501, true);
    put("c", "203.0.113.3", 30502, false);
    const auto* set = "KUBE-HEALTH-CHECK-NODE-PORT";
    CHECK(node.entries(set) == Lines{"30500", "30501"});
    put("b", "203.0.113.2", 30503, true);
    CHECK(node.entries(set) == Lines{"30500", "30503"});
    node.store.remove_service({"default", "b"});
    node.store.remove_service({"default", "a"});
    CHECK(node.entries(set).empty());
}

TEST_CASE("P-062 P-154 a health check counts distinct ready local addresses", "[plan]") {
    Scenario node;
    auto service = load_balancer();
    service.external_local = true;
    service.health_check_node_port = Port{30500};
    service.ports.push_back({.name = model::Symbol{"more"}, .port = Port{81}});
    auto some = slice("L.1 L.2 R.3 L.4!term L.5!unready");
    some.ports.push_back({.name = model::Symbol{"more"}, .port = Port{8081}});
    node.put(service).put(some);
    const auto count = [&] {
        return node.state().contribution(service.name)->health_check->local_endpoints;
    };
    CHECK(count() == PerFamily<std::optional<std::uint32_t>>{.v4 = 2});
    some.endpoints = endpoints("L.1!term L.2!dead R.3");
    node.put(some);
    CHECK(count() == PerFamily<std::optional<std::uint32_t>>{.v4 = 0});
}
