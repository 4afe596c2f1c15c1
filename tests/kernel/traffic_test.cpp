// What clients and backends see on the wire once the program under test has written the kernel.
#include "tests/kernel/objects.h"
#include "tests/kernel/topology.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace ipvsproxy::kernel_test {
namespace {

using std::string;
using Texts = std::set<string>;

const string dual_stack_web = service("web", "  type: NodePort\n"
                                             "  ipFamilyPolicy: RequireDualStack\n"
                                             "  ipFamilies: [IPv4, IPv6]\n"
                                             "  clusterIP: 10.96.0.80\n"
                                             "  clusterIPs: [10.96.0.80, 'fd00:96::80']\n" +
                                                 ports(30080, 30081)) +
                              slice("web", {local_1, remote_1}) +
                              slice("web", {local_1_v6, remote_1_v6});

TEST_CASE("a cluster IP is balanced over its endpoints, which see the client itself",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(dual_stack_web);
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(survey(cluster.client(), protocol, "10.96.0.80", 80) ==
              Texts{"3 x local-1 saw 192.168.10.50", "3 x remote-1 saw 192.168.10.50"});
        CHECK(survey(cluster.client(), protocol, "fd00:96::80", 80) ==
              Texts{"3 x local-1 saw fd00:10::50", "3 x remote-1 saw fd00:10::50"});
    }
}

TEST_CASE("the node itself reaches a cluster IP, and not from that address", "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(dual_stack_web);
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(answers(cluster.node(), protocol, "10.96.0.80", 80) ==
              Texts{"local-1 saw 10.244.1.1", "remote-1 saw 10.244.1.1"});
        CHECK(answers(cluster.node(), protocol, "fd00:96::80", 80) ==
              Texts{"local-1 saw fd00:244:1::1", "remote-1 saw fd00:244:1::1"});
    }
}

TEST_CASE("a node port is balanced and masqueraded on every node address", "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(dual_stack_web);
    const Texts v4{"local-1 saw 10.244.1.1", "remote-1 saw 10.244.1.1"};
    const Texts v6{"local-1 saw fd00:244:1::1", "remote-1 saw fd00:244:1::1"};
    CHECK(answers(cluster.client(), Protocol::tcp, "192.168.10.11", 30080) == v4);
    CHECK(answers(cluster.client(), Protocol::udp, "192.168.10.11", 30081) == v4);
    CHECK(answers(cluster.client(), Protocol::tcp, "10.244.1.1", 30080) == v4);
    CHECK(answers(cluster.client(), Protocol::tcp, "fd00:10::11", 30080) == v6);
    CHECK(answers(cluster.client(), Protocol::udp, "fd00:10::11", 30081) == v6);
}

TEST_CASE("externalTrafficPolicy Local keeps the client's address and stays on the node",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(service("web", "  type: LoadBalancer\n"
                                 "  externalTrafficPolicy: Local\n"
                                 "  clusterIP: 10.96.0.80\n"
                                 "  externalIPs: [198.51.100.7]\n" +
                                     ports(30080, 30081) +
                                     "status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}\n") +
                  slice("web", {local_1, local_2, remote_1}));
    const Texts local{"local-1 saw 192.168.10.50", "local-2 saw 192.168.10.50"};
    CHECK(answers(cluster.client(), Protocol::tcp, "192.168.10.11", 30080) == local);
    CHECK(answers(cluster.client(), Protocol::udp, "192.168.10.11", 30081) == local);
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(answers(cluster.client(), protocol, "198.51.100.7", 80) == local);
        CHECK(answers(cluster.client(), protocol, "203.0.113.9", 80) == local);
        CHECK(answers(cluster.client(), protocol, "10.96.0.80", 80).size() == 3);
    }
}

TEST_CASE("external and load balancer addresses are balanced and masqueraded",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(service("web", "  type: LoadBalancer\n"
                                 "  clusterIP: 10.96.0.80\n"
                                 "  externalIPs: [198.51.100.7]\n" +
                                     ports(30080, 30081) +
                                     "status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}\n") +
                  slice("web", {local_1, remote_1}));
    const Texts masqueraded{"local-1 saw 10.244.1.1", "remote-1 saw 10.244.1.1"};
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(answers(cluster.client(), protocol, "198.51.100.7", 80) == masqueraded);
        CHECK(answers(cluster.client(), protocol, "203.0.113.9", 80) == masqueraded);
    }
}

TEST_CASE("load balancer source ranges drop everyone else in silence", "[traffic][.kernel]") {
    const Topology cluster;
    const auto balancer = [](const char* range) {
        return service("web", string{"  type: LoadBalancer\n"
                                     "  clusterIP: 10.96.0.80\n"
                                     "  loadBalancerSourceRanges: ["} +
                                  range + "]\n" + ports() +
                                  "status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}\n") +
               slice("web", {local_1});
    };
    cluster.apply(balancer("192.168.10.48/28"));
    CHECK(answers(cluster.client(), Protocol::tcp, "203.0.113.9", 80) ==
          Texts{"local-1 saw 10.244.1.1"});
    cluster.apply(balancer("192.168.10.96/28"));
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(answers(cluster.client(), protocol, "203.0.113.9", 80, 1) == Texts{"silence"});
        CHECK(answers(cluster.client(), protocol, "10.96.0.80", 80) ==
              Texts{"local-1 saw 192.168.10.50"});
    }
}

TEST_CASE("internalTrafficPolicy Local reaches the node's own endpoints only",
          "[traffic][.kernel]") {
    const Topology cluster;
    const auto internal = [](const char* name, const char* address) {
        return service(name, string{"  internalTrafficPolicy: Local\n  clusterIP: "} + address +
                                 '\n' + ports());
    };
    cluster.apply(internal("here", "10.96.0.80") + slice("here", {local_1, remote_1}) +
                  internal("elsewhere", "10.96.0.81") + slice("elsewhere", {remote_1}));
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(answers(cluster.client(), protocol, "10.96.0.80", 80) ==
              Texts{"local-1 saw 192.168.10.50"});
        CHECK(answers(cluster.client(), protocol, "10.96.0.81", 80, 1) == Texts{"refused"});
    }
}

TEST_CASE("session affinity keeps a client on one endpoint", "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(service("web", "  sessionAffinity: ClientIP\n"
                                 "  clusterIP: 10.96.0.80\n" +
                                     ports()) +
                  slice("web", {local_1, local_2, remote_1}));
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        const auto first = answers(cluster.client(), protocol, "10.96.0.80", 80, 8);
        CHECK(first.size() == 1);
        CHECK(first != Texts{"silence"});
        CHECK(first != Texts{"refused"});
    }
}

TEST_CASE("a pod that reaches itself through its service sees the node", "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(service("web", "  ipFamilyPolicy: RequireDualStack\n"
                                 "  ipFamilies: [IPv4, IPv6]\n"
                                 "  clusterIP: 10.96.0.80\n"
                                 "  clusterIPs: [10.96.0.80, 'fd00:96::80']\n" +
                                     ports()) +
                  slice("web", {local_1, remote_1}) + slice("web", {local_1_v6, remote_1_v6}));
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(answers(cluster.local_1(), protocol, "10.96.0.80", 80) ==
              Texts{"local-1 saw 10.244.1.1", "remote-1 saw 10.244.1.10"});
        CHECK(answers(cluster.local_1(), protocol, "fd00:96::80", 80) ==
              Texts{"local-1 saw fd00:244:1::1", "remote-1 saw fd00:244:1::10"});
    }
}

TEST_CASE("clusterCIDR masquerades what comes from outside the pods' network",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(dual_stack_web, "clusterCIDR: 10.244.0.0/16,fd00:244::/32\n");
    CHECK(answers(cluster.client(), Protocol::tcp, "10.96.0.80", 80) ==
          Texts{"local-1 saw 10.244.1.1", "remote-1 saw 10.244.1.1"});
    CHECK(answers(cluster.client(), Protocol::udp, "fd00:96::80", 80) ==
          Texts{"local-1 saw fd00:244:1::1", "remote-1 saw fd00:244:1::1"});
    CHECK(answers(cluster.local_1(), Protocol::tcp, "10.96.0.80", 80)
              .contains("remote-1 saw 10.244.1.10"));
}

TEST_CASE("masqueradeAll masquerades all that goes to a cluster IP", "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(dual_stack_web, "iptables: {masqueradeAll: true}\n");
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(answers(cluster.client(), protocol, "10.96.0.80", 80) ==
              Texts{"local-1 saw 10.244.1.1", "remote-1 saw 10.244.1.1"});
        CHECK(answers(cluster.local_1(), protocol, "10.96.0.80", 80) ==
              Texts{"local-1 saw 10.244.1.1", "remote-1 saw 10.244.1.1"});
    }
}

TEST_CASE("a service address refuses every port but its own, and answers ping (D-01)",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(
        service(
            "web",
            "  type: LoadBalancer\n"
            "  ipFamilyPolicy: RequireDualStack\n"
            "  ipFamilies: [IPv4, IPv6]\n"
            "  clusterIP: 10.96.0.80\n"
            "  clusterIPs: [10.96.0.80, 'fd00:96::80']\n"
            "  externalIPs: [198.51.100.7, '2001:db8:e::7']\n" +
                ports() +
                "status: {loadBalancer: {ingress: [{ip: 203.0.113.9}, {ip: '2001:db8:f::9'}]}}\n") +
        slice("web", {local_1}) + slice("web", {local_1_v6}));
    for (const string address : {"10.96.0.80", "198.51.100.7", "203.0.113.9", "fd00:96::80",
                                 "2001:db8:e::7", "2001:db8:f::9"}) {
        CAPTURE(address);
        CHECK(answers_ping(cluster.client(), address));
        for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
            CAPTURE(protocol);
            CHECK_FALSE(answers(cluster.client(), protocol, address, 80, 1).contains("refused"));
            for (const auto other : std::initializer_list<std::uint16_t>{1, 79, 81, 8080, 65535})
                CHECK(answers(cluster.client(), protocol, address, other, 1) == Texts{"refused"});
        }
    }
}

TEST_CASE("a service without endpoints refuses at once", "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(
        service("web", "  type: NodePort\n  clusterIP: 10.96.0.80\n" + ports(30080, 30081)));
    CHECK(answers(cluster.client(), Protocol::tcp, "10.96.0.80", 80, 1) == Texts{"refused"});
    CHECK(answers(cluster.client(), Protocol::udp, "10.96.0.80", 80, 1) == Texts{"refused"});
    CHECK(answers(cluster.client(), Protocol::tcp, "192.168.10.11", 30080, 1) == Texts{"refused"});
}

TEST_CASE("an endpoint that goes away is no longer reached, one that comes is",
          "[traffic][.kernel]") {
    const Topology cluster;
    const auto web = service("web", "  clusterIP: 10.96.0.80\n" + ports());
    for (const auto& endpoints : std::initializer_list<std::vector<Endpoint>>{
             {local_1, remote_1}, {local_2}, {local_1, local_2}}) {
        cluster.apply(web + slice("web", endpoints));
        for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
            CAPTURE(protocol);
            CHECK(answers(cluster.client(), protocol, "10.96.0.80", 80).size() == endpoints.size());
        }
    }
}

TEST_CASE("after cleanup nothing answers for a service any more", "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(dual_stack_web);
    REQUIRE(answers(cluster.client(), Protocol::tcp, "10.96.0.80", 80).size() == 2);
    REQUIRE(cluster.program({"cleanup"}).status == 0);
    for (const string address : {"10.96.0.80", "fd00:96::80"}) {
        CAPTURE(address);
        CHECK(answers(cluster.client(), Protocol::tcp, address, 80, 1) == Texts{"unreachable"});
        CHECK_FALSE(answers_ping(cluster.client(), address));
    }
}

} // namespace
} // namespace ipvsproxy::kernel_test
