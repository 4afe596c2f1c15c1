#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

#include "proxy/plan/sets.h"
#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;

TEST_CASE("X-001 an IPv6 set has its own name, cut where it gets too long", "[plan]") {
    CHECK(set_name({SetRole::cluster_ip, Family::v4}) == "KUBE-CLUSTER-IP");
    CHECK(set_name({SetRole::cluster_ip, Family::v6}) == "KUBE-6-CLUSTER-IP");
    CHECK(set_name({SetRole::load_balancer_source_cidr, Family::v6}) ==
          "KUBE-6-LOAD-BALANCER-SOURCE-CID");
    CHECK(set_name({SetRole::node_port_local_sctp, Family::v6}) ==
          "KUBE-6-NODE-PORT-LOCAL-SCTP-HAS");
    CHECK(set_name({SetRole::load_balancer_source_cidr, Family::v4}) ==
          "KUBE-LOAD-BALANCER-SOURCE-CIDR");
}

TEST_CASE("every set is found by its name, and only ours are", "[plan]") {
    std::set<std::string> names;
    for (std::size_t i = 0; i < set_count; ++i) {
        const auto id = SetId::at(i);
        CHECK(id.index() == i);
        CHECK(find_set(set_name(id)) == id);
        CHECK(set_name(id).size() <= 31);
        names.insert(set_name(id));
    }
    CHECK(names.size() == 34);
    CHECK_FALSE(find_set("KUBE-CLUSTER").has_value());
    CHECK_FALSE(find_set("KUBE-6-LOAD-BALANCER-SOURCE-CIDR").has_value());
    CHECK_FALSE(find_set("").has_value());
}

TEST_CASE("P-191 P-195 sets are made with kube-proxy's options", "[plan]") {
    const auto create = [](SetRole role, Family family) {
        const SetId id{role, family};
        return ipset_create(set_name(id), set_spec(id));
    };
    CHECK(create(SetRole::cluster_ip, Family::v4) ==
          "ipset create KUBE-CLUSTER-IP hash:ip,port family inet maxelem 65536");
    CHECK(create(SetRole::loop_back, Family::v6) ==
          "ipset create KUBE-6-LOOP-BACK hash:ip,port,ip family inet6 maxelem 65536");
    CHECK(create(SetRole::load_balancer_source_cidr, Family::v4) ==
          "ipset create KUBE-LOAD-BALANCER-SOURCE-CIDR hash:ip,port,net family inet maxelem 65536");
    CHECK(create(SetRole::node_port_tcp, Family::v6) ==
          "ipset create KUBE-6-NODE-PORT-TCP bitmap:port range 0-65535");
    CHECK(create(SetRole::ipvs_ips, Family::v4) ==
          "ipset create KUBE-IPVS-IPS hash:ip family inet maxelem 65536");
}

TEST_CASE("P-193 members become what is wanted, whatever was there", "[plan]") {
    const Protocol protocol = GENERATE(Protocol::tcp, Protocol::udp, Protocol::sctp);
    const char* address = GENERATE("10.96.0.10", "2001:db8:96::10");
    const auto family = ip(address).family();
    const auto name = set_name({SetRole::cluster_ip, family});
    Scenario node;
    auto service = web();
    service.cluster_ip = {};
    service.cluster_ip[family] = ip(address);
    service.ports.front().protocol = protocol;
    node.put(service);
    node.round();
    const auto wanted = node.kernel.sets.at(name).entries;
    REQUIRE(wanted.size() == 1);

    SECTION("nothing") {
        node.kernel.sets.at(name).entries.clear();
    }
    SECTION("the same") {}
    SECTION("another protocol, and many stale ports") {
        auto& entries = node.kernel.sets.at(name).entries;
        entries.clear();
        for (std::uint16_t port = 1; port < 200; ++port)
            for (const auto other : {Protocol::tcp, Protocol::udp, Protocol::sctp})
                entries.insert({ip(address), other, Port{port}, {}});
    }
    SECTION("no set at all") {
        node.kernel.sets.erase(name);
    }
    node.look();
    node.round();
    CHECK(node.kernel.sets.at(name).entries == wanted);
    CHECK(node.look() == 0);
}
