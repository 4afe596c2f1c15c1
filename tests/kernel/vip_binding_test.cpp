// VIPs as addresses of kube-ipvs0 and as local routes: the same to everyone who looks at them.
#include "tests/kernel/topology.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <sstream>
#include <thread>

namespace ipvsproxy::kernel_test {
namespace {

using std::string;
using Texts = std::set<string>;

const string web = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  clusterIP: 10.96.0.80
  clusterIPs: [10.96.0.80, 'fd00:96::80']
  externalIPs: [198.51.100.7, '2001:db8:e::7']
  ports:
  - {name: tcp, port: 80, targetPort: 8080, protocol: TCP}
  - {name: udp, port: 80, targetPort: 8080, protocol: UDP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-v4, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: tcp, port: 8080, protocol: TCP}, {name: udp, port: 8080, protocol: UDP}]
endpoints:
- {addresses: [10.244.1.10], nodeName: node-1, conditions: {ready: true}}
- {addresses: [10.244.2.10], nodeName: node-2, conditions: {ready: true}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-v6, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv6
ports: [{name: tcp, port: 8080, protocol: TCP}, {name: udp, port: 8080, protocol: UDP}]
endpoints:
- {addresses: ['fd00:244:1::10'], nodeName: node-1, conditions: {ready: true}}
- {addresses: ['fd00:244:2::10'], nodeName: node-2, conditions: {ready: true}}
)";

const std::vector<string> vips{"10.96.0.80", "fd00:96::80", "198.51.100.7", "2001:db8:e::7"};

std::vector<string> bound_as(const string& binding) {
    return {"--ipvs-vip-binding=" + binding};
}

string command(const Namespace& where, const string& line) {
    const Inside there{where};
    return run_command({"sh", "-c", line}).out;
}

/// Who answers on the VIPs, and whom they see.
void look_at_traffic(const Topology& cluster, std::map<string, Texts>& seen) {
    const std::map<string, const Namespace*> places{
        {"client", &cluster.client()}, {"node", &cluster.node()}, {"pod", &cluster.local_1()}};
    for (const auto& [name, place] : places)
        for (const auto& vip : vips) {
            const auto what = name + " to " + vip;
            seen[what + " tcp"] = answers(*place, Protocol::tcp, vip, 80);
            seen[what + " udp"] = answers(*place, Protocol::udp, vip, 80);
            seen[what + " other port"] = answers(*place, Protocol::tcp, vip, 81, 1);
            seen[what + " ping"] = {answers_ping(*place, vip) ? "answered" : "silent"};
        }
}

/// Whether the node answers for a VIP on the link (ARP, neighbour discovery).
Texts answers_neighbours(const Topology& cluster, const string& vip) {
    const string v6 = vip.find(':') == string::npos ? "" : "-6 ";
    const auto link = command(cluster.client(), "ip -o route get 192.168.10.11 | sed "
                                                "'s/.* dev \\([^ ]*\\).*/\\1/'");
    const auto device = link.substr(0, link.find('\n'));
    command(cluster.client(), "ip " + v6 + "route replace " + vip + " dev " + device);
    command(cluster.client(), "ping -c 1 -W 1 " + vip);
    const auto known = command(cluster.client(), "ip neigh show " + vip);
    command(cluster.client(), "ip " + v6 + "route del " + vip + " dev " + device);
    command(cluster.client(), "ip neigh flush to " + vip);
    return {known.find("lladdr") == string::npos ? "silent" : "answered"};
}

void look_at_neighbours(const Topology& cluster, std::map<string, Texts>& seen) {
    for (const string strict : {"0 0", "1 2"}) {
        const auto space = strict.find(' ');
        command(cluster.node(), "echo " + strict.substr(0, space) +
                                    " > /proc/sys/net/ipv4/conf/all/arp_ignore; echo " +
                                    strict.substr(space) +
                                    " > /proc/sys/net/ipv4/conf/all/arp_announce");
        for (const auto& vip : vips)
            seen["neighbours of " + vip + ", arp " + strict] = answers_neighbours(cluster, vip);
    }
}

/// What rules and filters of the node say of packets to a VIP.
void look_at_rules(const Topology& cluster, std::map<string, Texts>& seen) {
    for (const auto& vip : vips) {
        const string tool = vip.find(':') == string::npos ? "iptables" : "ip6tables";
        command(cluster.node(),
                tool + " -w -t mangle -A PREROUTING -d " + vip + " -m addrtype --dst-type LOCAL");
        seen["ping " + vip] = {answers_ping(cluster.client(), vip) ? "answered" : "silent"};
        const auto counts = command(cluster.node(), tool + " -w -t mangle -vxnL PREROUTING | "
                                                           "awk '/LOCAL/ {print $1}'");
        command(cluster.node(), tool + " -w -t mangle -F PREROUTING");
        seen["addrtype LOCAL of " + vip] = {counts};
    }
    command(cluster.node(), "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > $f; done");
    for (const auto& vip : vips)
        seen["strict rp_filter, " + vip] = answers(cluster.client(), Protocol::tcp, vip, 80);
    command(cluster.node(), "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
}

std::map<string, Texts> observations(const string& binding) {
    const Topology cluster;
    cluster.apply(web, {}, bound_as(binding));
    std::map<string, Texts> seen;
    look_at_traffic(cluster, seen);
    look_at_rules(cluster, seen);
    look_at_neighbours(cluster, seen);
    return seen;
}

} // namespace

TEST_CASE("VIPs bound as routes are the same to clients, pods, the node, and rules",
          "[traffic][.kernel]") {
    auto addresses = observations("addresses");
    const auto routes = observations("routes");
    REQUIRE(addresses.size() == routes.size());
    // The one difference: without an address there, the node asks an IPv6 VIP from its own address;
    // otherwise it asks from the VIP itself, which is masqueraded on the way out.
    for (const string protocol : {"tcp", "udp"}) {
        const auto what = "node to fd00:96::80 " + protocol;
        CHECK(addresses.at(what) ==
              Texts{"local-1 saw fd00:244:1::1", "remote-1 saw fd00:244:1::1"});
        CHECK(routes.at(what) == Texts{"local-1 saw fd00:10::11", "remote-1 saw fd00:10::11"});
        addresses.erase(what);
    }
    for (const auto& [what, seen] : addresses) {
        CAPTURE(what);
        CHECK(routes.at(what) == seen);
    }
    CHECK(addresses.at("client to 10.96.0.80 tcp").size() == 2);
    CHECK(addresses.at("addrtype LOCAL of fd00:96::80") == Texts{"1\n"});
    CHECK(addresses.at("neighbours of 10.96.0.80, arp 0 0") == Texts{"answered"});
    CHECK(addresses.at("neighbours of 10.96.0.80, arp 1 2") == Texts{"silent"});
}

TEST_CASE("with routes kube-ipvs0 has no address, and nothing is left to write",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(web, {}, bound_as("routes"));
    CHECK(command(cluster.node(), "ip -o address show dev kube-ipvs0").empty());
    CHECK(cluster.proxy("diff", web, {}, bound_as("routes")).status == 0);
    const auto back = cluster.proxy("diff", web);
    CHECK(back.status == 1);
    CHECK(back.out.find("+ ip address add 10.96.0.80/32 dev kube-ipvs0") != string::npos);
    CHECK(back.out.find("- ip route del local 10.96.0.80 dev lo table local proto 155") !=
          string::npos);
    CHECK(back.out.find("- ip -6 route del local fd00:96::80 dev lo table local proto 155") !=
          string::npos);
    REQUIRE(cluster.program({"cleanup"}).status == 0);
    CHECK(command(cluster.node(), "ip route show table local proto 155; "
                                  "ip -6 route show table local proto 155")
              .empty());
}

TEST_CASE("traffic goes on while VIPs change from addresses to routes and back",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(web);
    std::atomic<bool> done{};
    std::map<string, std::size_t> said;
    std::thread asking{[&] {
        while (!done)
            for (const string vip : {"10.96.0.80", "fd00:96::80"})
                for (const auto& answer : answers(cluster.client(), Protocol::tcp, vip, 80, 1))
                    ++said[answer];
    }};
    for (int i = 0; i < 3; ++i)
        for (const string binding : {"routes", "addresses"})
            cluster.apply(web, {}, bound_as(binding));
    done = true;
    asking.join();
    CAPTURE(said);
    CHECK(said.size() == 4); // two backends, as two families see them
    for (const auto& [answer, count] : said)
        CHECK(answer.find(" saw ") != string::npos);
}

} // namespace ipvsproxy::kernel_test
