// The union of contributions, and what differs from it in the kernel.
#include <catch2/catch.hpp>

#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;
using namespace std::chrono_literals;

namespace {

constexpr auto vip = "203.0.113.7:80/TCP";

/// A service of that name and age that claims the external IP 203.0.113.7:80.
model::Service claimant(const char* name, int created) {
    auto service = web();
    service.name.name = name;
    service.created = std::chrono::sys_seconds{std::chrono::seconds{created}};
    service.cluster_ip.v4 = ip("10.96.1." + std::to_string(name[0]));
    service.external_ips = {ip("203.0.113.7")};
    return service;
}

model::EndpointSlice slice_of(const char* service, std::string_view line) {
    auto some = slice(line, std::string{service} + "-1");
    some.service.name = service;
    return some;
}

ipvs::DestinationKey real(std::string_view server, std::string_view address) {
    return {key(server), ip(address), Port{8080}};
}

} // namespace

TEST_CASE("P-160 P-162 P-163 D-02 a settled node has nothing to do", "[plan]") {
    Scenario node;
    node.put(web()).put(slice("L.1 R.2"));
    node.round();
    CHECK(node.plan().empty());
    CHECK(node.look() == 0);
    CHECK(node.plan().empty());
    CHECK(text(node.kernel) == text(node.state().desired()));
}

TEST_CASE("P-030 P-161 X-017 D-02 what differs is repaired in place whenever it is seen",
          "[plan]") {
    Scenario node;
    node.put(web()).put(slice("R.1 R.2"));
    node.round();
    node.kernel.services[key("10.96.0.10:80/TCP")].scheduler = "wlc";
    node.kernel.destinations.specs[real("10.96.0.10:80/TCP", "10.244.0.1")].weight = 0;
    node.kernel.destinations.specs[real("10.96.0.10:80/TCP", "10.244.0.2")].forward =
        ipvs::Forward::route;
    node.kernel.destinations.specs[real("10.96.0.10:80/TCP", "10.9.9.9")] = {};
    CHECK(node.look() == 4);
    CHECK(node.round() == R"(# Service default/web
~ ipvsadm -E -t 10.96.0.10:80 -s rr  # scheduler is wlc
- ipvsadm -d -t 10.96.0.10:80 -r 10.9.9.9:8080  # no ready endpoint
~ ipvsadm -e -t 10.96.0.10:80 -r 10.244.0.1:8080 -m -w 1  # weight is 0
~ ipvsadm -e -t 10.96.0.10:80 -r 10.244.0.2:8080 -m -w 1  # forwarding method is -g
)");
    CHECK(node.look() == 0);
}

TEST_CASE("P-164 P-165 P-166 P-202 foreign virtual servers go, but for those in excludeCIDRs",
          "[plan]") {
    Settings settings;
    for (const auto* cidr : {"198.51.100.0/24", "203.0.113.0/24", "2001:db8:e::/64"})
        settings.exclude_cidrs.push_back(Prefix::parse(cidr).value());
    Scenario node{settings};
    node.put(web());
    node.round();
    for (const auto* server :
         {"10.5.5.5:80/TCP", "10.6.6.6:80/UDP", "198.51.100.3:80/TCP", "203.0.113.4:80/SCTP",
          "[2001:db8:e::1]:80/TCP", "[2001:db8:f::1]:80/TCP"})
        node.kernel.services[key(server)] = {};
    node.kernel.destinations.specs[real("10.6.6.6:80/UDP", "10.244.0.1")] = {};
    node.kernel.destinations.specs[real("203.0.113.4:80/SCTP", "10.244.0.1")] = {};
    CHECK(node.look() == 3);
    const auto changes = node.state().changes().ipvs;
    CHECK(changes.services.remove ==
          std::set{key("10.5.5.5:80/TCP"), key("10.6.6.6:80/UDP"), key("[2001:db8:f::1]:80/TCP")});
    CHECK(changes.destinations.empty());
}

TEST_CASE("a virtual server of a deleted service stays where excludeCIDRs cover it", "[plan]") {
    Settings settings;
    settings.exclude_cidrs = {*Prefix::parse("10.96.0.0/16")};
    Scenario node{settings};
    node.put(web()).put(slice("R.1"));
    node.round();
    node.store.remove_service({"default", "web"});
    const auto changes = node.state().changes();
    CHECK(changes.ipvs.empty());
    CHECK(changes.addresses.remove.size() == 1);
    CHECK(changes.sets.sets.contains("KUBE-CLUSTER-IP"));
    node.round();
    CHECK(node.look() == 0);
    // A service that wants it again is given it as it stands.
    node.put(web()).put(slice("R.2"));
    node.look();
    CHECK(node.state().changes().ipvs.services.empty());
    CHECK(node.state().changes().ipvs.destinations.remove ==
          std::set{real("10.96.0.10:80/TCP", "10.244.0.1")});
}

TEST_CASE("a family that is not enabled is left alone", "[plan]") {
    Settings settings;
    settings.enabled.v6 = false;
    Scenario node{settings};
    node.round();
    node.kernel.services[key("[2001:db8:f::1]:80/TCP")] = {};
    node.kernel.device.addresses[{ip("2001:db8::9"), 128}] = {};
    node.kernel.sets["KUBE-6-CLUSTER-IP"] = {set_spec({SetRole::cluster_ip, Family::v6}),
                                             {{ip("2001:db8::9"), Protocol::tcp, Port{80}, {}}}};
    CHECK(node.look() == 0);
    CHECK(node.state().changes().empty());
    CHECK_FALSE(node.state().desired().sets.contains("KUBE-6-CLUSTER-IP"));
}

TEST_CASE("X-009 foreign addresses of kube-ipvs0 are removed as what they are", "[plan]") {
    Scenario node;
    node.put(web());
    node.round();
    node.kernel.device.addresses[{ip("10.7.7.7"), 32}] = {};
    node.kernel.device.addresses[{ip("10.96.0.10"), 24}] = {};
    node.kernel.device.addresses[{ip("fe80::1"), 64}] = {};
    CHECK(node.look() == 2);
    CHECK(node.round() == R"(# node
- ip address del 10.7.7.7/32 dev kube-ipvs0  # no Service asks for it
- ip address del 10.96.0.10/24 dev kube-ipvs0  # no Service asks for it
)");
    CHECK(node.look() == 0);
}

TEST_CASE("loopback and link-local VIPs are kept like any other", "[plan]") {
    Scenario node;
    auto service = web();
    service.cluster_ip.v6 = ip("2001:db8:96::1");
    service.external_ips = {ip("127.0.0.9"), ip("fe80::9")};
    node.put(service);
    node.round();
    CHECK(node.kernel.device.addresses.size() == 4);
    CHECK(node.look() == 0);
    CHECK(node.state().changes().empty());
    service.external_ips.clear();
    node.put(service);
    node.round();
    CHECK(node.kernel.device.addresses.size() == 2);
}

TEST_CASE("D-22 an IPv6 VIP that the kernel may use as a source is an update", "[plan]") {
    Scenario node;
    auto service = web();
    service.cluster_ip = {.v6 = ip("2001:db8:96::1")};
    node.put(service);
    node.round();
    auto& spec = node.kernel.device.addresses.at({ip("2001:db8:96::1"), 128});
    CHECK(spec.deprecated);
    spec.deprecated = false;
    CHECK(node.look() == 1);
    CHECK(node.round() == R"(# Service default/web
~ ip address change 2001:db8:96::1/128 dev kube-ipvs0 preferred_lft 0  # not deprecated
)");
}

TEST_CASE("a virtual server that vanished is written again with its real servers", "[plan]") {
    Scenario node;
    node.put(web()).put(slice("R.1 R.2"));
    node.round();
    node.kernel.services.clear();
    node.kernel.destinations.specs.clear();
    // Only the virtual servers are looked at; what went with them goes without saying.
    CHECK(node.state().observe_services(node.kernel.services) == 1);
    CHECK(node.round() == R"(# Service default/web
+ ipvsadm -A -t 10.96.0.10:80 -s rr  # missing
+ ipvsadm -a -t 10.96.0.10:80 -r 10.244.0.1:8080 -m -w 1  # missing
+ ipvsadm -a -t 10.96.0.10:80 -r 10.244.0.2:8080 -m -w 1  # missing
)");
    CHECK(node.look() == 0);
}

TEST_CASE("real servers are looked at in slices of virtual servers", "[plan]") {
    Scenario node;
    auto other = web();
    other.name.name = "other";
    other.cluster_ip.v4 = ip("10.96.0.20");
    node.put(web()).put(other).put(slice("R.1")).put(slice_of("other", "R.2"));
    node.round();
    const auto first = key("10.96.0.10:80/TCP"), second = key("10.96.0.20:80/TCP");
    CHECK(node.state().observe_destinations({}, {}, second) == 1);
    CHECK(node.state().changes().ipvs.destinations.add.size() == 1);
    CHECK(node.state().observe_destinations({}, second, {}) == 1);
    CHECK(node.state().changes().ipvs.destinations.add.size() == 2);
    CHECK(node.state().observe_destinations(node.kernel.destinations.specs, first, second) == 0);
    CHECK(node.state().changes().ipvs.destinations.add.size() == 1);
}

TEST_CASE("D-16 of two services that claim a virtual server the older one has it", "[plan]") {
    const bool old_first = GENERATE(true, false);
    Scenario node;
    const auto older = claimant("z", 100), younger = claimant("a", 200);
    node.put(slice_of("z", "R.1")).put(slice_of("a", "R.2"));
    node.put(old_first ? older : younger);
    node.state();
    node.put(old_first ? younger : older);
    CHECK(node.reached(vip) == ".1");
    CHECK(*node.state().owner(key(vip)) == older.name);
    CHECK(node.state().take_contests() == std::vector{Contest{key(vip), older.name, younger.name}});
    CHECK(node.state().take_contests().empty());
    CHECK(node.addresses() == Lines{"10.96.1.97", "10.96.1.122", "203.0.113.7"});
    node.round();

    SECTION("endpoints of the loser change nothing there") {
        node.put(slice_of("a", "R.2 R.3"));
        CHECK(node.state().changes().ipvs.destinations.add.size() == 1); // its cluster IP's
        CHECK(node.reached(vip) == ".1");
    }
    SECTION("endpoints of the winner do") {
        node.put(slice_of("z", "R.1 R.3"));
        CHECK(node.reached(vip) == ".1 .3");
    }
    SECTION("the loser takes over what the winner leaves, with its real servers") {
        node.store.remove_service(older.name);
        CHECK(node.reached(vip) == ".2");
        const auto changes = node.state().changes();
        CHECK_FALSE(changes.ipvs.services.remove.contains(key(vip)));
        CHECK(changes.ipvs.services.update.empty());
        CHECK_FALSE(changes.addresses.remove.contains({ip("203.0.113.7"), 32}));
        node.round();
        CHECK(node.look() == 0);
    }
    SECTION("a loser that goes leaves the winner alone") {
        node.store.remove_service(younger.name);
        CHECK(node.reached(vip) == ".1");
        CHECK_FALSE(
            node.state().changes().ipvs.destinations.remove.contains(real(vip, "10.244.0.1")));
    }
    SECTION("a winner made anew under its name is the younger one") {
        node.put(claimant("z", 300));
        CHECK(node.reached(vip) == ".2");
        CHECK(node.state().take_contests() ==
              std::vector{Contest{key(vip), younger.name, older.name}});
    }
}

TEST_CASE("D-16 of two services of one age the name decides, of three the next one follows",
          "[plan]") {
    std::vector<model::Service> all{claimant("a", 100), claimant("b", 100), claimant("c", 50)};
    std::ranges::sort(all, {}, &model::Service::name);
    do {
        Scenario node;
        for (const auto& service : all) {
            node.put(service);
            node.state();
        }
        CHECK(node.state().owner(key(vip))->name == "c");
        node.store.remove_service({"default", "c"});
        CHECK(node.state().owner(key(vip))->name == "a");
        node.store.remove_service({"default", "a"});
        CHECK(node.state().owner(key(vip))->name == "b");
        node.store.remove_service({"default", "b"});
        CHECK(node.state().owner(key(vip)) == nullptr);
    } while (std::ranges::next_permutation(all, {}, &model::Service::name).found);
}

TEST_CASE("the specs of the winner are the ones that count", "[plan]") {
    Scenario node;
    auto older = claimant("z", 100), younger = claimant("a", 200);
    younger.client_ip_affinity = 30s;
    node.put(younger);
    node.round();
    CHECK(node.kernel.services.at(key(vip)).timeout_seconds == 30);
    node.put(older);
    CHECK(node.state().changes().ipvs.services.update.contains(key(vip)));
    CHECK(node.state().changes().ipvs.services.add.size() == 1); // its cluster IP
    node.round();
    CHECK(node.kernel.services.at(key(vip)).timeout_seconds == 0);
}

TEST_CASE("D-13 a set that outgrows 65536 entries is wanted larger, and stays so", "[plan]") {
    NodeState state{{}};
    const auto add = [&](std::uint32_t count) {
        Contribution wish;
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::array<std::uint8_t, 4> bytes{10, static_cast<std::uint8_t>(i >> 16U),
                                                    static_cast<std::uint8_t>(i >> 8U),
                                                    static_cast<std::uint8_t>(i)};
            wish.entries.push_back({{SetRole::cluster_ip, Family::v4},
                                    {*Address::from_bytes(bytes), Protocol::tcp, Port{80}, {}}});
        }
        state.replace({"default", "many"}, std::move(wish));
    };
    add(65536);
    learn(state, state.changes());
    CHECK(state.desired().sets.at("KUBE-CLUSTER-IP").spec.max_entries == 65536);
    add(65537);
    const auto grown = state.changes().sets.sets.at("KUBE-CLUSTER-IP");
    REQUIRE(grown.create.has_value());
    CHECK(grown.create->max_entries == 131072);
    CHECK(grown.add.size() == 1);
    learn(state, state.changes());
    add(1);
    CHECK_FALSE(state.changes().sets.sets.at("KUBE-CLUSTER-IP").create.has_value());
}

TEST_CASE("a set of another type is made anew with all its entries", "[plan]") {
    Scenario node;
    node.put(web());
    node.round();
    const SetId id{SetRole::cluster_ip, Family::v4};
    CHECK(node.state().observe_set(id, std::nullopt, {}) == 2); // the set and its entry
    const auto changes = node.state().changes().sets.sets.at("KUBE-CLUSTER-IP");
    CHECK(changes.create == set_spec(id));
    CHECK(changes.add.size() == 1);
}

TEST_CASE("X-014 refused rules are held back and hold up nothing else", "[plan]") {
    Scenario node;
    node.put(web());
    auto changes = node.state().changes();
    const Moment now{1h};
    changes.rules = {};
    learn(node.state(), changes);
    node.state().hold_rules(Family::v4, now + 5s);
    CHECK(node.state().next_due(now) == now + 5s);
    CHECK(node.state().changes(now).rules.v4.empty());
    CHECK_FALSE(node.state().changes(now).rules.v6.empty());
    CHECK_FALSE(node.state().changes(now + 5s).rules.v4.empty());
    CHECK(node.state().changes(now).size() == node.state().changes(now).rules.v6.replace.size() +
                                                  node.state().changes(now).rules.v6.insert.size());
}

TEST_CASE("X-015 a set that cannot be made is held back alone", "[plan]") {
    Scenario node;
    node.put(web());
    const Moment now{1h};
    node.state().hold_set({SetRole::cluster_ip, Family::v4}, now + 5s);
    const auto changes = node.state().changes(now);
    CHECK_FALSE(changes.sets.sets.contains("KUBE-CLUSTER-IP"));
    CHECK(changes.sets.sets.contains("KUBE-IPVS-IPS"));
    CHECK(changes.ipvs.services.add.size() == 1);
    CHECK(node.state().next_due(now) == now + 5s);
}

TEST_CASE("kube-ipvs0 is made where it is missing, and its addresses with it", "[plan]") {
    Scenario node;
    node.put(web());
    node.round();
    node.kernel.device.present = false;
    node.kernel.device.addresses.clear();
    CHECK(node.look() == 2);
    CHECK(node.round() == R"(# node
+ ip link add kube-ipvs0 type dummy  # missing

# Service default/web
+ ip address add 10.96.0.10/32 dev kube-ipvs0  # missing
)");
}
