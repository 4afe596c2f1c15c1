#include <catch2/catch.hpp>

#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;

namespace {

/// One family of nodePortAddresses' CIDRs, as configuration splits them.
Settings node_ports_at(std::initializer_list<std::string_view> cidrs) {
    Settings settings;
    for (const auto text : cidrs) {
        const auto cidr = Prefix::parse(text).value();
        settings.node_port_cidrs[cidr.family()].push_back(cidr);
    }
    return settings;
}

using Interfaces = std::vector<std::pair<std::string, std::string>>;

NodeFacts seen(const Settings& settings, const Interfaces& interfaces) {
    std::vector<InterfaceAddress> elsewhere;
    for (const auto& [name, address] : interfaces)
        elsewhere.push_back({name, ip(address)});
    NodeFacts facts;
    take_interfaces(facts, settings, elsewhere);
    return facts;
}

Lines node_ips(const Settings& settings, const Interfaces& interfaces, Family family = Family::v4) {
    Lines lines;
    const auto facts = seen(settings, interfaces);
    for (const auto& address : facts.port_addresses[family])
        lines.push_back(address.text());
    return lines;
}

const Settings everywhere;

} // namespace

TEST_CASE("P-001 P-002 loopback addresses are no node addresses", "[plan]") {
    CHECK(node_ips(everywhere, {{"eth0", "192.0.2.10"}, {"lo", "127.0.0.1"}}) ==
          Lines{"192.0.2.10"});
    CHECK(node_ips(everywhere, {{"lo", "127.0.0.1"}}).empty());
    CHECK(node_ips(everywhere, {}).empty());
}

TEST_CASE("P-003 addresses of every interface count, whatever it is called", "[plan]") {
    const Interfaces tunnel{{"tun0", "10.9.8.7"},
                            {"tun0", "fe80::1"},
                            {"lo", "127.0.0.1"},
                            {"lo", "::1"},
                            {"docker0", "172.17.0.1"}};
    CHECK(node_ips(everywhere, tunnel) == Lines{"10.9.8.7", "172.17.0.1"});
    CHECK(node_ips(everywhere, tunnel, Family::v6).empty());
}

TEST_CASE("P-004 P-005 P-010 addresses of kube-ipvs0 are given apart and never count", "[plan]") {
    // DeviceState::elsewhere is what others own; so nothing of kube-ipvs0 can get in here.
    CHECK(node_ips(everywhere, {{"eth1", "2001:db8::1"}, {"eth1", "10.1.1.1"}, {"lo", "::1"}}) ==
          Lines{"10.1.1.1"});
    CHECK(node_ips(everywhere, {{"lo", "127.0.0.1"}}).empty());
}

TEST_CASE("P-006 P-007 P-008 an interface called ipvs0 is one like any other", "[plan]") {
    const Interfaces both{{"ipvs0", "10.5.5.5"},    {"ipvs0", "2001:db8:1::"}, {"eth1", "10.1.1.1"},
                          {"eth1", "2001:db8:2::"}, {"eth1", "fe80::1"},       {"lo", "::1"}};
    CHECK(node_ips(everywhere, both) == Lines{"10.1.1.1", "10.5.5.5"});
    CHECK(node_ips(everywhere, both, Family::v6) == Lines{"2001:db8:1::", "2001:db8:2::"});
}

TEST_CASE("P-009 P-010 what may be a node address is decided by the address alone", "[plan]") {
    const auto counts = [](const char* address) {
        return node_ips(everywhere, {{"lo", address}}).size() +
               node_ips(everywhere, {{"lo", address}}, Family::v6).size();
    };
    for (const auto* no : {"127.0.0.1", "127.0.0.0", "127.9.9.9", "::1", "fe80::9"}) {
        CAPTURE(no);
        CHECK(counts(no) == 0);
    }
    for (const auto* yes : {"8.8.4.4", "192.168.7.7", "169.254.0.9", "::ffff:169.254.0.9",
                            "2001:db8::", "::ffff:8.8.4.4"}) {
        CAPTURE(yes);
        CHECK(counts(yes) == 1);
    }
}

TEST_CASE("P-011 P-013 P-016 a CIDR of one family leaves the other family whole", "[plan]") {
    const Interfaces four{
        {"eth0", "10.9.8.7"}, {"eth1", "100.64.1.1"}, {"eth0", "2001:db8::1"}, {"lo", "::1"}};
    const auto v4_only = node_ports_at({"10.9.8.0/24"});
    CHECK(node_ips(v4_only, four) == Lines{"10.9.8.7"});
    CHECK(node_ips(v4_only, four, Family::v6) == Lines{"2001:db8::1"});
    const auto v6_only = node_ports_at({"2001:db8::/64", "::1/128"});
    CHECK(node_ips(v6_only, four) == Lines{"10.9.8.7", "100.64.1.1"});
    CHECK(node_ips(v6_only, four, Family::v6) == Lines{"2001:db8::1"}); // ::1 is loopback
}

TEST_CASE("P-012 P-017 P-018 a prefix of length 0 means every address", "[plan]") {
    const Interfaces some{{"eth0", "10.9.8.7"},
                          {"lo", "127.0.0.1"},
                          {"eth0", "2001:db8::1"},
                          {"eth0", "2001:db8::2"},
                          {"eth0", "fe80::1"}};
    for (const auto& settings :
         {node_ports_at({"0.0.0.0/0"}), node_ports_at({"198.51.100.0/24", "0.0.0.0/0"}),
          node_ports_at({"0.0.0.0/0", "198.51.100.0/24", "2001:db8::1/128"})})
        CHECK(node_ips(settings, some) == Lines{"10.9.8.7"});
    CHECK(node_ips(node_ports_at({"0.0.0.0/0", "2001:db8::1/128"}), some, Family::v6) ==
          Lines{"2001:db8::1"});
    CHECK(node_ips(node_ports_at({"::/0"}), some, Family::v6) ==
          Lines{"2001:db8::1", "2001:db8::2"});
}

TEST_CASE("P-014 P-015 a loopback CIDR, and one that covers nothing, select nothing", "[plan]") {
    const Interfaces some{{"lo", "127.0.0.1"}, {"lo", "127.0.1.1"}, {"eth0", "192.0.2.10"}};
    CHECK(node_ips(node_ports_at({"127.0.0.1/32"}), some).empty());
    CHECK(node_ips(node_ports_at({"127.0.0.0/8"}), some).empty());
    CHECK(node_ips(node_ports_at({"10.9.8.0/24", "100.64.0.0/10"}), some).empty());
}

TEST_CASE("a link-local IPv6 address serves node ports only where a CIDR names it", "[plan]") {
    const Interfaces some{{"eth0", "fe80::1"}, {"eth0", "2001:db8::1"}};
    CHECK(node_ips(node_ports_at({"fe80::/10"}), some, Family::v6) == Lines{"fe80::1"});
    CHECK(seen(everywhere, some).elsewhere == std::set{ip("2001:db8::1")});
}

TEST_CASE("an address on two interfaces is one node address, and lo may own one", "[plan]") {
    const Interfaces some{{"eth0", "192.0.2.10"}, {"eth1", "192.0.2.10"}, {"lo", "10.1.1.1"}};
    CHECK(node_ips(everywhere, some) == Lines{"10.1.1.1", "192.0.2.10"});
    CHECK(seen(everywhere, some).elsewhere == std::set{ip("192.0.2.10"), ip("10.1.1.1")});
}

TEST_CASE("D-06 X-010 node ports are not served at service addresses a CIDR covers", "[plan]") {
    Scenario node{node_ports_at({"10.96.0.0/12"})};
    auto service = web(model::ServiceType::node_port);
    service.ports.front().node_port = Port{30080};
    node.put(service).put(slice("R.5"));
    node.round();
    // kube-ipvs0 now holds 10.96.0.10; what the interfaces tell is still what others own.
    node.interfaces(node.kernel.device.elsewhere);
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP -> 10.244.0.5:8080"});
}
