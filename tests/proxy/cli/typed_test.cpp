// What diff and cleanup print, typed into a shell.
#include <catch2/catch.hpp>
#include <sstream>

#include "tests/kernel/namespace.h"
#include "tests/proxy/cli/program.h"

namespace ipvsproxy::cli {
namespace {

using kernel_test::must_run;
using kernel_test::Namespace;
using kernel_test::run_command;

/// Of both families, every protocol and both policies; the second admits the node to its ingress
/// address.
const std::string everything = R"(
apiVersion: v1
kind: Service
metadata: {name: local, namespace: default}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.80
  clusterIPs: [10.96.0.80, 'fd00:96::80']
  ipFamilies: [IPv4, IPv6]
  externalIPs: [203.0.113.7, 'fd00:ee::7']
  externalTrafficPolicy: Local
  healthCheckNodePort: 30500
  sessionAffinity: ClientIP
  loadBalancerSourceRanges: [198.51.100.0/24, 'fd00:55::/64']
  ports:
  - {name: tcp, port: 80, nodePort: 30080}
  - {name: udp, port: 53, protocol: UDP, nodePort: 30053}
  - {name: sctp, port: 90, protocol: SCTP, nodePort: 30090}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}, {ip: 'fd00:ee::9'}]}}
---
apiVersion: v1
kind: Service
metadata: {name: cluster, namespace: default}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.81
  externalIPs: [203.0.113.17]
  loadBalancerSourceRanges: [192.0.2.0/24]
  ports: [{name: tcp, port: 80, nodePort: 30081}]
status: {loadBalancer: {ingress: [{ip: 203.0.113.19}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: local-4, namespace: default, labels: {kubernetes.io/service-name: local}}
addressType: IPv4
ports: [{name: tcp, port: 8080}, {name: udp, port: 5353, protocol: UDP}, {name: sctp, port: 9090, protocol: SCTP}]
endpoints: [{addresses: [10.244.1.10], nodeName: n1}, {addresses: [10.244.2.10], nodeName: n2}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: local-6, namespace: default, labels: {kubernetes.io/service-name: local}}
addressType: IPv6
ports: [{name: tcp, port: 8080}, {name: udp, port: 5353, protocol: UDP}, {name: sctp, port: 9090, protocol: SCTP}]
endpoints: [{addresses: ['fd00:244::10'], nodeName: n1}]
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.0.2.10}]}
)";

/// nf_conntrack_max belongs to the host's own network namespace: here it cannot be set.
kernel_test::Finished diff() {
    return call({"diff", "-f", "-", "--hostname-override=n1", "--ipvs-scheduler=mh",
                 "--conntrack-max-per-core=0"},
                everything);
}

/// Runs the lines as they stand, but for their signs.
void type(const std::string& lines) {
    std::istringstream in{lines};
    std::string script;
    for (std::string line; std::getline(in, line);) {
        const bool is_change =
            line.starts_with("+ ") || line.starts_with("~ ") || line.starts_with("- ");
        auto command = is_change ? line.substr(2) : line;
        // The variant that the program has chosen here.
        if (command.starts_with("iptables ") || command.starts_with("ip6tables "))
            command.insert(command.find(' '), "-legacy");
        script += command + '\n';
    }
    CAPTURE(script);
    const auto typed = run_command({"sh", "-e"}, script);
    CAPTURE(typed);
    REQUIRE(typed.status == 0);
    CHECK(typed.err.empty());
}

TEST_CASE("what diff prints can be typed, and then nothing differs; so can a cleanup",
          "[.kernel]") {
    const Namespace node;
    must_run({"ip", "link", "add", "eth0", "type", "dummy"});
    must_run({"ip", "address", "add", "192.0.2.10/24", "dev", "eth0"});
    must_run({"ip", "address", "add", "fd00:10::10/64", "dev", "eth0"});
    const auto before = must_run({"ip", "-o", "address"});
    type(diff().out);
    const auto again = diff();
    CAPTURE(again);
    CHECK(again.status == 0);
    CHECK(again.out.empty());

    type(call({"cleanup", "--dry-run"}).out);
    CHECK(must_run({"ipvsadm", "-S", "-n"}).empty());
    CHECK(must_run({"ipset", "list", "-n"}).empty());
    CHECK(must_run({"iptables-legacy-save"}).find("KUBE-") == std::string::npos);
    CHECK(must_run({"ip6tables-legacy-save"}).find("KUBE-") == std::string::npos);
    CHECK(must_run({"ip", "-o", "address"}) == before);
    CHECK(call({"cleanup"}).status == 0);
}

} // namespace
} // namespace ipvsproxy::cli
