// apply, diff and cleanup on a real kernel, as an operator sees them.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/kernel/namespace.h"
#include "tests/proxy/cli/program.h"
#include "tests/proxy/files/folder.h"

namespace ipvsproxy::cli {
namespace {

using Catch::Matchers::Contains;
using kernel_test::must_run;
using kernel_test::Namespace;
using kernel_test::run_command;

const std::string web = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: 10.96.0.80
  ports: [{name: tcp, port: 80, targetPort: 8080, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-v4, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: tcp, port: 8080, protocol: TCP}]
endpoints:
- {addresses: ['10.244.1.10'], nodeName: node-1, conditions: {ready: true}}
- {addresses: ['10.244.2.10'], nodeName: node-2, conditions: {ready: true}}
)";

/// nf_conntrack_max belongs to the host's own network namespace: here it cannot be set.
kernel_test::Finished on_node(std::vector<std::string> words, const std::string& manifests) {
    words.insert(words.end(), {"--conntrack-max-per-core=0", "-f", "-"});
    return call(std::move(words), manifests);
}

void must_apply(const std::string& manifests) {
    const auto result = on_node({"apply"}, manifests);
    CAPTURE(result);
    REQUIRE(result.status == 0);
}

/// One thing of each table is changed behind the program's back.
void tamper() {
    must_run({"ipvsadm", "-d", "-t", "10.96.0.80:80", "-r", "10.244.1.10:8080"});
    must_run({"ipvsadm", "-e", "-t", "10.96.0.80:80", "-r", "10.244.2.10:8080", "-m", "-w", "5"});
    must_run({"ipvsadm", "-A", "-t", "10.96.0.99:80", "-s", "rr"});
    must_run({"ipset", "del", "KUBE-CLUSTER-IP", "10.96.0.80,tcp:80"});
    must_run({"iptables-legacy", "-t", "nat", "-F", "KUBE-MARK-MASQ"});
    must_run({"ip", "address", "del", "10.96.0.80/32", "dev", "kube-ipvs0"});
}

const std::string tampered =
    "# node\n"
    "~ iptables -t nat -F KUBE-MARK-MASQ  # content differs\n"
    "+ iptables -t nat -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n"
    "- ipvsadm -D -t 10.96.0.99:80  # no Service asks for it\n"
    "\n"
    "# Service default/web\n"
    "+ ipset add KUBE-CLUSTER-IP 10.96.0.80,tcp:80  # missing\n"
    "~ ipvsadm -e -t 10.96.0.80:80 -r 10.244.2.10:8080 -m -w 1  # weight is 5\n"
    "+ ipvsadm -a -t 10.96.0.80:80 -r 10.244.1.10:8080 -m -w 1  # missing\n"
    "+ ip address add 10.96.0.80/32 dev kube-ipvs0  # missing\n";

TEST_CASE("after apply there is no difference; what is tampered with is told line by line",
          "[.kernel]") {
    const Namespace node;
    must_apply(web);
    const auto equal = on_node({"diff"}, web);
    CAPTURE(equal);
    CHECK(equal.status == 0);
    CHECK(equal.out.empty());

    tamper();
    const auto differs = on_node({"diff"}, web);
    CHECK(differs.status == 1);
    CHECK(differs.out == tampered);
    const auto json = on_node({"diff", "-o", "json"}, web);
    CHECK(json.status == 1);
    CHECK_THAT(json.out, Contains("\"command\": \"ipset add KUBE-CLUSTER-IP 10.96.0.80,tcp:80\""));
    CHECK_THAT(json.out, Contains("\"service\": \"default/web\""));

    must_apply(web);
    CHECK(on_node({"diff"}, web).status == 0);
}

TEST_CASE("a difference from a saved snapshot is the live one, and asks no kernel", "[.kernel]") {
    const auto file = std::filesystem::temp_directory_path() / "cli_test_state.json";
    std::string seen;
    {
        const Namespace node;
        must_apply(web);
        tamper();
        seen = call({"snapshot", "-o", "json"}).out;
        std::ofstream{file} << seen;
    }
    const Namespace empty;
    const auto result = run_command({"setpriv", "--bounding-set=-all", "--inh-caps=-all",
                                     program_path(), "diff", "-f", "-", "--snapshot", file},
                                    web);
    std::filesystem::remove(file);
    CAPTURE(result);
    CHECK(result.status == 1);
    CHECK(result.out == tampered);
    const files::Folder manifests;
    manifests.write("web.yaml", web);
    CHECK(call({"diff", "-f", manifests.path("web.yaml"), "--snapshot", "-"}, seen).out ==
          tampered);
}

TEST_CASE("a malformed Service fails apply, and the others are applied", "[.kernel]") {
    const Namespace node;
    const auto result =
        on_node({"apply"}, web + "---\napiVersion: v1\nkind: Service\nmetadata: {name: bad}\n"
                                 "spec: {clusterIP: 10.96.0.81, ports: [{port: 700000}]}\n");
    CAPTURE(result);
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("ports[0].port"));
    const auto servers = must_run({"ipvsadm", "-S", "-n"});
    CHECK_THAT(servers, Contains("-A -t 10.96.0.80:80 -s rr"));
    CHECK(servers.find("10.96.0.81") == std::string::npos);
}

TEST_CASE("apply says in one line what it lacks", "[.kernel]") {
    const Namespace node;
    const auto scheduler = on_node({"apply", "--ipvs-scheduler", "nosuch"}, web);
    CAPTURE(scheduler);
    CHECK(scheduler.status == 1);
    CHECK_THAT(scheduler.err, Contains("modprobe ip_vs_nosuch"));
    CHECK(must_run({"ipvsadm", "-S", "-n"}).empty());
    CHECK(must_run({"sysctl", "-n", "net.ipv4.vs.conntrack"}) == "0\n");
    CHECK(must_run({"sysctl", "-n", "net.ipv4.ip_forward"}) == "0\n");

    for (const auto& [command, status] :
         {std::pair{"apply", 1}, std::pair{"diff", 2}, std::pair{"plan", 1}}) {
        const auto pods = on_node({command, "--detect-local-mode", "NodeCIDR"}, web);
        CAPTURE(command, pods);
        CHECK(pods.status == status);
        CHECK(pods.out.empty());
        CHECK_THAT(pods.err, Contains("no podCIDRs of node"));
    }
    CHECK(must_run({"sysctl", "-n", "net.ipv4.vs.conntrack"}) == "0\n");

    const auto rights = run_command(
        {"setpriv", "--bounding-set=-all", "--inh-caps=-all", program_path(), "apply", "-f", "-"},
        web);
    CAPTURE(rights);
    CHECK(rights.status == 1);
    CHECK_THAT(rights.err, Contains("CAP_NET_ADMIN"));
}

TEST_CASE("without IPv6 the node is kept for IPv4 alone", "[.kernel]") {
    const Namespace node;
    must_run({"sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"});
    must_apply(web);
    CHECK(on_node({"diff"}, web).status == 0);
    const auto file = std::filesystem::temp_directory_path() / "cli_test_v4.yaml";
    std::ofstream{file} << call({"snapshot", "-o", "yaml"}).out;
    CHECK(on_node({"diff", "--snapshot", file}, web).status == 0);
    std::filesystem::remove(file);
    CHECK(call({"plan", "-f", "-"}, web).out.find("KUBE-6-") == std::string::npos);
    CHECK(must_run({"ipset", "list", "-n"}).find("KUBE-6-") == std::string::npos);
    CHECK(must_run({"ip6tables-legacy-save"}).find("KUBE-") == std::string::npos);
    CHECK_THAT(must_run({"ipvsadm", "-S", "-n"}), Contains("10.96.0.80:80"));
}

TEST_CASE("cleanup removes what the proxy made and nothing else", "[.kernel]") {
    const Namespace node;
    must_run({"ipset", "create", "mine", "hash:ip"});
    must_run({"iptables-legacy", "-t", "nat", "-N", "MINE"});
    must_apply(web); // which owns every virtual server of the node
    must_run({"ipvsadm", "-A", "-t", "203.0.113.1:80", "-s", "wlc"});
    const auto before = call({"snapshot"}).out;
    const auto dry = call({"cleanup", "--dry-run"});
    CHECK(dry.status == 0);
    CHECK_THAT(dry.out, Contains("- ip link del kube-ipvs0"));
    CHECK(call({"snapshot"}).out == before);

    const auto result = call({"cleanup"});
    CAPTURE(result);
    CHECK(result.status == 0);
    CHECK(must_run({"ipvsadm", "-S", "-n"}) == "-A -t 203.0.113.1:80 -s wlc\n");
    CHECK(must_run({"ipset", "list", "-n"}) == "mine\n");
    const auto rules = must_run({"iptables-legacy-save"});
    CHECK(rules.find("KUBE-") == std::string::npos);
    CHECK_THAT(rules, Contains(":MINE"));
    CHECK(run_command({"ip", "link", "show", "kube-ipvs0"}).status != 0);
    CHECK(call({"cleanup"}).status == 0);
}

} // namespace
} // namespace ipvsproxy::cli
