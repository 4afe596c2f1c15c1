// Which endpoints receive traffic: policies, conditions, hints, slices.
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "proxy/plan/endpoints.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;
using model::ServiceType;

namespace {

constexpr auto cluster_server = "10.96.0.10:80/TCP", external_server = "203.0.113.7:80/TCP";

struct Reached {
    std::string cluster, external, hairpin;
    friend bool operator==(const Reached&, const Reached&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Reached& reached) {
        return out << '{' << reached.cluster << " | " << reached.external << " | "
                   << reached.hairpin << '}';
    }
};

/// What a cluster IP and an external IP lead to, and which endpoints are in KUBE-LOOP-BACK.
Reached reached(const char* line, bool internal_local, bool external_local,
                ServiceType type = ServiceType::node_port) {
    Scenario node;
    auto service = web(type);
    service.external_ips = {ip("203.0.113.7")};
    service.internal_local = internal_local;
    service.external_local = external_local;
    node.put(service).put(slice(line));
    std::vector<AddressPort> hairpin;
    const auto wanted = node.state().desired();
    for (const auto& entry : wanted.sets.at("KUBE-LOOP-BACK").entries)
        hairpin.push_back({entry.address, entry.port});
    return {node.reached(cluster_server), node.reached(external_server), short_form(hairpin)};
}

/// internal and external count of services without local endpoints
std::pair<bool, bool> without_local(const char* line, bool internal_local, bool external_local) {
    Scenario node;
    auto service = web(ServiceType::node_port);
    service.ports.front().node_port = Port{30080};
    service.internal_local = internal_local;
    service.external_local = external_local;
    node.put(service).put(slice(line));
    const auto* wish = node.state().contribution(service.name);
    return {wish->no_local_internal.v4, wish->no_local_external.v4};
}

} // namespace

TEST_CASE("endpoints of several slices are merged in order, each once, the later one counting",
          "[plan]") {
    std::mt19937 random{11};
    for (int round = 0; round < 200; ++round) {
        model::Store::Slices slices;
        std::map<AddressPort, const model::Endpoint*> expected;
        const auto order = random() % 4; // of how many an endpoint is out of its place
        for (char name = 'a'; name < 'a' + static_cast<char>(random() % 6); ++name) {
            auto& slice = slices[std::string_view{&name, 1}];
            slice.ports = {{model::Symbol{"http"}, Protocol::tcp, Port{8080}}};
            for (unsigned i = 0; i < random() % 40; ++i) {
                model::Endpoint endpoint;
                const auto last = random() % 4 < order ? random() % 200 : i * 3;
                endpoint.address = ip("10.244.0." + std::to_string(last));
                endpoint.terminating = random() % 3 == 0;
                slice.endpoints.push_back(endpoint);
            }
        }
        for (const auto& [name, slice] : slices)
            for (const auto& endpoint : slice.endpoints) {
                const auto [at, added] =
                    expected.try_emplace({endpoint.address, Port{8080}}, &endpoint);
                if (!added && !endpoint.terminating) at->second = &endpoint;
            }
        const auto merged =
            merge_endpoints(slices, Family::v4, model::Symbol{"http"}, Protocol::tcp);
        REQUIRE(merged.size() == expected.size());
        CHECK(std::equal(merged.begin(), merged.end(), expected.begin(),
                         [](const Candidate& one, const auto& other) {
                             return one.at() == other.first && one.endpoint == other.second;
                         }));
    }
}

TEST_CASE("P-070 X-018 a service without endpoints keeps its virtual server, one that is gone none",
          "[plan]") {
    Scenario node;
    node.put(web()).put(slice("L.1 R.2 R.3 R.4!unready"));
    CHECK(node.reached(cluster_server) == ".1 .2 .3");
    CHECK(node.entries("KUBE-LOOP-BACK") == Lines{"10.244.0.1,tcp:8080,10.244.0.1"});
    node.store.remove_slice({"default", "web-1"});
    CHECK(node.reached(cluster_server).empty());
    CHECK(node.entries("KUBE-LOOP-BACK").empty());
    node.round();
    node.store.remove_service({"default", "web"});
    CHECK(node.state().changes().ipvs.services.remove == std::set{key(cluster_server)});
}

TEST_CASE("P-071 P-072 internalTrafficPolicy of a plain cluster IP", "[plan]") {
    const auto plain = [](const char* line, bool internal_local) {
        Scenario node;
        auto service = web();
        service.internal_local = internal_local;
        node.put(service).put(slice(line));
        return node.reached(cluster_server);
    };
    CHECK(plain("L.1 R.2 R.3", false) == ".1 .2 .3");
    CHECK(plain("R.1 R.2 R.3", false) == ".1 .2 .3");
    CHECK(plain("L.1 R.2 R.3", true) == ".1");
    CHECK(plain("R.1 R.2 R.3", true).empty());
}

TEST_CASE("P-073 P-074 P-075 P-076 ready, else serving while they terminate, for each policy",
          "[plan]") {
    const auto* const mixed = "L.1 L.2 L.3!term L.4!dead R.5";
    CHECK(reached(mixed, false, false) == Reached{".1 .2 .5", ".1 .2 .5", ".1 .2 .3 .4"});
    CHECK(reached(mixed, false, true) == Reached{".1 .2 .5", ".1 .2", ".1 .2 .3 .4"});
    CHECK(reached("L.1!term L.2!term L.3!dead R.4!term R.5!unready", false, false) ==
          Reached{".1 .2 .4", ".1 .2 .4", ".1 .2 .3"});
    CHECK(reached("L.1!term L.2!term L.3!dead R.4!term R.5", false, true) ==
          Reached{".5", ".1 .2", ".1 .2 .3"});
}

TEST_CASE("X-005 X-006 local policy without local endpoints falls back on what is reachable",
          "[plan]") {
    CHECK(reached("R.1 R.2", true, false) == Reached{".1 .2", ".1 .2", ""});
    CHECK(reached("R.1 R.2", false, true) == Reached{".1 .2", ".1 .2", ""});
    CHECK(reached("L.1 R.2", true, true) == Reached{".1", ".1", ".1"});
}

TEST_CASE("externalTrafficPolicy counts by type: a cluster IP with an external IP too", "[plan]") {
    CHECK(reached("L.1 R.2", false, true, ServiceType::cluster_ip) == Reached{".1 .2", ".1", ".1"});
    CHECK(reached("L.1 R.2", false, true, ServiceType::load_balancer) ==
          Reached{".1 .2", ".1", ".1"});
}

TEST_CASE("P-077 P-078 P-079 services without local endpoints are counted where others exist",
          "[plan]") {
    using Counts = std::pair<bool, bool>;
    for (const auto& [internal, external] : {Counts{true, false}, {false, true}, {true, true}}) {
        CHECK(without_local("L.1 R.2 R.3", internal, external) == Counts{});
        CHECK(without_local("R.1 R.2 R.3", internal, external) == Counts{internal, external});
        CHECK(without_local("", internal, external) == Counts{});
        CHECK(without_local("R.1!dead", internal, external) == Counts{});
    }
    CHECK(without_local("R.1", false, false) == Counts{});
}

TEST_CASE("without a virtual server that wants local endpoints a service counts in no gauge",
          "[plan]") {
    Settings settings;
    settings.external_ips = false; // the gate AllowServiceExternalIPs
    Scenario node{settings};
    node.interfaces({}); // no address to serve node ports at
    auto service = web(ServiceType::node_port);
    service.ports.front().node_port = Port{30080};
    service.external_ips = {ip("203.0.113.7")};
    service.external_local = true;
    node.put(service).put(slice("R.1"));
    const auto counted = [&] {
        return node.state().contribution(service.name)->no_local_external.v4;
    };
    CHECK_FALSE(counted());
    node.interfaces({{"eth0", ip("192.0.2.10")}});
    CHECK(counted());
    node.interfaces({});
    service.internal_local =
        true; // one that the cluster IP's virtual server triggers, tells of both
    node.put(service);
    CHECK(counted());
}

namespace {

constexpr TrafficScope inside{}, outside{.external = true};
constexpr TrafficScope internal_only{.internal_local = true};
constexpr TrafficScope internal_out{.internal_local = true, .external = true};
constexpr TrafficScope external_out{.external_local = true, .external = true};
constexpr TrafficScope both_out{.internal_local = true, .external_local = true, .external = true};

/// `c | l`, and "any" where there is any endpoint at all.
std::string groups(const char* line, const TrafficScope& scope, const char* zone = "a",
                   const char* name = "n1") {
    NodeFacts node;
    node.name = model::Symbol{name};
    node.zone = model::Symbol{zone};
    const model::Store::Slices slices{{"web-1", slice(line)}};
    const auto all = merge_endpoints(slices, Family::v4, model::Symbol{"http"}, Protocol::tcp);
    const auto found = group_endpoints(all, scope, node);
    return short_form(found.cluster) + " | " + short_form(found.local) + (found.any ? " any" : "");
}

} // namespace

TEST_CASE("P-090 P-091 P-092 zone hints narrow cluster endpoints, never local ones", "[plan]") {
    CHECK(groups("R.1@a R.2@b R.3@c R.4@a", inside) == ".1 .4 |  any");
    CHECK(groups("L.1@a L.2@b R.3@c R.4@a", external_out) == ".1 .4 | .1 .2 any");
    CHECK(groups("L.1@a L.2@b R.3@c R.4@a", internal_out) == ".1 .4 | .1 .2 any");
}

TEST_CASE("P-093 P-094 P-095 P-096 P-097 zone hints count where all have them and one is ours",
          "[plan]") {
    CHECK(groups("R.1@a R.2@b", inside, "") == ".1 .2 |  any");
    CHECK(groups("R.1@a R.2@b", inside, "d") == ".1 .2 |  any");
    CHECK(groups("R.1@a!unready R.2@b R.3@c R.4@a", inside) == ".4 |  any");
    CHECK(groups("R.1@a!unready R.2@b R.3@c R.4@a!unready", inside) == ".2 .3 |  any");
    CHECK(groups("R.1@a R.2@b R.3 R.4@a", inside) == ".1 .2 .3 .4 |  any");
    CHECK(groups("R.1@a R.2@b R.3!unready R.4@a", inside) == ".1 .4 |  any");
    CHECK(groups("R.1@a,b,c R.2@b,c R.3@b,d R.4@c", inside, "c") == ".1 .2 .4 |  any");
}

TEST_CASE("P-098 P-099 P-100 node hints go before zone hints", "[plan]") {
    const auto* const hinted = "R.1@a#n1 R.2@b#n2 R.3@c#n3 R.4@a#n4";
    CHECK(groups(hinted, inside) == ".1 |  any");
    CHECK(groups("R.1@a#n1 R.2@b#n2 R.3@c#n3 R.4", inside) == ".1 .2 .3 .4 |  any");
    CHECK(groups(hinted, inside, "a", "n0") == ".1 .4 |  any");
    CHECK(groups(hinted, inside, "", "n1") == ".1 |  any");
}

TEST_CASE("P-102 P-103 P-104 an internal service with local policy has local endpoints only",
          "[plan]") {
    CHECK(groups("", internal_only) == " | ");
    CHECK(groups("R.1 R.2", internal_only) == " |  any");
    CHECK(groups("L.1 L.2", internal_only) == " | .1 .2 any");
    CHECK(groups("L.1 R.2", internal_only) == " | .1 any");
}

TEST_CASE("P-105 P-106 P-111 without a ready endpoint the serving terminating ones are used",
          "[plan]") {
    CHECK(groups("R.1!unready L.2!unready", inside) == " | ");
    CHECK(groups("R.1!term L.2!term", inside) == ".1 .2 |  any");
    CHECK(groups("R.1!term@b L.2!term@a", inside) == ".1 .2 |  any"); // hints are not for these
    CHECK(groups("R.1!dead", inside) == " | ");
}

TEST_CASE("P-107 P-108 P-109 P-110 each scope has the groups it needs", "[plan]") {
    for (const auto& scope : {internal_out, external_out, both_out})
        CHECK(groups("L.1 R.2", scope) == ".1 .2 | .1 any");
    CHECK(groups("R.1 R.2", both_out) == ".1 .2 |  any");
    CHECK(groups("R.1!term R.2!term", both_out) == ".1 .2 |  any");
    CHECK(groups("R.10 L.1!unready L.2!term R.3!term", external_out) == ".10 | .2 any");
    CHECK(groups("L.1 R.2", {.external_local = true}) == ".1 .2 |  any");
    CHECK(groups("L.1 R.2", outside) == ".1 .2 |  any");
}

TEST_CASE("no endpoint is local to a node without a name", "[plan]") {
    CHECK(groups("L.1 R.2", internal_only, "a", "") == " |  any");
    NodeFacts nameless;
    CHECK_FALSE(is_local(model::Endpoint{.address = ip("10.244.0.1")}, nameless));
}

TEST_CASE("P-140 P-144 each named port has all endpoints of its slice", "[plan]") {
    Scenario node;
    auto service = web();
    service.ports.push_back({.name = model::Symbol{"tls"}, .port = Port{443}});
    service.ports.push_back({.name = model::Symbol{"other"}, .port = Port{444}});
    auto some = slice("R.1 R.2 R.3");
    some.ports.push_back({.name = model::Symbol{"tls"}, .port = Port{8443}});
    node.put(service).put(some);
    CHECK(node.reached("10.96.0.10:80/TCP") == ".1 .2 .3");
    CHECK(node.reached("10.96.0.10:443/TCP") == ".1 .2 .3");
    CHECK(node.reached("10.96.0.10:444/TCP").empty());
}

TEST_CASE("P-141 P-142 P-145 P-146 slices of a service are merged by address and port", "[plan]") {
    Scenario node;
    node.put(web()).put(slice("R.1 R.2", "web-1")).put(slice("R.2 R.3", "web-2"));
    CHECK(node.reached(cluster_server) == ".1 .2 .3");
    // A later one that is not terminating wins, whatever it says of readiness.
    node.put(slice("R.2!unready", "web-3"));
    CHECK(node.reached(cluster_server) == ".1 .3");
    node.put(slice("R.2!term", "web-3"));
    CHECK(node.reached(cluster_server) == ".1 .2 .3");
    node.put(slice("R.2!term R.2 R.2!dead", "web-2")).put(slice("R.2!dead", "web-1"));
    CHECK(node.reached(cluster_server) == ".2");

    auto other_port = slice("R.2", "web-4");
    other_port.ports.front().port = Port{80};
    node.put(other_port);
    CHECK(node.servers() == Lines{"10.96.0.10:80/TCP -> 10.244.0.2:80 10.244.0.2:8080"});
}

TEST_CASE("P-143 P-150 a service has the endpoints of its own slices only", "[plan]") {
    Scenario node;
    auto elsewhere = slice("R.9", "web-9");
    elsewhere.name.space = elsewhere.service.space = model::Symbol{"other"};
    auto sibling = slice("R.8", "sibling-1");
    sibling.service.name = "sibling";
    node.put(web()).put(elsewhere).put(sibling);
    node.put(slice("R.1 R.2", "web-1")).put(slice("R.2 R.3", "web-2"));
    CHECK(node.reached(cluster_server) == ".1 .2 .3");
    node.store.remove_slice({"default", "web-1"});
    CHECK(node.reached(cluster_server) == ".2 .3");
}

TEST_CASE("P-151 P-152 endpoints follow their conditions, and leave nothing behind", "[plan]") {
    Scenario node;
    node.put(web());
    for (const auto& [line, expected] :
         std::map<std::string, std::string>{{"L.1 R.2", ".1 .2"},
                                            {"L.1!unready R.2!unready", ""},
                                            {"L.1!term R.2", ".2"},
                                            {"L.1!term R.2!term", ".1 .2"}}) {
        node.put(slice(line));
        CHECK(node.reached(cluster_server) == expected);
    }
    node.round();
    node.store.remove_slice({"default", "web-1"});
    node.store.remove_service({"default", "web"});
    node.round();
    CHECK(node.kernel.destinations.specs.empty());
    CHECK(node.kernel.services.empty());
    CHECK(node.state().changes().empty());
    CHECK(node.state().contributions().empty());
}
