// The daemon on a real kernel, from its start to its end, under kube-proxy's name.
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "tests/kernel/namespace.h"
#include "tests/kernel/running.h"
#include "tests/proxy/cli/program.h"
#include "tests/proxy/files/folder.h"
#include "tests/proxy/sync/iptables_mode.h"

namespace ipvsproxy::cli {
namespace {

using Catch::Matchers::Contains;
using files::Folder;
using files::service_yaml;
using kernel_test::comes_true;
using kernel_test::must_run;
using kernel_test::Namespace;
using kernel_test::Running;

/// The configuration that the tests change: a namespace of its own may not set nf_conntrack_max.
std::string configuration(const std::string& rest) {
    return "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: "
           "ipvs\n"
           "conntrack: {maxPerCore: 0}\nhealthzBindAddress: 127.0.0.1:10256\n" +
           rest + '\n';
}

/// A node with one Service, kept by a daemon with a configuration file. /run, for inotify hears
/// nothing of the host's filesystem.
class Node {
public:
    explicit Node(const std::string& rest = "ipvs: {scheduler: rr}") {
        folder_.write("web.yaml", service_yaml("web", "10.96.0.80"));
        folder_.make("etc");
        write(rest);
    }
    void write(const std::string& rest) const {
        folder_.write("etc/config.conf", configuration(rest));
    }
    const Folder& folder() const { return folder_; }
    Running start(std::vector<std::string> more = {}) const {
        std::vector<std::string> words{program_path(),
                                       "run",
                                       "--config",
                                       folder_.path("etc/config.conf"),
                                       "-f",
                                       folder_.path("web.yaml"),
                                       "--hostname-override=node-1",
                                       "-v=2"};
        words.insert(words.end(), more.begin(), more.end());
        return Running{words};
    }

private:
    Namespace own_;
    Folder folder_{"/run"};
};

/// The scheduler of the one virtual server; empty when there is none.
std::string scheduler() {
    const auto all = must_run({"ipvsadm", "-S", "-n"});
    const auto at = all.find("-s ");
    return at == std::string::npos ? "" : all.substr(at + 3, all.find('\n', at) - at - 3);
}

bool becomes(const std::string& wanted) {
    return comes_true([&] { return scheduler() == wanted; });
}

constexpr auto settled = "The node is as the Services ask";

} // namespace

TEST_CASE("D-19 SIGTERM and SIGINT end it with 0, and the kernel's state stays", "[.kernel]") {
    const Node node;
    for (const int signal : {SIGTERM, SIGINT}) {
        auto daemon = node.start();
        REQUIRE(daemon.says(settled));
        const auto before = must_run({"ipvsadm", "-S", "-n"});
        daemon.signal(signal);
        CHECK(daemon.end() == 0);
        CHECK(must_run({"ipvsadm", "-S", "-n"}) == before);
        CHECK_THAT(before, Contains("10.96.0.80:80"));
    }
}

TEST_CASE(
    "D-21 the ConfigMap that kubeadm writes is enough, also where nf_conntrack_max is another's",
    "[.kernel]") {
    const Node node;
    node.folder().write("etc/config.conf", R"(
apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection: {acceptContentTypes: "", burst: 0, contentType: "", qps: 0,
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf}
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack: {maxPerCore: null, min: null, tcpBeLiberal: false, tcpCloseWaitTimeout: null,
  tcpEstablishedTimeout: null, udpStreamTimeout: 0s, udpTimeout: 0s}
detectLocal: {bridgeInterface: "", interfaceNamePrefix: ""}
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables: {localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s,
  syncPeriod: 0s}
ipvs: {excludeCIDRs: null, minSyncPeriod: 0s, scheduler: "", strictARP: false, syncPeriod: 0s,
  tcpFinTimeout: 0s, tcpTimeout: 0s, udpTimeout: 0s}
kind: KubeProxyConfiguration
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}},
  verbosity: 0}
metricsBindAddress: ""
mode: ""
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
)");
    auto daemon = node.start();
    REQUIRE(daemon.says(settled));
    CHECK(scheduler() == "rr");
    CHECK(must_run({"cat", "/proc/" + std::to_string(daemon.pid()) + "/oom_score_adj"}) ==
          "-999\n");
    CHECK_THAT(must_run({"iptables-legacy-save"}), Contains("! -s 10.244.0.0/16"));
    CHECK(must_run({"sysctl", "-n", "net.ipv4.vs.conntrack"}) == "1\n");
    daemon.signal(SIGTERM);
    CHECK(daemon.end() == 0);
}

TEST_CASE("the process is given the configuration's OOM score", "[.kernel]") {
    const Node node{"oomScoreAdj: -997"};
    auto daemon = node.start();
    REQUIRE(daemon.says(settled));
    CHECK(must_run({"cat", "/proc/" + std::to_string(daemon.pid()) + "/oom_score_adj"}) ==
          "-997\n");
}

TEST_CASE("P-255 D-18 a configuration file that changes is put in force by the same process",
          "[.kernel]") {
    const Node node;
    auto daemon = node.start();
    REQUIRE(daemon.says(settled));
    CHECK(scheduler() == "rr");
    node.write("ipvs: {scheduler: wrr}"); // in place
    CHECK(becomes("wrr"));
    node.folder().replace("etc/config.conf", configuration("ipvs: {scheduler: sh}"));
    CHECK(becomes("sh"));
    CHECK(daemon.runs());
    CHECK(daemon.count("starting anew with it") == 2);
    daemon.signal(SIGTERM);
    CHECK(daemon.end() == 0);
}

TEST_CASE("D-18 a configuration in a ConfigMap that kubelet swaps is put in force", "[.kernel]") {
    const Node node;
    const auto& folder = node.folder();
    folder.make("map/..1");
    folder.make("map/..2");
    folder.write("map/..1/config.conf", configuration("ipvs: {scheduler: rr}"));
    folder.write("map/..2/config.conf", configuration("ipvs: {scheduler: sh}"));
    folder.link("..1", "map/..data");
    folder.link("..data/config.conf", "map/config.conf");
    auto daemon = node.start({"--config", folder.path("map/config.conf")});
    REQUIRE(daemon.says(settled));
    CHECK(scheduler() == "rr");
    folder.link("..2", "map/..data_tmp");
    folder.rename("map/..data_tmp", "map/..data");
    folder.remove("map/..1");
    CHECK(becomes("sh"));
}

TEST_CASE("D-18 a configuration that is invalid, or gone, is told and changes nothing",
          "[.kernel]") {
    const Node node;
    auto daemon = node.start();
    REQUIRE(daemon.says(settled));
    node.write("ipvs: {scheduler: sh}\noomScoreAdj: 2000");
    CHECK(daemon.says("OOMScoreAdj"));
    CHECK(scheduler() == "rr");
    node.folder().remove("etc/config.conf");
    CHECK(daemon.says("no such file"));
    CHECK(daemon.runs());
    node.write("ipvs: {scheduler: sh}");
    CHECK(becomes("sh"));
}

TEST_CASE("D-18 a configuration that this kernel cannot keep is given up for the one before",
          "[.kernel]") {
    const Node node;
    auto daemon = node.start();
    REQUIRE(daemon.says(settled));
    node.write("ipvs: {scheduler: nosuch}");
    CHECK(daemon.says("back to the one before"));
    node.folder().write("web.yaml", service_yaml("web", "10.96.0.81"));
    CHECK(comes_true([] {
        return must_run({"ipvsadm", "-S", "-n"}).find("10.96.0.81") != std::string::npos;
    }));
    CHECK(scheduler() == "rr");
    daemon.signal(SIGTERM);
    CHECK(daemon.end() == 0);
}

TEST_CASE("a change of configuration writes nothing that stays as it was", "[.kernel]") {
    const Node node;
    auto daemon = node.start();
    REQUIRE(daemon.says(settled));
    node.write("configSyncPeriod: 1m");
    CHECK(daemon.says("differences=0"));
    daemon.signal(SIGTERM);
    CHECK(daemon.end() == 0);
}

TEST_CASE("what iptables mode left is removed once our own rules stand, and named", "[.kernel]") {
    const Node node;
    must_run({"iptables-legacy-restore"}, sync::iptables_mode_rules);
    auto daemon = node.start();
    REQUIRE(daemon.says("Removed what another mode of kube-proxy left"));
    const auto log = daemon.log();
    CHECK_THAT(log, Contains("iptables (legacy) nat KUBE-SVC-ERIFXISQEP7F7OF4"));
    CHECK(log.find(settled) < log.find("Removed what another mode"));
    const auto rules = must_run({"iptables-legacy-save"});
    CHECK(rules.find("KUBE-SVC-") == std::string::npos);
    CHECK_THAT(rules, Contains(":KUBE-NODE-PORT ") && Contains(":MINE "));
}

TEST_CASE("P-260 in mode NodeCIDR a node without podCIDRs cannot be kept", "[.kernel]") {
    const Node node{"detectLocalMode: NodeCIDR"};
    auto daemon = node.start();
    CHECK(daemon.end() == 1);
    CHECK_THAT(daemon.log(), Contains("no podCIDRs of node \"node-1\" are known"));
    CHECK(scheduler().empty());
    CHECK(must_run({"sysctl", "-n", "net.ipv4.vs.conntrack"}) == "0\n"); // nothing is touched
}

TEST_CASE("P-261 other podCIDRs end it in mode NodeCIDR; a Node that changes otherwise, or goes, "
          "does not",
          "[.kernel]") {
    const auto object = [](const std::string& cidr, const std::string& zone) {
        return "kind: Node\napiVersion: v1\nmetadata: {name: node-1, labels: "
               "{topology.kubernetes.io/zone: " +
               zone + "}}\nspec: {podCIDRs: [" + cidr + "]}\n";
    };
    const Node node{"detectLocalMode: NodeCIDR"};
    const auto& folder = node.folder();
    folder.write("node.yaml", object("10.244.1.0/24", "a"));
    auto daemon = node.start({"-f", folder.path("node.yaml")});
    REQUIRE(daemon.says(settled));
    CHECK_THAT(must_run({"iptables-legacy-save"}), Contains("10.244.1.0/24"));
    folder.write("node.yaml", object("10.244.1.0/24", "b"));
    folder.remove("node.yaml");
    folder.write("web.yaml", service_yaml("web", "10.96.0.81"));
    CHECK(comes_true([] {
        return must_run({"ipvsadm", "-S", "-n"}).find("10.96.0.81") != std::string::npos;
    }));
    CHECK(daemon.runs());
    folder.write("node.yaml", object("10.244.2.0/24", "b"));
    CHECK(daemon.end() == 1);
    CHECK_THAT(daemon.log(), Contains("the podCIDRs of node \"node-1\" have changed"));
}

TEST_CASE("D-20 the log says what the node was found to be, and at 3 and 4 what is written",
          "[.kernel]") {
    const Node node{"ipvs: {scheduler: \"\"}\nbindAddress: 192.0.2.7"};
    auto daemon = node.start({"-v=4"});
    REQUIRE(daemon.says(settled));
    const auto log = daemon.log();
    CHECK_THAT(log,
               Contains("\"kube-proxy running in dual-stack mode\" primary ipFamily=\"IPv4\""));
    CHECK_THAT(log, Contains("\"Using ipvs Proxier\""));
    CHECK_THAT(log, Contains("\"IPVS scheduler not specified, use rr by default\""));
    CHECK_THAT(log, Contains("\"Written\" change=\"+ ipvsadm -A -t 10.96.0.80:80 -s rr\""));
    CHECK_THAT(log, Contains("none of the primary IP family is known"));
    CHECK_THAT(log, Contains("\"Kube-proxy configuration may be incomplete or incorrect\" err="));
    CHECK(log.find("deprecat") == std::string::npos); // D-20
}

TEST_CASE("without IPv6 the log says that the node is kept for IPv4 alone", "[.kernel]") {
    const Node node;
    must_run({"sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"});
    auto daemon = node.start();
    REQUIRE(daemon.says(settled));
    CHECK_THAT(daemon.log(),
               Contains("\"kube-proxy running in single-stack mode\" primary ipFamily=\"IPv4\""));
}

TEST_CASE("SIGHUP reads configuration and manifests again", "[.kernel]") {
    const Node node;
    auto daemon = node.start();
    REQUIRE(daemon.says(settled));
    daemon.signal(SIGHUP);
    CHECK(daemon.says("Reading all files again"));
    CHECK(daemon.runs());
    CHECK(daemon.count("starting anew") == 0);
    node.write("logging: {verbosity: 5}\nipvs: {scheduler: rr}");
    CHECK(daemon.runs());
}

TEST_CASE("manifests on standard input outlive a change of configuration", "[.kernel]") {
    const Node node;
    const Running daemon{
        {program_path(), "run", "--config", node.folder().path("etc/config.conf"), "-f", "-"},
        service_yaml("web", "10.96.0.80")};
    REQUIRE(daemon.says(settled));
    node.write("ipvs: {scheduler: sh}");
    CHECK(becomes("sh"));
}

} // namespace ipvsproxy::cli
