// Changes in the words of the tools.
#include <catch2/catch.hpp>
#include <sstream>

#include "proxy/plan/cleanup.h"
#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;

namespace {

/// A node on which everything that no Service asks for is in place.
Scenario& settled(Scenario& node) {
    node.put(web()).put(slice("R.1"));
    node.round();
    node.store.remove_service({"default", "web"});
    node.store.remove_slice({"default", "web-1"});
    node.round();
    return node;
}

/// Without the lines of the tables' rules.
std::string without_rules(const std::string& all) {
    std::string out;
    for (std::size_t begin = 0; begin < all.size();) {
        const auto end = all.find('\n', begin) + 1;
        const auto line = all.substr(begin, end - begin);
        if (line.find("tables -t ") == std::string::npos) out += line;
        begin = end;
    }
    return out;
}

} // namespace

TEST_CASE("a new service is told as what makes it, under its name", "[plan]") {
    Scenario node;
    settled(node).apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  clusterIP: 10.96.0.10
  sessionAffinity: ClientIP
  ports: [{name: http, port: 80, nodePort: 30080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.244.0.5], nodeName: n1}
- {addresses: [10.244.1.5], nodeName: n2}
)");
    CHECK(without_rules(node.round()) == R"(# node

# Service shop/web
+ ipset add KUBE-CLUSTER-IP 10.96.0.10,tcp:80  # missing
+ ipset add KUBE-IPVS-IPS 10.96.0.10  # missing
+ ipset add KUBE-LOOP-BACK 10.244.0.5,tcp:8080,10.244.0.5  # missing
+ ipset add KUBE-NODE-PORT-TCP 30080  # missing
+ ipvsadm -A -t 10.96.0.10:80 -s rr -p 10800  # missing
+ ipvsadm -A -t 192.0.2.10:30080 -s rr -p 10800  # missing
+ ipvsadm -a -t 10.96.0.10:80 -r 10.244.0.5:8080 -m -w 1  # missing
+ ipvsadm -a -t 10.96.0.10:80 -r 10.244.1.5:8080 -m -w 1  # missing
+ ipvsadm -a -t 192.0.2.10:30080 -r 10.244.0.5:8080 -m -w 1  # missing
+ ipvsadm -a -t 192.0.2.10:30080 -r 10.244.1.5:8080 -m -w 1  # missing
+ ip address add 10.96.0.10/32 dev kube-ipvs0  # missing
)");
    CHECK(node.plan().empty());

    node.store.remove_service({"shop", "web"});
    CHECK(without_rules(node.round()) == R"(# node
- ipset del KUBE-CLUSTER-IP 10.96.0.10,tcp:80  # no Service asks for it
- ipset del KUBE-IPVS-IPS 10.96.0.10  # no Service asks for it
- ipset del KUBE-LOOP-BACK 10.244.0.5,tcp:8080,10.244.0.5  # no Service asks for it
- ipset del KUBE-NODE-PORT-TCP 30080  # no Service asks for it
- ipvsadm -D -t 10.96.0.10:80  # no Service asks for it
- ipvsadm -D -t 192.0.2.10:30080  # no Service asks for it
- ip address del 10.96.0.10/32 dev kube-ipvs0  # no Service asks for it
)");
}

TEST_CASE("an endpoint that goes is one line", "[plan]") {
    Scenario node;
    settled(node).put(web()).put(slice("R.1 R.2"));
    node.round();
    node.put(slice("R.2"));
    CHECK(node.plan() == R"(# Service default/web
- ipvsadm -d -t 10.96.0.10:80 -r 10.244.0.1:8080  # no ready endpoint
)");
}

TEST_CASE("chains that differ are told with all they will hold", "[plan]") {
    Scenario node;
    settled(node);
    node.kernel.chains.v4[{iptables::TableName::nat, "KUBE-LOAD-BALANCER"}].clear();
    node.kernel.chains.v6.erase({iptables::TableName::nat, "OUTPUT"});
    node.look();
    CHECK(node.plan() == R"(# node
~ iptables -t nat -F KUBE-LOAD-BALANCER  # content differs
+ iptables -t nat -A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
+ ip6tables -t nat -I OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES  # missing
)");
}

TEST_CASE("rules are told in an order and a spelling that a shell takes", "[plan]") {
    Scenario node;
    auto service = web(model::ServiceType::node_port);
    service.ports.front().node_port = Port{30080};
    service.ports.front().protocol = Protocol::sctp;
    node.put(service);
    node.look();
    const auto changes = node.state().changes();
    std::set<std::string> there;
    for (const auto& line : describe(changes, node.state())) {
        std::istringstream words{line.command};
        std::string tool, option, table, action, chain;
        words >> tool >> option >> table >> action >> chain;
        if (line.table != "iptables") continue;
        CAPTURE(line.command);
        CHECK(line.command.find('\\') == std::string::npos);
        if (action == "-N") there.insert(tool + table + chain);
        if (action == "-N" || action == "-I") continue;
        CHECK(action == "-A"); // nothing to flush on a new node
        CHECK(there.contains(tool + table + chain));
        const auto to = line.command.substr(line.command.rfind(' ') + 1);
        if (to.starts_with("KUBE-")) CHECK(there.contains(tool + table + to));
    }
    CHECK(there.size() == 22);
    CHECK_THAT(text(describe(changes, node.state())),
               Catch::Matchers::Contains("with type 'hash ip:port'\""));
}

TEST_CASE("what goes is told in an order that the tools take", "[plan]") {
    Scenario node;
    node.put(web());
    node.round();
    const auto lines = describe(cleanup(node.kernel), NodeState{{}});
    const auto first = [&](std::string_view words) {
        return std::ranges::find_if(
            lines, [&](const Line& line) { return line.command.find(words) != std::string::npos; });
    };
    // A chain goes when it is empty and nothing leads to it, a set when no rule names it.
    CHECK(first(" -D OUTPUT ") < first(" -F KUBE-SERVICES"));
    CHECK(first(" -F KUBE-SERVICES") < first(" -X KUBE-MARK-MASQ"));
    CHECK(first("ip6tables -t nat -X KUBE-SERVICES") < first("ipset destroy "));
}

TEST_CASE("a set that is there but will not do is told otherwise than one that is missing",
          "[plan]") {
    Scenario node;
    settled(node);
    node.kernel.sets["KUBE-CLUSTER-IP"].spec.max_entries = 1024;
    node.kernel.sets.erase("KUBE-IPVS-IPS");
    node.look();
    CHECK(node.plan() == R"(# node
~ ipset create KUBE-CLUSTER-IP hash:ip,port family inet maxelem 65536  # too small or of another type: built anew, then swapped in
+ ipset create KUBE-IPVS-IPS hash:ip family inet maxelem 65536  # missing
)");
}

TEST_CASE("P-168 keys and specs are spelt as ipvsadm takes them", "[plan]") {
    CHECK(key("10.96.0.10:80/TCP").text() == "10.96.0.10:80/TCP");
    CHECK(key("[2001:db8::1]:80/UDP").text() == "[2001:db8::1]:80/UDP");
    CHECK(ipvsadm("-D", key("[2001:db8::1]:80/UDP")) == "ipvsadm -D -u [2001:db8::1]:80");
    CHECK(ipvsadm("-D", key("10.96.0.10:80/SCTP")) == "ipvsadm -D --sctp-service 10.96.0.10:80");
    const auto four = key("10.96.0.10:80/TCP"), six = key("[2001:db8::1]:80/TCP");
    const auto spec = [](const char* scheduler, std::uint32_t flags, std::uint32_t timeout,
                         std::uint8_t prefix) {
        return ipvs::ServiceSpec{.scheduler = scheduler,
                                 .flags = flags,
                                 .timeout_seconds = timeout,
                                 .persistence_prefix = prefix};
    };
    CHECK(ipvsadm("-A", four, spec("mh", 0x10, 0, 32)) ==
          "ipvsadm -A -t 10.96.0.10:80 -s mh -b mh-port");
    CHECK(ipvsadm("-A", four, spec("sh", 0x18, 0, 32)) ==
          "ipvsadm -A -t 10.96.0.10:80 -s sh -b sh-fallback,sh-port");
    CHECK(ipvsadm("-A", four, spec("wlc", 0x28, 0, 32)) ==
          "ipvsadm -A -t 10.96.0.10:80 -s wlc -b flag-1,flag-3");
    CHECK(ipvsadm("-A", four, spec("rr", 0x1, 300, 24)) ==
          "ipvsadm -A -t 10.96.0.10:80 -s rr -p 300 -M 255.255.255.0");
    CHECK(ipvsadm("-A", six, spec("rr", 0x5, 300, 64)) ==
          "ipvsadm -A -t [2001:db8::1]:80 -s rr -p 300 -M 64 -o");
    const ipvs::DestinationKey real{six, ip("2001:db8::2"), Port{8080}};
    CHECK(ipvsadm("-d", real) == "ipvsadm -d -t [2001:db8::1]:80 -r [2001:db8::2]:8080");
    CHECK(ipvsadm("-a", real, {ipvs::Forward::tunnel, 3, 20, 10}) ==
          "ipvsadm -a -t [2001:db8::1]:80 -r [2001:db8::2]:8080 -i -w 3 -x 20 -y 10");
}

TEST_CASE("P-192 entries are spelt as ipset prints them", "[plan]") {
    using ipset::Type;
    const auto one = ip("192.0.2.1");
    CHECK(ipset::text(Type::hash_ip_port, {one, Protocol::udp, Port{53}, {}}) ==
          "192.0.2.1,udp:53");
    CHECK(ipset::text(Type::hash_ip_port_ip,
                      {one, Protocol::tcp, Port{80}, Prefix{ip("10.0.0.1")}}) ==
          "192.0.2.1,tcp:80,10.0.0.1");
    CHECK(ipset::text(Type::hash_ip_port_net,
                      {one, Protocol::tcp, Port{80}, *Prefix::parse("10.0.1.0/24")}) ==
          "192.0.2.1,tcp:80,10.0.1.0/24");
    CHECK(ipset::text(Type::bitmap_port, {{}, Protocol::tcp, Port{8080}, {}}) == "8080");
    CHECK(ipset::text(Type::hash_ip, {one, Protocol::tcp, {}, {}}) == "192.0.2.1");
}

TEST_CASE("P-169 every field of a spec that differs is named as the reason", "[plan]") {
    const auto reason = [](const auto& change) {
        Scenario node;
        settled(node).put(web()).put(slice("R.1"));
        node.round();
        change(node.kernel.services.begin()->second,
               node.kernel.destinations.specs.begin()->second);
        node.look();
        const auto lines = describe(node.state().changes(), node.state());
        REQUIRE(lines.size() == 1);
        CHECK(lines.front().sign == Sign::update);
        return lines.front().reason;
    };
    using ipvs::DestinationSpec;
    using ipvs::ServiceSpec;
    CHECK(reason([](ServiceSpec& s, DestinationSpec&) { s.scheduler = "lc"; }) ==
          "scheduler is lc");
    CHECK(reason([](ServiceSpec& s, DestinationSpec&) { s.flags = 4; }) == "flags are 4");
    CHECK(reason([](ServiceSpec& s, DestinationSpec&) { s.timeout_seconds = 9; }) ==
          "affinity timeout is 9 s");
    CHECK(reason([](ServiceSpec& s, DestinationSpec&) { s.persistence_prefix = 24; }) ==
          "clients are grouped by /24");
    CHECK(reason([](ServiceSpec& s, DestinationSpec&) { s.persistence_engine = "sip"; }) ==
          "persistence engine is sip");
    CHECK(reason([](ServiceSpec&, DestinationSpec& d) { d.upper_threshold = 5; }) ==
          "thresholds are 5/0");
}

TEST_CASE("changes can be told of after they were made", "[plan]") {
    Scenario node;
    settled(node).put(web()).put(slice("R.1"));
    node.round();
    node.kernel.services.begin()->second.scheduler = "lc";
    node.look();
    const auto changes = node.state().changes();
    learn(node.state(), changes);
    CHECK(text(describe(changes, node.state())) ==
          "# Service default/web\n~ ipvsadm -E -t 10.96.0.10:80 -s rr\n");
}

TEST_CASE("shared addresses and entries are told of as one of their services'", "[plan]") {
    Scenario node;
    settled(node);
    for (const auto* name : {"a", "b"}) {
        auto service = web();
        service.name.name = name;
        service.cluster_ip.v4 = ip(std::string{"10.96.0."} + (name[0] == 'a' ? "11" : "12"));
        service.external_ips = {ip("203.0.113.7")};
        service.ports.front().port = Port{static_cast<std::uint16_t>(name[0] == 'a' ? 81 : 80)};
        node.put(service);
    }
    for (const auto& line : describe(node.state().changes(), node.state()))
        if (line.table != "iptables") {
            CAPTURE(line.command);
            CHECK((line.service == "default/a" || line.service == "default/b"));
        }
}
