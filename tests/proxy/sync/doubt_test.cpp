// Outcomes that are lost, tables that cannot be asked, and tables that are not as was believed.
#include <catch2/catch.hpp>

#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;

namespace {

constexpr auto web = "10.96.0.10:80/TCP";

PaperNode& begin(PaperNode& node) {
    node.put(service("web", "10.96.0.10 fd00::10"), "L.1 R.2");
    node.adopt();
    REQUIRE(node.round().clean());
    return node;
}

/// A device whose module is missing.
class NoDevice : public Device {
public:
    explicit NoDevice(Device& held) : held_{held} {}
    bool missing{true};
    int tries{};
    const std::string& name() const override { return held_.name(); }
    bool present() override { return held_.present(); }
    DeviceState snapshot() override { return held_.snapshot(); }
    void create() override {
        ++tries;
        if (missing)
            throw std::system_error{std::make_error_code(std::errc::operation_not_supported),
                                    "creating kube-ipvs0"};
        held_.create();
    }
    void destroy() override { held_.destroy(); }
    DeviceOutcome apply(const DeviceAddressChanges& changes) override {
        return held_.apply(changes);
    }

private:
    Device& held_;
};

/// Tables that cannot be asked.
class LostRules : public iptables::Tables {
public:
    explicit LostRules(iptables::Tables& held) : held_{held} {}
    bool lost{true};
    Family family() const override { return held_.family(); }
    iptables::Backend backend() const override { return held_.backend(); }
    bool random_fully() const override { return held_.random_fully(); }
    iptables::Chains snapshot() override { return held_.snapshot(); }
    std::vector<iptables::TableRefusal> apply(const iptables::TableChanges& changes) override {
        if (lost) throw std::system_error{std::make_error_code(std::errc::io_error), "iptables"};
        return held_.apply(changes);
    }

private:
    iptables::Tables& held_;
};

} // namespace

TEST_CASE("what became of a lost batch is read again, and the rest of it made up for", "[sync]") {
    PaperNode node;
    begin(node);
    node.put(service("new", "10.96.0.20"), "R.3 R.4");
    node.put(service("web", "10.96.0.10 fd00::10"), "L.1 R.5");
    SECTION("of virtual and real servers") {
        node.tables.ipvs.lose_next_outcome();
        const auto report = node.round();
        CHECK(report.doubtful == std::set{Part::services, Part::destinations});
        CHECK(report.refused.empty());
        // Nobody knows whether the virtual server is there, so its address stays away.
        CHECK_FALSE(node.tables.device.state().addresses.contains({plan::ip("10.96.0.20"), 32}));
        node.audit(report.doubtful);
    }
    SECTION("of addresses") {
        node.tables.device.lose_outcomes(true);
        const auto report = node.round();
        CHECK(report.doubtful == std::set{Part::device});
        node.tables.device.lose_outcomes(false);
        node.audit(report.doubtful);
    }
    SECTION("of a set") {
        node.tables.ipset.lose_outcome("KUBE-CLUSTER-IP");
        const auto report = node.round();
        CHECK(report.doubtful == std::set{Part::sets});
        node.audit(report.doubtful);
    }
    CHECK(node.round_in(1s).clean());
    CHECK(node.round().changes == 0);
    CHECK(node.tables.text() == node.wanted());
    CHECK_FALSE(node.cluster().next_due(node.now));
}

TEST_CASE("a table that cannot be asked fails alone, is told once, and made up for", "[sync]") {
    PaperNode node;
    begin(node);
    node.put(service("new", "10.96.0.20"), "R.3 R.4");
    Report report;
    SECTION("IPVS") {
        node.tables.ipvs.fail(std::errc::no_buffer_space, 2);
        report = node.round();
        CHECK(report.refused[0].object == "IPVS virtual servers");
        CHECK(report.doubtful == std::set{Part::services, Part::destinations});
        CHECK_FALSE(node.tables.device.state().addresses.contains({plan::ip("10.96.0.20"), 32}));
        CHECK(node.tables.ipset.sets().at("KUBE-CLUSTER-IP").entries.size() == 2);
        CHECK(node.round().refused.empty());
        CHECK(node.round_in(1s).newly_refused.empty());
    }
    SECTION("ipset") {
        node.tables.ipset.break_with(std::make_error_code(std::errc::no_buffer_space));
        report = node.round();
        CHECK(report.refused[0].object == "ipsets");
        CHECK(report.doubtful == std::set{Part::sets});
        CHECK(node.tables.ipvs.held_services().contains(plan::key("10.96.0.20:80/TCP")));
        CHECK(node.round().refused.empty());
        CHECK(node.round_in(1s).newly_refused.empty());
        node.tables.ipset.break_with({});
    }
    REQUIRE(report.newly_refused.size() == 1);
    CHECK(report.refused[0].cause.find("uffer") != std::string::npos);
    CHECK(report.refused[0].remedy.find("memory") != std::string::npos);
    node.audit();
    node.settle();
    CHECK(node.tables.text() == node.wanted());
    CHECK(node.audit() == 0);
}

TEST_CASE("without the dummy device's module the rest is written, and the device tried again",
          "[sync]") {
    PaperTables tables;
    NoDevice device{tables.device};
    Kernel kernel{device, tables.ipvs, tables.ipset, tables.kernel.rules, tables.flows};
    model::Store store;
    PaperNode node{kernel, store};
    node.put(service("web", "10.96.0.10"), "L.1");
    node.adopt();
    auto report = node.round();
    REQUIRE(report.newly_refused.size() == 1);
    CHECK(report.refused[0].object == "kube-ipvs0");
    CHECK(report.refused[0].remedy.find("modprobe dummy") != std::string::npos);
    CHECK(tables.ipvs.held_services().size() == 1);
    for (int i = 0; i < 20; ++i) { // changes do not make it tried any sooner
        node.put(service("web", "10.96.0.10"), i % 2 ? "L.1" : "L.1 R.2");
        CHECK(node.round().refused.empty());
    }
    node.put(service("more", "10.96.0.20"), "R.3");
    CHECK(node.round().refused.empty());
    CHECK(device.tries == 1);
    CHECK(node.round_in(1s).newly_refused.empty());
    CHECK(device.tries == 2);
    CHECK(node.round_in(1s).refused.empty());
    CHECK(device.tries == 2);
    device.missing = false;
    CHECK(node.round_in(1s).clean());
    node.settle();
    CHECK(tables.text() == node.wanted());
}

TEST_CASE("rules that cannot be written are tried again as seldom as others", "[sync]") {
    PaperTables tables;
    LostRules rules{tables.rules.v4};
    Kernel kernel{
        tables.device, tables.ipvs, tables.ipset, {&rules, &tables.rules.v6}, tables.flows};
    model::Store store;
    PaperNode node{kernel, store};
    node.put(service("web", "10.96.0.10"), "L.1");
    node.adopt();
    const auto report = node.round();
    CHECK(report.refused.size() == 1);
    CHECK(report.doubtful == std::set{Part::rules});
    CHECK(tables.ipvs.held_services().size() == 1);
    CHECK(node.round().refused.empty());
    CHECK(node.round_in(1s).refused.size() == 1);
    CHECK(node.round_in(1s).refused.empty());
    rules.lost = false;
    node.settle();
    CHECK(tables.text() == node.wanted());
}

TEST_CASE("our own half-taken transaction is nobody else's change", "[sync]") {
    PaperNode node;
    node.tables.rules.v4.refuse(iptables::TableName::nat,
                                std::make_error_code(std::errc::device_or_resource_busy));
    node.put(service("web", "10.96.0.10"), "L.1");
    node.adopt();
    const auto report = node.round();
    CHECK(node.audit(report.doubtful) == 0);
}

TEST_CASE("a table that is otherwise than was believed is read again", "[sync]") {
    PaperNode node;
    begin(node);
    Report report;
    SECTION("somebody made our virtual server first, otherwise") {
        node.tables.ipvs.put(plan::key("10.96.0.20:80/TCP"), ipvs::ServiceSpec{.scheduler = "sh"});
        node.tables.ipvs.put(real_server("10.96.0.20:80/TCP", "10.244.0.9"));
        node.put(service("new", "10.96.0.20"), "R.3");
        report = node.round();
        CHECK(report.refused[0].cause == "File exists");
        CHECK(report.doubtful == std::set{Part::services});
    }
    SECTION("somebody added our real server first, with another weight") {
        node.tables.ipvs.put(real_server(web, "10.244.0.3"), {.weight = 9});
        node.put(service("web", "10.96.0.10 fd00::10"), "L.1 R.2 R.3");
        report = node.round();
        CHECK(report.doubtful == std::set{Part::destinations});
    }
    SECTION("somebody removed the virtual server of a new real server") {
        node.tables.ipvs.drop(plan::key(web));
        node.put(service("web", "10.96.0.10 fd00::10"), "L.1 R.2 R.3");
        report = node.round();
        CHECK(report.doubtful == std::set{Part::services, Part::destinations});
    }
    SECTION("somebody removed the virtual server that changes") {
        node.tables.ipvs.drop(plan::key(web));
        auto sticky = service("web", "10.96.0.10 fd00::10");
        sticky.client_ip_affinity = 100s;
        node.put(sticky, "L.1 R.2");
        report = node.round();
        CHECK(report.doubtful == std::set{Part::services});
    }
    SECTION("somebody removed the device") {
        node.tables.device.destroy();
        node.put(service("new", "10.96.0.20"), "R.3");
        report = node.round();
        CHECK(report.doubtful == std::set{Part::device});
    }
    SECTION("somebody removed the set") {
        node.tables.ipset.tamper().erase("KUBE-CLUSTER-IP");
        node.put(service("new", "10.96.0.20"), "R.3");
        report = node.round();
        CHECK(report.doubtful == std::set{Part::sets});
    }
    CHECK(report.refused.size() == 1);
    node.audit(report.doubtful);
    node.settle();
    node.audit(); // what only the rolling audit finds
    node.settle();
    CHECK(node.tables.text() == node.wanted());
    CHECK(node.audit() == 0);
}

TEST_CASE("an address is bound when a virtual server is behind it, and not before", "[sync]") {
    PaperNode node;
    const auto http = plan::key("10.96.0.20:80/TCP"), https = plan::key("10.96.0.20:443/TCP");
    const auto bound = [&] {
        return node.tables.device.state().addresses.contains({http.address, 32});
    };
    const auto both = service("new", "10.96.0.20", {port(80), port(443)});
    begin(node);
    SECTION("all are refused") {
        node.tables.ipvs.refuse(http, std::errc::not_enough_memory);
        node.tables.ipvs.refuse(https, std::errc::not_enough_memory);
        node.put(both, "R.3 R.4");
        CHECK(node.round().refused.size() == 2); // not their real servers as well
        CHECK_FALSE(bound());
        // Nor while they wait, whatever else changes.
        node.now += 500ms;
        auto sticky = both;
        sticky.client_ip_affinity = 100s;
        node.put(sticky, "R.3 R.4");
        CHECK(node.round().refused.size() == 2);
        for (int i = 0; i < 8; ++i) {
            node.now += 500ms;
            node.round();
            CHECK_FALSE(bound());
        }
        node.tables.ipvs.relent();
        node.settle();
    }
    SECTION("once a virtual server is taken, its real servers and its address come with it") {
        node.tables.ipvs.refuse(http, std::errc::not_enough_memory, 3);
        node.put(service("new", "10.96.0.20"), "R.3 R.4");
        for (const auto pause : {0s, 1s, 2s})
            CHECK(node.round_in(pause).refused.size() == 1);
        CHECK_FALSE(bound());
        CHECK(node.round_in(4s).clean());
        CHECK(node.tables.ipvs.held_destinations().contains(
            real_server("10.96.0.20:80/TCP", "10.244.0.4")));
        CHECK(bound());
    }
    SECTION("one of two is refused") {
        node.tables.ipvs.refuse(https, std::errc::not_enough_memory);
        node.put(both, "R.3 R.4");
        CHECK(node.round().refused.size() == 1);
        CHECK(bound());
        node.tables.ipvs.relent();
    }
    SECTION("one is refused, the other is there already") {
        node.put(service("new", "10.96.0.20"), "R.3 R.4");
        node.round();
        node.tables.device.state().addresses.erase({http.address, 32});
        node.audit();
        node.tables.ipvs.refuse(https, std::errc::not_enough_memory);
        node.put(both, "R.3 R.4");
        CHECK(node.round().refused.size() == 1);
        CHECK(bound());
        node.tables.ipvs.relent();
    }
    SECTION("a change of the one that serves is refused") {
        node.put(service("new", "10.96.0.20"), "R.3 R.4");
        node.round();
        node.tables.device.state().addresses.erase({http.address, 32});
        node.audit();
        node.tables.ipvs.refuse(http, std::errc::not_enough_memory);
        auto sticky = service("new", "10.96.0.20");
        sticky.client_ip_affinity = 100s;
        node.put(sticky, "R.3 R.4");
        CHECK(node.round().refused.size() == 1);
        CHECK(bound());
        node.tables.ipvs.relent();
    }
    node.settle();
    CHECK(bound());
    CHECK(node.tables.text() == node.wanted());
}
