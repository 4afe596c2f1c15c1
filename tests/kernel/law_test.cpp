// What holds for all service addresses, whatever the Services.
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "tests/kernel/objects.h"
#include "tests/kernel/topology.h"

namespace ipvsproxy::kernel_test {
namespace {

using std::string;
using Texts = std::set<string>;

/// What a Service serves: an address, and the ports of each protocol.
using Served = std::map<string, std::set<std::pair<Protocol, std::uint16_t>>>;

/// Random Services of both families whose endpoints are local-1.
class Services {
public:
    explicit Services(std::uint32_t seed) : random_{seed} {
        for (int i = 1; i <= 3; ++i)
            add(i);
    }
    const string& manifests() const noexcept { return manifests_; }
    const Served& served() const noexcept { return served_; }
    /// Also those that no Service has.
    std::uint16_t any_port() { return static_cast<std::uint16_t>(number(1, 65535)); }

private:
    int number(int least, int most) { return std::uniform_int_distribution{least, most}(random_); }

    void add(int i) {
        const auto number_text = std::to_string(i);
        const auto name = "s" + number_text;
        const bool six = number(0, 1) == 1;
        const string cluster = six ? "fd00:96::" + number_text : "10.96.0." + number_text;
        const string external = six ? "2001:db8:e::" + number_text : "198.51.100." + number_text;
        const string ingress = six ? "2001:db8:f::" + number_text : "203.0.113." + number_text;
        string lines;
        for (int n = number(1, 3); n > 0; --n) {
            const auto port = any_port();
            const auto protocol = number(0, 1) == 0 ? Protocol::tcp : Protocol::udp;
            const auto port_name = string{lower_name(protocol)};
            bool fresh = false;
            for (const auto& address : {cluster, external, ingress})
                fresh = served_[address].emplace(protocol, port).second;
            if (fresh)
                lines += "  - {name: p" + std::to_string(n) + ", port: " + std::to_string(port) +
                         ", protocol: " + string{upper_name(protocol)} + "}\n";
        }
        manifests_ +=
            service(name, "  type: LoadBalancer\n  clusterIP: '" + cluster +
                              "'\n  externalIPs: ['" + external + "']\n  ports:\n" + lines +
                              "status: {loadBalancer: {ingress: [{ip: '" + ingress + "'}]}}\n");
        manifests_ += slice_of(name, six);
    }

    static string slice_of(const string& name, bool six) {
        string text =
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " + name +
            "-1, namespace: default, labels: {kubernetes.io/service-name: " + name +
            "}}\naddressType: " + (six ? "IPv6" : "IPv4") + "\nports:\n";
        for (int n = 1; n <= 3; ++n)
            for (const auto* protocol : {"TCP", "UDP"})
                text += "- {name: p" + std::to_string(n) + ", port: 8080, protocol: " + protocol +
                        "}\n";
        return text + "endpoints: [{addresses: ['" + (six ? local_1_v6.address : local_1.address) +
               "']}]\n";
    }

    std::mt19937 random_;
    string manifests_;
    Served served_;
};

TEST_CASE("every programmed address and port is let through, every other port of it refused",
          "[traffic][.kernel]") {
    const Topology cluster;
    for (std::uint32_t seed = 1; seed <= 2; ++seed) {
        Services services{seed};
        CAPTURE(seed, services.manifests());
        cluster.apply(services.manifests());
        const std::vector<std::uint16_t> others{8080, services.any_port(), services.any_port()};
        for (const auto& [address, ports] : services.served()) {
            CAPTURE(address);
            CHECK(answers_ping(cluster.client(), address));
            for (const auto& [protocol, port] : ports) {
                CAPTURE(protocol, port);
                const auto heard = answers(cluster.client(), protocol, address, port, 1);
                CHECK(heard.begin()->starts_with("local-1 saw "));
            }
            for (const auto protocol : {Protocol::tcp, Protocol::udp})
                for (const auto port : others) {
                    if (ports.contains({protocol, port})) continue;
                    CAPTURE(protocol, port);
                    CHECK(answers(cluster.client(), protocol, address, port, 1) ==
                          Texts{"refused"});
                    CHECK(answers(cluster.local_1(), protocol, address, port, 1) ==
                          Texts{"refused"});
                }
        }
    }
}

/// The pods' links get a link-local address alone, as many a cluster has it. All else leaves the
/// kernel the choice between the node's address on eth0 and the VIPs.
void leave_pod_links_without_global_address(const Topology& cluster) {
    {
        const Inside there{cluster.node()};
        for (const auto* link : {"pod1", "pod2", "pod3"}) {
            must_run({"ip", "address", "del", "fd00:244:1::1/128", "dev", link});
            must_run({"ip", "address", "add", "fe80::1/64", "dev", link, "nodad"});
        }
    }
    for (const auto* pod : {&cluster.local_1(), &cluster.remote_1()}) {
        const Inside there{*pod};
        must_run({"ip", "-6", "route", "replace", "default", "via", "fe80::1", "dev", "eth0"});
    }
}

TEST_CASE("D-22 an IPv6 VIP is no source, where the way out has no global address of its own",
          "[traffic][.kernel]") {
    const Topology cluster;
    leave_pod_links_without_global_address(cluster);
    // By RFC 6724 rule 8 this VIP would be the best source towards the pods.
    cluster.apply(
        service("web", "  type: NodePort\n  clusterIP: 'fd00:244:1::8'\n" + ports(30080, 30081)) +
        slice("web", {local_1_v6, remote_1_v6}));
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        const std::uint16_t node_port = protocol == Protocol::tcp ? 30080 : 30081;
        const Texts expected{"local-1 saw fd00:10::11", "remote-1 saw fd00:10::11"};
        CHECK(answers(cluster.client(), protocol, "fd00:10::11", node_port) == expected);
        CHECK(answers(cluster.node(), protocol, "fd00:244:1::8", 80) == expected);
    }
    { // as kube-proxy adds it
        const Inside there{cluster.node()};
        must_run({"ip", "address", "change", "fd00:244:1::8/128", "dev", "kube-ipvs0",
                  "preferred_lft", "forever", "valid_lft", "forever"});
    }
    CHECK(answers(cluster.client(), Protocol::tcp, "fd00:10::11", 30080) !=
          Texts{"local-1 saw fd00:10::11", "remote-1 saw fd00:10::11"});
}

} // namespace
} // namespace ipvsproxy::kernel_test
