// Which Services are proxied, and which of their fields count.
#include <catch2/catch.hpp>

#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;
using model::ServiceType;

TEST_CASE("P-120 headless, external and other proxies' services ask for nothing", "[plan]") {
    const auto* const spec = GENERATE("{clusterIP: None, ports: [{port: 80, protocol: SCTP}]}",
                                      "{clusterIP: None}", "{clusterIP: '', ports: [{port: 80}]}",
                                      "{type: ExternalName, clusterIP: 10.96.0.10, externalName: "
                                      "example.com, ports: [{port: 80}]}");
    Scenario node;
    node.apply(std::string{"{apiVersion: v1, kind: Service, metadata: {name: web, namespace: "
                           "default}, spec: "} +
               spec + "}");
    CAPTURE(spec);
    CHECK(node.store.services().size() == 1);
    CHECK(node.state().contributions().empty());
    CHECK(node.servers().empty());
}

TEST_CASE("a service with the service-proxy-name label is another proxy's business", "[plan]") {
    Scenario node;
    auto service = web();
    node.put(service);
    CHECK(node.servers().size() == 1);
    service.other_proxy = true;
    node.put(service);
    CHECK(node.servers().empty());
    CHECK(node.addresses().empty());
}

TEST_CASE("P-121 ports of one number are told apart by protocol and name", "[plan]") {
    Scenario node;
    auto service = web();
    service.ports = {
        {.name = model::Symbol{"dns"}, .protocol = Protocol::udp, .port = Port{53}},
        {.name = model::Symbol{"dns-tcp"}, .protocol = Protocol::tcp, .port = Port{53}}};
    auto some = slice("R.5");
    some.ports = {
        {.name = model::Symbol{"dns"}, .protocol = Protocol::udp, .port = Port{5353}},
        {.name = model::Symbol{"dns-tcp"}, .protocol = Protocol::tcp, .port = Port{5454}}};
    node.put(service).put(some);
    CHECK(node.servers() ==
          Lines{"10.96.0.10:53/TCP -> 10.244.0.5:5454", "10.96.0.10:53/UDP -> 10.244.0.5:5353"});
}

TEST_CASE("P-122 spec.loadBalancerIP is not an ingress address", "[plan]") {
    Scenario node;
    node.apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, loadBalancerIP: 198.51.100.4, clusterIP: 10.96.0.10, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
)");
    CHECK(node.entries("KUBE-LOAD-BALANCER") == Lines{"203.0.113.9,tcp:80"});
    CHECK(node.addresses() == Lines{"10.96.0.10", "203.0.113.9"});
}

TEST_CASE("P-125 P-131 addresses of each family stay in their family", "[plan]") {
    Scenario node;
    auto service = web(ServiceType::load_balancer);
    service.cluster_ip.v6 = ip("2001:db8:96::1");
    service.external_ips = {ip("203.0.113.7"), ip("2001:db8:e::7")};
    service.ingress_vips = {ip("2001:db8:e::9"), ip("203.0.113.9")};
    service.source_ranges = {*Prefix::parse("10.0.0.0/8"), *Prefix::parse("2001:db8:5::/64")};
    node.put(service);
    CHECK(node.entries("KUBE-EXTERNAL-IP") == Lines{"203.0.113.7,tcp:80"});
    CHECK(node.entries("KUBE-6-EXTERNAL-IP") == Lines{"2001:db8:e::7,tcp:80"});
    CHECK(node.entries("KUBE-LOAD-BALANCER") == Lines{"203.0.113.9,tcp:80"});
    CHECK(node.entries("KUBE-6-LOAD-BALANCER-SOURCE-CID") ==
          Lines{"2001:db8:e::9,tcp:80,2001:db8:5::/64"});
    service.cluster_ip.v6.reset();
    node.put(service);
    CHECK(node.entries("KUBE-6-EXTERNAL-IP").empty());
    CHECK(node.servers().size() == 3);
}

TEST_CASE("P-126 a source range may be written with blanks and host bits", "[plan]") {
    Scenario node;
    node.apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, clusterIP: 10.96.0.10, ports: [{port: 80}], loadBalancerSourceRanges: [" 10.1.2.3/28"]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
)");
    CHECK(node.entries("KUBE-LOAD-BALANCER-SOURCE-CIDR") ==
          Lines{"203.0.113.9,tcp:80,10.1.2.0/28"});
}

TEST_CASE("P-128 what is left of services is all that is served", "[plan]") {
    Scenario node;
    for (int i = 0; i < 4; ++i) {
        auto service = web(i == 3 ? ServiceType::load_balancer : ServiceType::cluster_ip);
        service.name.name = "web" + std::to_string(i);
        service.cluster_ip.v4 = ip("10.96.0." + std::to_string(10 + i));
        service.ports.push_back({.name = model::Symbol{"b"}, .port = Port{81}});
        service.ports.push_back({.name = model::Symbol{"c"}, .port = Port{82}});
        service.external_local = i == 3;
        service.health_check_node_port = Port{345};
        node.put(service);
    }
    CHECK(node.servers().size() == 12);
    CHECK(node.entries("KUBE-HEALTH-CHECK-NODE-PORT") == Lines{"345"});
    auto fewer = *node.store.service({"default", "web0"});
    fewer.ports.pop_back();
    node.put(fewer);
    for (const auto* gone : {"web1", "web2", "web3"})
        node.store.remove_service({"default", gone});
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP ->", "10.96.0.10:81/TCP ->"});
    CHECK(node.entries("KUBE-HEALTH-CHECK-NODE-PORT").empty());
    CHECK(node.addresses() == Lines{"10.96.0.10"});
}

TEST_CASE("P-129 a health check comes and goes with the type of its service", "[plan]") {
    Scenario node;
    auto local = web(ServiceType::load_balancer);
    local.external_local = true;
    local.health_check_node_port = Port{345};
    const auto checked = [&] {
        return node.state().contribution(local.name)->health_check.has_value();
    };
    node.put(web());
    CHECK_FALSE(checked());
    node.put(local);
    CHECK(checked());
    node.put(local);
    CHECK(checked());
    CHECK(node.servers().size() == 1);
    node.put(web());
    CHECK_FALSE(checked());
    CHECK(node.servers().size() == 1);
}

TEST_CASE("P-130 the cluster IP of a family is the one ipFamilies says", "[plan]") {
    struct Case {
        const char *fields, *expected;
    };
    const auto one = GENERATE(
        Case{"clusterIP: 10.96.0.10, ipFamilies: []", "10.96.0.10"},
        Case{"clusterIP: '2001:db8:96::1', ipFamilies: []", "2001:db8:96::1"},
        Case{"clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10], ipFamilies: [IPv4]", "10.96.0.10"},
        Case{"clusterIP: '2001:db8:96::1', clusterIPs: ['2001:db8:96::1'], ipFamilies: [IPv6]",
             "2001:db8:96::1"},
        Case{"clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, '2001:db8:96::1'], ipFamilies: "
             "[IPv4, IPv6]",
             "10.96.0.10 2001:db8:96::1"},
        Case{"clusterIP: '2001:db8:96::1', clusterIPs: ['2001:db8:96::1', 10.96.0.10], ipFamilies: "
             "[IPv6, IPv4]",
             "10.96.0.10 2001:db8:96::1"});
    Scenario node;
    node.apply(std::string{"{apiVersion: v1, kind: Service, metadata: {name: web, namespace: "
                           "default}, spec: {ports: [{port: 80}], "} +
               one.fields + "}}");
    std::string bound;
    for (const auto& address : node.addresses())
        bound += (bound.empty() ? "" : " ") + address;
    CHECK(bound == one.expected);
}

TEST_CASE("X-007 an external address that an interface owns is served but not bound", "[plan]") {
    Scenario node;
    auto service = web(ServiceType::load_balancer);
    service.external_ips = {ip("192.0.2.10")};
    service.ingress_vips = {ip("203.0.113.9")};
    node.put(service);
    CHECK(node.reached("192.0.2.10:80/TCP").empty());
    CHECK(node.entries("KUBE-EXTERNAL-IP") == Lines{"192.0.2.10,tcp:80"});
    CHECK(node.addresses() == Lines{"10.96.0.10", "203.0.113.9"});
    CHECK(node.entries("KUBE-IPVS-IPS") == Lines{"10.96.0.10", "203.0.113.9"});
    // It is bound as soon as the interface lets go of it, and given up when another takes it.
    node.interfaces({{"eth0", ip("203.0.113.9")}});
    CHECK(node.addresses() == Lines{"10.96.0.10", "192.0.2.10"});
}

TEST_CASE("X-008 a cluster IP is bound even where an interface owns it", "[plan]") {
    Scenario node;
    auto service = web();
    service.cluster_ip.v4 = ip("192.0.2.10");
    node.put(service);
    CHECK(node.addresses() == Lines{"192.0.2.10"});
}

TEST_CASE("an address that is external and ingress at once is one virtual server in both sets",
          "[plan]") {
    Scenario node;
    auto service = web(ServiceType::load_balancer);
    service.external_ips = {ip("203.0.113.9")};
    service.ingress_vips = {ip("203.0.113.9")};
    service.ports.front().protocol = Protocol::udp;
    auto some = slice("R.5");
    some.ports.front().protocol = Protocol::udp;
    node.put(service).put(some);
    CHECK(node.servers().size() == 2);
    CHECK(node.entries("KUBE-EXTERNAL-IP") == node.entries("KUBE-LOAD-BALANCER"));
    CHECK(node.state().contribution(service.name)->udp_flows.size() == 2);
}

TEST_CASE("an external address that is the cluster IP too leads where external traffic goes",
          "[plan]") {
    Scenario node;
    auto service = web();
    service.external_ips = {*service.cluster_ip.v4};
    service.internal_local = true;
    node.put(service).put(slice("L.1 R.2"));
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP -> 10.244.0.1:8080 10.244.0.2:8080"});
    service.internal_local = false;
    service.external_local = true;
    node.put(service);
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP -> 10.244.0.1:8080"});
    CHECK(node.addresses() == Lines{"10.96.0.10"});
    CHECK(node.entries("KUBE-CLUSTER-IP") == Lines{"10.96.0.10,tcp:80"});
    CHECK(node.entries("KUBE-EXTERNAL-IP-LOCAL") == Lines{"10.96.0.10,tcp:80"});
}

TEST_CASE("of two ports of one name and protocol the later one counts", "[plan]") {
    Scenario node;
    node.apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: 10.96.0.10
  ports: [{port: 80}, {port: 81}, {port: 53, protocol: UDP}, {port: 82, protocol: SCTP}, {port: 83}]
)");
    CHECK(node.servers() ==
          Lines{"10.96.0.10:53/UDP ->", "10.96.0.10:82/SCTP ->", "10.96.0.10:83/TCP ->"});
}

TEST_CASE("the gate AllowServiceExternalIPs keeps external IPs out but leaves their scope",
          "[plan]") {
    Settings settings;
    settings.external_ips = false;
    Scenario node{settings};
    auto service = web();
    service.internal_local = true;
    service.external_ips = {ip("203.0.113.7")};
    node.put(service).put(slice("R.5"));
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP -> 10.244.0.5:8080"});
    CHECK(node.entries("KUBE-EXTERNAL-IP").empty());
}

TEST_CASE("P-210 P-211 D-12 UDP flows may be answered by serving endpoints only", "[plan]") {
    Scenario node;
    auto service = web(ServiceType::load_balancer);
    service.external_ips = {ip("203.0.113.7")};
    service.ingress_vips = {ip("203.0.113.9")};
    service.ports = {{.name = model::Symbol{"u"},
                      .protocol = Protocol::udp,
                      .port = Port{8000},
                      .node_port = Port{32000}},
                     {.name = model::Symbol{"t"}, .port = Port{8000}}};
    auto some = slice("R.1 R.2!dead L.3!term R.4!unready");
    some.ports = {{.name = model::Symbol{"u"}, .protocol = Protocol::udp, .port = Port{9090}},
                  {.name = model::Symbol{"t"}, .port = Port{9090}}};
    node.put(service).put(some);
    const std::set<AddressPort> answering{{ip("10.244.0.1"), Port{9090}},
                                          {ip("10.244.0.3"), Port{9090}}};
    const std::vector<StaleFlows> expected{{{ip("10.96.0.10"), Port{8000}}, answering},
                                           {{ip("192.0.2.10"), Port{32000}}, answering},
                                           {{ip("203.0.113.7"), Port{8000}}, answering},
                                           {{ip("203.0.113.9"), Port{8000}}, answering}};
    CHECK(node.state().contribution(service.name)->udp_flows == expected);
    some.endpoints = endpoints("R.2!dead");
    node.put(some);
    CHECK(node.state().contribution(service.name)->udp_flows.empty());
}
