// What a start writes: nothing where nothing differs, and first what is most wanted.
#include <catch2/catch.hpp>

#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;

namespace {

void fill(PaperNode& node) {
    auto web = service("web", "10.96.0.10 fd00::10", {port(80), port(443)});
    web.type = model::ServiceType::load_balancer;
    web.ports[0].node_port = Port{30080};
    web.ingress_vips = {plan::ip("198.51.100.7")};
    web.external_ips = {plan::ip("198.51.100.8")};
    node.put(web, "L.1 R.2 R.3");
    node.put(service("dns", "10.96.0.53", {port(53, Protocol::udp), port(53)}), "L.4 R.5");
    node.put(service("empty", "10.96.0.99"), "");
}

} // namespace

TEST_CASE("a first round leads to what is wanted, and a second has nothing to do", "[sync]") {
    PaperNode node;
    fill(node);
    node.adopt();
    const auto report = node.round();
    CHECK(report.clean());
    CHECK_FALSE(report.held);
    CHECK(report.changes > 30);
    CHECK(node.tables.text() == node.wanted());
    CHECK(node.cluster().take_round(node.now).empty());
    CHECK(node.audit() == 0);
    CHECK_FALSE(node.cluster().next_due(node.now));
}

TEST_CASE("a node that is as it should be is adopted without a write", "[sync]") {
    PaperNode node;
    fill(node);
    node.adopt();
    node.round();
    const auto before = node.tables.writes();
    node.restart();
    CHECK(node.cluster().state().changes().empty());
    const auto report = node.round();
    CHECK(report.changes == 0);
    CHECK(node.tables.writes() == before);
    for (std::size_t slice : {1U, 2U, 512U})
        CHECK(node.audit(slice) == 0);
    CHECK(node.tables.writes() == before);
}

TEST_CASE("a start writes only what differs", "[sync]") {
    PaperNode node;
    fill(node);
    node.adopt();
    node.round();
    node.put(service("web", "10.96.0.10 fd00::10", {port(80), port(443)}), "L.1 R.2 R.3");
    node.put(service("dns", "10.96.0.53", {port(53, Protocol::udp), port(53)}), "L.4 R.5 R.6");
    node.round();
    node.tables.ipvs.drop(real_server("10.96.0.53:53/TCP", "10.244.0.6", 8053));
    const auto before = node.tables.writes();
    node.restart();
    CHECK(node.cluster().state().changes().size() == 1);
    CHECK(node.round().changes == 1);
    CHECK(node.tables.writes() == before + 1);
    CHECK(node.tables.text() == node.wanted());
}

TEST_CASE("D-03 default/kubernetes and then kube-dns are written before all others", "[sync]") {
    PaperNode node;
    node.put(service("a", "10.96.0.100"), "R.1");
    node.put(service("kubernetes", "10.96.0.1", {port(443)}), "R.2");
    auto dns = service("kube-dns", "10.96.0.53", {port(53, Protocol::udp)});
    dns.name.space = model::Symbol{"kube-system"};
    node.store().put(dns);
    node.adopt();
    node.cluster().derive();
    auto work = node.cluster().take_round(node.now);
    const auto urgent = [](const char* server, std::uint16_t number, Protocol protocol) {
        return ipvs::ServiceKey{plan::ip(server), Port{number}, protocol};
    };
    CHECK(work.urgent.services == std::set{urgent("10.96.0.1", 443, Protocol::tcp),
                                           urgent("10.96.0.53", 53, Protocol::udp)});
    const auto all = plan::steps(work.changes, work.urgent);
    std::vector<ipvs::ServiceKey> order;
    for (const auto& step : all)
        if (const auto* servers = std::get_if<ipvs::TableChanges>(&step))
            for (const auto& [key, spec] : servers->services.add)
                order.push_back(key);
    REQUIRE(order.size() == 3);
    CHECK(order.back() == plan::key("10.96.0.100:80/TCP"));
    apply(node.tables.kernel, work);
    CHECK(node.tables.text() == node.wanted());
}

TEST_CASE("a Service without a use touches no other", "[sync]") {
    PaperNode node;
    fill(node);
    node.adopt();
    node.round();
    const auto before = node.tables.text();
    const auto writes = node.tables.writes();
    model::Service broken{.name = {"default", "broken"}, .ports = {port(80)}};
    node.put(broken, "R.7"); // no cluster IP could be read
    auto headless = service("headless", "10.96.0.77");
    headless.headless = true;
    node.put(headless, "R.8");
    CHECK(node.round().changes == 0);
    CHECK(node.tables.text() == before);
    CHECK(node.tables.writes() == writes);
}
