#include <catch2/catch.hpp>
#include <iostream>
#include <sstream>

#include "ipset/kernel_table.h"
#include "ipvs/kernel_table.h"
#include "netlink/kernel_device.h"
#include "netlink/kernel_sysctl.h"
#include "proxy/cli/command.h"
#include "proxy/cli/kernel_signs.h"
#include "proxy/cli/preflight.h"
#include "proxy/cli/rehearsal.h"
#include "proxy/iptables/nft_raw.h"
#include "proxy/iptables/tool.h"
#include "proxy/plan/sets.h"
#include "tests/kernel/namespace.h"

namespace ipvsproxy::cli {

std::ostream& operator<<(std::ostream& out, const Finding& finding) {
    return out << text({finding}, false);
}

namespace {

constexpr std::uint64_t all_capabilities = (std::uint64_t{1} << 41) - 1;

/// A node that has all it needs.
NodeFindings good_node() {
    NodeFindings node;
    node.capabilities = all_capabilities;
    node.backend = {iptables::Backend::legacy, "for the test"};
    node.trials = {{"ipset hash:ip IPv4", ""}, {"IPVS scheduler rr", ""}};
    node.switches = {{{"net/ipv4/ip_forward", "1", true}, "1", true}};
    return node;
}

/// Those that are not ok.
std::vector<Finding> complaints(const NodeFindings& node) {
    auto all = judge(node);
    std::erase_if(all, [](const Finding& one) { return one.verdict == Verdict::ok; });
    return all;
}

/// The only complaint about `node`, which must be of `verdict` and come with a remedy.
std::string only(const NodeFindings& node, Verdict verdict) {
    const auto all = complaints(node);
    REQUIRE(all.size() == 1);
    CHECK(all.front().verdict == verdict);
    CHECK_FALSE(all.front().remedy.empty());
    return all.front().subject + ": " + all.front().finding + " -> " + all.front().remedy;
}

ipvs::ServiceKey key(const char* address, std::uint16_t port) {
    return {*Address::parse(address), Port{port}, Protocol::tcp};
}

using Catch::Matchers::Contains;

TEST_CASE("A node that has all it needs gets no complaint", "[cli][check]") {
    CHECK(complaints(good_node()).empty());
}

TEST_CASE("Without the rights to write netlink and to open raw sockets a check fails",
          "[cli][check]") {
    auto node = good_node();
    node.capabilities &= ~(std::uint64_t{1} << 12);
    CHECK_THAT(only(node, Verdict::fail), Contains("CAP_NET_ADMIN not held"));
    node.capabilities &= ~(std::uint64_t{1} << 13);
    CHECK_THAT(only(node, Verdict::fail), Contains("CAP_NET_ADMIN, CAP_NET_RAW not held"));
}

TEST_CASE("The right to load modules is asked for only where its lack may hurt", "[cli][check]") {
    auto node = good_node();
    node.capabilities &= ~(std::uint64_t{1} << 16);
    CHECK(complaints(node).empty());
    node.trials_error = "Operation not permitted";
    node.trials.clear();
    const auto all = complaints(node);
    REQUIRE(all.size() == 2);
    CHECK(all[0].subject == "capability CAP_SYS_MODULE");
    CHECK(all[1].subject == "rehearsal");
}

TEST_CASE("What the kernel refused in the rehearsal fails, with its reason", "[cli][check]") {
    auto node = good_node();
    node.trials.push_back(
        {"IPVS scheduler mh", "the kernel has no such scheduler", "modprobe ip_vs_mh on the node"});
    CHECK_THAT(only(node, Verdict::fail),
               Contains("IPVS scheduler mh: the kernel has no such scheduler -> modprobe"));
}

TEST_CASE("What is refused for one reason is told in one line", "[cli][check]") {
    auto node = good_node();
    for (const auto* type : {"hash:ip", "hash:ip,port", "hash:net", "bitmap:port"})
        node.trials.push_back({std::string{"ipset "} + type, "no ipset", "modprobe ip_set"});
    CHECK_THAT(only(node, Verdict::fail),
               Contains("ipset hash:ip, ipset hash:ip,port, ipset hash:net and 1 more: no ipset "
                        "-> modprobe ip_set"));
    node.trials[3].refusal = "no such type"; // a reason of its own is a line of its own
    std::size_t failed = 0;
    for (const auto& finding : complaints(node))
        failed += finding.verdict == Verdict::fail ? 1U : 0U;
    CHECK(failed == 3);
}

TEST_CASE("A table that cannot be read fails", "[cli][check]") {
    auto node = good_node();
    SECTION("IPVS") {
        node.ipvs_error = "the kernel has no IPVS";
        CHECK_THAT(only(node, Verdict::fail), Contains("IPVS: the kernel has no IPVS"));
    }
    SECTION("rules, but not those of a family that the node does not have") {
        node.rules_error.v6 = "no ip6tables";
        CHECK_THAT(only(node, Verdict::fail), Contains("ip6tables: no ip6tables"));
        node.families.v6 = false;
        CHECK(complaints(node).empty());
    }
}

TEST_CASE("A switch that stands wrong matters by who can set it", "[cli][check]") {
    auto node = good_node();
    auto& fact = node.switches.front();
    fact.seen = "0";
    SECTION("run will set it") {
        CHECK(complaints(node).empty());
    }
    SECTION("nobody here can, and nothing is forwarded without it") {
        fact.writable = false;
        CHECK_THAT(only(node, Verdict::fail), Contains("net.ipv4.ip_forward: is 0, should be 1") &&
                                                  Contains("sysctl -w net.ipv4.ip_forward=1"));
    }
    SECTION("nobody here can, but it is a wish only") {
        fact.writable = fact.wanted.required = false;
        only(node, Verdict::warn);
    }
    SECTION("it is a parameter of a module") {
        fact = {{"/sys/module/nf_conntrack/parameters/hashsize", "32768"}, "16384", false};
        CHECK_THAT(only(node, Verdict::warn),
                   Contains("echo 32768 > /sys/module/nf_conntrack/parameters/hashsize"));
    }
    SECTION("it is not even there") {
        fact.seen.reset();
        fact.writable = false;
        CHECK_THAT(only(node, Verdict::fail), Contains("cannot be read"));
    }
}

TEST_CASE("Bridged pods need bridged packets to pass iptables' hooks", "[cli][check]") {
    auto node = good_node();
    node.bridges = {{"cni0", {*Address::parse("10.244.1.1")}}};
    SECTION("they do") {
        node.bridge_calls_iptables = "1";
        CHECK(complaints(node).empty());
    }
    SECTION("they do not") {
        node.bridge_calls_iptables = "0";
        CHECK_THAT(only(node, Verdict::warn), Contains("is 0: pods on bridge cni0"));
    }
    SECTION("the bridge is of the pods' network") {
        node.cluster_cidrs = {*Prefix::parse("10.244.0.0/16")};
        CHECK_THAT(only(node, Verdict::warn), Contains("no br_netfilter"));
    }
    SECTION("the bridge is of another network") {
        node.cluster_cidrs = {*Prefix::parse("10.0.0.0/16")};
        CHECK(complaints(node).empty());
    }
}

TEST_CASE("kube-ipvs0 must be a dummy device, and be left alone", "[cli][check]") {
    auto node = good_node();
    node.seen.device = {.present = true, .kind = "dummy", .addresses = {}, .elsewhere = {}};
    CHECK(complaints(node).empty());
    SECTION("a bridge of that name") {
        node.seen.device.kind = "bridge";
        CHECK_THAT(only(node, Verdict::fail), Contains("kind \"bridge\""));
    }
    SECTION("up") {
        node.seen.device.up = true;
        CHECK_THAT(only(node, Verdict::warn), Contains("ip link set kube-ipvs0 down"));
    }
    SECTION("NetworkManager has taken it") {
        node.device_managed = true;
        CHECK_THAT(only(node, Verdict::warn), Contains("match-device=interface-name:kube-ipvs0"));
    }
}

TEST_CASE("Another service proxy on the node is told by its own sign", "[cli][check]") {
    auto node = good_node();
    SECTION("kube-proxy runs") {
        node.proxies = {{4711, "kube-proxy"}};
        CHECK_THAT(only(node, Verdict::warn), Contains("kube-proxy (pid 4711)"));
    }
    SECTION("ipvsproxy runs") {
        node.proxies = {{4712, "ipvsproxy"}};
        CHECK_THAT(only(node, Verdict::warn), Contains("ipvsproxy (pid 4712) runs here already"));
    }
    SECTION("kube-router") {
        node.links = {"lo", "kube-dummy-if"};
        CHECK_THAT(only(node, Verdict::warn), Contains("kube-router"));
    }
    SECTION("kube-proxy's nftables mode") {
        node.nft_tables = {"ip filter", "ip6 kube-proxy"};
        CHECK_THAT(only(node, Verdict::warn), Contains("nft delete table ip6 kube-proxy"));
    }
}

TEST_CASE("Chains of a proxy in both variants of iptables are told", "[cli][check]") {
    auto node = good_node();
    const iptables::Chain ours{iptables::TableName::nat, "KUBE-SERVICES"},
        kubelets{iptables::TableName::mangle, "KUBE-IPTABLES-HINT"};
    node.seen.chains.v4[ours];
    node.other_chains.v4[kubelets];
    CHECK(complaints(node).empty());
    node.other_chains.v4[ours];
    CHECK_THAT(only(node, Verdict::warn), Contains("are in nft too (KUBE-SERVICES)"));
}

TEST_CASE("Chains that kube-proxy's iptables mode left are told", "[cli][check]") {
    auto node = good_node();
    node.seen.chains.v6[{iptables::TableName::nat, "KUBE-SVC-ERIFXISQEP7F7OF4"}];
    CHECK_THAT(only(node, Verdict::warn),
               Contains("ip6tables: chains of kube-proxy's iptables mode (KUBE-SVC-ERIF"));
}

TEST_CASE("Virtual servers that would go are named before they do", "[cli][check]") {
    auto node = good_node();
    node.seen.services = {{key("192.0.2.1", 80), {}}, {key("10.96.0.1", 443), {}}};
    auto& set = node.seen.sets["KUBE-CLUSTER-IP"];
    set.spec = plan::set_spec({plan::SetRole::cluster_ip, Family::v4});
    set.entries = {{*Address::parse("10.96.0.1"), Protocol::tcp, Port{443}, {}}};
    CHECK_THAT(only(node, Verdict::warn),
               Contains("1 of 2 are not of a proxy's making") && Contains("192.0.2.1:80/TCP"));
    SECTION("excludeCIDRs keep them") {
        node.exclude_cidrs = {*Prefix::parse("192.0.2.0/24")};
        CHECK(complaints(node).empty());
    }
    SECTION("many are not all listed") {
        for (std::uint16_t port = 1; port <= 5; ++port)
            node.seen.services[key("192.0.2.2", port)];
        CHECK_THAT(only(node, Verdict::warn),
                   Contains("192.0.2.2:1/TCP, 192.0.2.2:2/TCP and 3 more"));
    }
}

TEST_CASE("A set that outgrew kube-proxy's is told, and one about to", "[cli][check]") {
    auto node = good_node();
    auto& set = node.seen.sets["KUBE-LOOP-BACK"];
    set.spec = plan::set_spec({plan::SetRole::loop_back, Family::v4});
    const auto fill = [&](std::uint32_t count) {
        set.entries.clear();
        for (std::uint32_t i = 0; i < count; ++i)
            set.entries.insert({{}, Protocol::tcp, Port{static_cast<std::uint16_t>(i)}, {}});
    };
    fill(58'982);
    CHECK(complaints(node).empty());
    fill(58'983);
    CHECK_THAT(only(node, Verdict::warn), Contains("holds 58983 entries, room for 65536"));
    set.spec.max_entries = 131'072;
    CHECK_THAT(only(node, Verdict::warn), Contains("cannot be handed back to kube-proxy"));
    SECTION("a foreign type under our name") {
        node.seen.sets.clear();
        node.seen.foreign_sets = {"KUBE-CLUSTER-IP"};
        CHECK_THAT(only(node, Verdict::warn), Contains("ipset destroy KUBE-CLUSTER-IP"));
    }
}

TEST_CASE("Findings are columns, a remedy is a line of its own, and the end counts them",
          "[cli][check]") {
    CHECK(text({{Verdict::ok, "IPVS", "can be read", ""},
                {Verdict::fail, "capabilities", "CAP_NET_RAW not held", "run as root"}},
               false) == "ok    IPVS          can be read\n"
                         "fail  capabilities  CAP_NET_RAW not held\n"
                         "      -> run as root\n"
                         "1 ok, 0 to look at, 1 in the way\n");
    CHECK_THAT(text({{Verdict::warn, "a", "b", "c"}}, true), Contains("\x1b[33mwarn\x1b[0m  a"));
}

TEST_CASE("The rehearsal finds that this kernel can do all of it", "[cli][check][.kernel]") {
    const kernel_test::Namespace own;
    const auto rehearsal = rehearse({true, true}, iptables::Backend::legacy, "rr");
    CHECK(rehearsal.error.empty());
    CHECK(rehearsal.trials.size() > 10);
    for (const auto& trial : rehearsal.trials) {
        INFO(trial.subject);
        CHECK(trial.refusal.empty());
    }
    SECTION("and leaves nothing") {
        CHECK(ipset::KernelTable{}.headers().empty());
        CHECK(ipvs::KernelTable{}.services().empty());
        CHECK_FALSE(KernelDevice{"kube-ipvs0"}.snapshot().present);
    }
}

TEST_CASE("A scheduler that the kernel does not have is found out", "[cli][check][.kernel]") {
    const auto rehearsal = rehearse({true, false}, iptables::Backend::legacy, "nonesuch");
    const auto found =
        std::ranges::find(rehearsal.trials, "IPVS scheduler nonesuch", &Trial::subject);
    REQUIRE(found != rehearsal.trials.end());
    CHECK(found->refusal == "the kernel has no such scheduler");
}

/// What `check` says on standard output, and its exit code.
std::pair<int, std::string> run_check(const Invocation& call) {
    const std::ostringstream out;
    auto* const before = std::cout.rdbuf(out.rdbuf());
    const int status = check(call);
    std::cout.rdbuf(before);
    return {status, out.str()};
}

TEST_CASE("check ends well on a fresh node and changes nothing", "[cli][check][.kernel]") {
    const kernel_test::Namespace own;
    KernelSysctls sysctls;
    const auto forwarding = sysctls.read("net/ipv4/ip_forward");
    const auto [status, out] = run_check({});
    INFO(out);
    CHECK(status == exit_success);
    CHECK_THAT(out, Contains(" 0 in the way"));
    CHECK(sysctls.read("net/ipv4/ip_forward") == forwarding);
    CHECK(ipset::KernelTable{}.headers().empty());
    CHECK(ipvs::KernelTable{}.services().empty());
    CHECK_FALSE(KernelDevice{"kube-ipvs0"}.snapshot().present);
}

TEST_CASE("check finds what stands in the way, and says so in JSON too", "[cli][check][.kernel]") {
    const kernel_test::Namespace own;
    ipvs::KernelTable table;
    REQUIRE(table
                .apply({.services = {.add = {{key("192.0.2.1", 80), {.persistence_prefix = 32}}}},
                        .destinations = {}})
                .clean());
    Invocation call;
    call.output = Output::json;
    const auto [status, out] = run_check(call);
    INFO(out);
    CHECK(status == exit_success);
    CHECK_THAT(out, Contains("\"findings\"") && Contains("192.0.2.1:80/TCP") &&
                        Contains("\"verdict\": \"warn\""));
    CHECK(table.services().size() == 1);
}

TEST_CASE("Tables of nf_tables are told by family and name, and the rehearsal knows that variant",
          "[cli][check][.nft]") {
    const kernel_test::Namespace own;
    const auto rehearsal = rehearse({true, true}, iptables::Backend::nft, "rr");
    CHECK(rehearsal.error.empty());
    for (const auto& trial : rehearsal.trials) {
        INFO(trial.subject);
        CHECK(trial.refusal.empty());
    }
    CHECK(iptables::nft_table_names().empty());
    REQUIRE(iptables::run_tool({"iptables-nft", "-t", "nat", "-N", "OTHERS"}, {}).status == 0);
    CHECK(iptables::nft_table_names() == std::vector<std::string>{"ip nat"});
    REQUIRE(iptables::run_tool({"ip6tables-nft", "-t", "nat", "-N", "OTHERS"}, {}).status == 0);
    CHECK(iptables::nft_table_names() == std::vector<std::string>{"ip nat", "ip6 nat"});
}

TEST_CASE("The signs of a node are read where there are none", "[cli][check]") {
    CHECK_FALSE(managed_by_network_manager("no-such-link"));
    CHECK(bridges_with_ports({"no-such-link"}).empty());
    CHECK_FALSE(is_writable("/proc/sys/net/ipv4/no_such_switch"));
    CHECK_FALSE(link_names().empty());
}

} // namespace
} // namespace ipvsproxy::cli
