// A refused change: told once, in nobody's way, tried again, healed.
#include <catch2/catch.hpp>

#include <functional>

#include "ipset/error.h"
#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;
using iptables::TableName;

namespace {

const auto denied = std::errc::operation_not_permitted;

/// One way in which a table may refuse one kind of change.
struct Fault {
    std::string name;
    std::function<void(PaperTables&)> breaks, mends;
    std::string object; ///< as it is reported
    std::string needle; ///< lines of the state that may be wrong meanwhile bear one of these words
};

Fault of_server(const char* name, const char* key) {
    return {name, [=](PaperTables& at) { at.ipvs.refuse(plan::key(key), denied); },
            [](PaperTables& at) { at.ipvs.relent(); }, "virtual server " + plan::key(key).text(),
            plan::key(key).address.text()};
}

Fault of_real(const char* name, const char* server, const char* address) {
    const auto key = real_server(server, address);
    return {name, [=](PaperTables& at) { at.ipvs.refuse(key, denied); },
            [](PaperTables& at) { at.ipvs.relent(); }, "real server " + key.text(),
            key.address.text()};
}

Fault of_address(const char* name, const char* address) {
    const DeviceAddress key{plan::ip(address), plan::ip(address).bits()};
    return {name, [=](PaperTables& at) { at.device.refuse(key, std::make_error_code(denied)); },
            [=](PaperTables& at) { at.device.refuse(key, {}); },
            "address " + key.address.text() + '/' + std::to_string(key.prefix_length) +
                " of kube-ipvs0",
            key.address.text()};
}

Fault of_entry(const char* name, const char* address) {
    const ipset::Subject subject{"KUBE-CLUSTER-IP",
                                 ipset::Entry{plan::ip(address), Protocol::tcp, Port{80}, {}}};
    return {name, [=](PaperTables& at) { at.ipset.refuse(subject, std::make_error_code(denied)); },
            [=](PaperTables& at) { at.ipset.accept(subject); },
            std::string{"ipset entry KUBE-CLUSTER-IP "} + address + ",tcp:80", address};
}

Fault of_set(const char* set) {
    return {std::string{"a set is not created: "} + set,
            [=](PaperTables& at) {
                at.ipset.tamper().erase(set);
                at.ipset.refuse({set}, std::make_error_code(denied));
            },
            [=](PaperTables& at) { at.ipset.accept({set}); }, std::string{"ipset "} + set, set};
}

Fault of_rules(const char* name, TableName table, Family family) {
    const std::string tool = family == Family::v4 ? "iptables" : "ip6tables";
    return {name,
            [=](PaperTables& at) {
                at.rules[family].tamper(
                    {table, table == TableName::nat ? "KUBE-MARK-MASQ" : "KUBE-FORWARD"},
                    {"-j ACCEPT"});
                at.rules[family].refuse(table, std::make_error_code(denied));
            },
            [=](PaperTables& at) { at.rules[family].refuse(table, {}); },
            tool + " table " + (table == TableName::nat ? "nat" : "filter"),
            table == TableName::nat ? "KUBE-MARK-MASQ" : "KUBE-FORWARD"};
}

const std::vector<Fault> faults{
    of_server("a virtual server is not added", "10.96.0.30:80/TCP"),
    of_server("a virtual server is not changed", "10.96.0.40:80/TCP"),
    of_server("a virtual server is not removed", "10.96.0.10:80/TCP"),
    of_real("a real server is not added", "10.96.0.20:80/TCP", "10.244.0.3"),
    of_real("a real server is not changed", "10.96.0.40:80/TCP", "10.244.0.6"),
    of_real("a real server is not removed", "10.96.0.20:80/TCP", "10.244.0.2"),
    of_address("an address is not added", "10.96.0.30"),
    of_address("an address is not changed", "fd00::40"),
    of_address("an address is not removed", "10.96.0.10"),
    of_entry("an entry is not added", "10.96.0.30"),
    of_entry("an entry is not removed", "10.96.0.10"),
    of_set("KUBE-NODE-PORT-TCP"),
    of_rules("nat is not written", TableName::nat, Family::v4),
    of_rules("filter is not written", TableName::filter, Family::v4),
    of_rules("nat of IPv6 is not written", TableName::nat, Family::v6),
    of_rules("filter of IPv6 is not written", TableName::filter, Family::v6),
};

/// Three services that are written, of which one goes, one changes and one is tampered with, and a
/// fourth that comes: every kind of change of every table.
void prepare(PaperNode& node) {
    node.put(service("going", "10.96.0.10"), "R.1");
    node.put(service("changing", "10.96.0.20"), "R.1 R.2");
    node.put(service("tampered", "10.96.0.40 fd00::40"), "R.5 R.6");
    node.adopt();
    REQUIRE(node.round().clean());
}

void change(PaperNode& node) {
    auto& tables = node.tables;
    tables.ipvs.put(plan::key("10.96.0.40:80/TCP"),
                    ipvs::ServiceSpec{.scheduler = "wlc", .persistence_prefix = 32});
    tables.ipvs.put(real_server("10.96.0.40:80/TCP", "10.244.0.6"), {.weight = 7});
    tables.device.state().addresses[{plan::ip("fd00::40"), 128}].deprecated = false;
    node.audit();
    node.remove("going");
    node.put(service("changing", "10.96.0.20"), "R.1 R.3");
    node.put(service("coming", "10.96.0.30"), "R.4");
}

void only_about(const std::vector<std::string>& lines, const std::string& needle) {
    for (const auto& line : lines) {
        CAPTURE(line);
        CHECK(line.find(needle) != std::string::npos);
    }
}

} // namespace

TEST_CASE("P-272 D-04 a refused change is told once, holds up no other and heals when it is taken",
          "[sync]") {
    for (const auto& fault : faults) {
        DYNAMIC_SECTION(fault.name) {
            PaperNode node;
            prepare(node);
            fault.breaks(node.tables);
            change(node);

            auto report = node.round();
            REQUIRE(report.refused.size() == 1);
            CHECK(report.newly_refused == report.refused);
            CHECK(report.refused[0].object == fault.object);
            CHECK(report.refused[0].cause.find("ermitted") != std::string::npos);
            CHECK(report.refused[0].remedy.find("CAP_NET_ADMIN") != std::string::npos);
            const bool of_rules = fault.object.find("tables table ") != std::string::npos;
            CHECK((report.refused[0].remedy.find("CAP_NET_RAW") != std::string::npos) == of_rules);
            CHECK(report.held);
            const auto wrong = differing_lines(node.tables.text(), node.wanted());
            CHECK_FALSE(wrong.empty());
            only_about(wrong, fault.needle);

            node.audit(report.doubtful);
            CHECK(node.round().refused.empty()); // not before its time
            report = node.round_in(1s);
            CHECK(report.refused.size() == 1);
            CHECK(report.newly_refused.empty());
            node.audit(report.doubtful);
            CHECK(node.round_in(1s).refused.empty());
            report = node.round_in(1s);
            CHECK(report.refused.size() == 1); // twice as late

            fault.mends(node.tables);
            node.audit(report.doubtful);
            CHECK(node.round_in(3s).changes == 0);
            report = node.round_in(1s);
            CHECK(report.clean());
            CHECK_FALSE(report.held);
            CHECK(node.tables.text() == node.wanted());
            CHECK_FALSE(node.cluster().next_due(node.now));
            CHECK(node.audit() == 0);
        }
    }
}

TEST_CASE("what stays refused is tried ever more seldom, up to half a minute", "[sync]") {
    for (const auto& fault : faults) {
        DYNAMIC_SECTION(fault.name) {
            PaperNode node;
            prepare(node);
            fault.breaks(node.tables);
            change(node);
            std::vector<std::chrono::seconds> pauses;
            auto last = node.now;
            node.round();
            for (int i = 0; i < 7; ++i) {
                const auto due = node.cluster().next_due(node.now);
                REQUIRE(due);
                node.now = *due;
                const auto report = node.round();
                REQUIRE(report.refused.size() == 1);
                node.audit(report.doubtful);
                pauses.push_back(std::chrono::duration_cast<std::chrono::seconds>(node.now - last));
                last = node.now;
            }
            CHECK(pauses == std::vector{1s, 2s, 4s, 8s, 16s, 30s, 30s});
        }
    }
}

TEST_CASE("X-016 D-04 an address that is refused leaves its virtual server ready for it",
          "[sync]") {
    PaperNode node;
    node.adopt();
    node.round();
    const DeviceAddress address{plan::ip("10.96.0.10"), 32};
    node.tables.device.refuse(address, std::make_error_code(denied));
    node.put(service("web", "10.96.0.10"), "R.1");
    const auto report = node.round();
    REQUIRE(report.refused.size() == 1);
    CHECK(report.refused.front().object == "address 10.96.0.10/32 of kube-ipvs0");
    CHECK(node.tables.ipvs.held_destinations().contains(
        real_server("10.96.0.10:80/TCP", "10.244.0.1")));
    CHECK_FALSE(node.tables.device.state().addresses.contains(address));
    node.tables.device.refuse(address, {});
    node.settle();
    CHECK(node.tables.text() == node.wanted());
}

TEST_CASE("where a route is refused, the address that stood for it stays", "[sync]") {
    PaperNode node;
    node.put(service("web", "10.96.0.10"), "R.1").put(service("api", "10.96.0.11"), "R.1");
    node.adopt();
    node.round();

    plan::Settings settings;
    settings.vip_binding = Binding::route;
    PaperNode other{node.tables.kernel, node.own_store, settings};
    auto& device = node.tables.device;
    const auto route = local_route(plan::ip("10.96.0.10"));
    const DeviceAddress address{route.address, 32}, gone{plan::ip("10.96.0.11"), 32};
    device.refuse(route, std::make_error_code(denied));
    other.adopt();
    const auto report = other.round();
    REQUIRE(report.refused.size() == 1);
    CHECK(report.refused.front().object == "local route 10.96.0.10/32");
    CHECK(device.state().addresses ==
          DeviceAddresses{{address, {}}, {local_route(gone.address), {}}});
    device.refuse(route, {});
    other.settle();
    CHECK(device.state().addresses ==
          DeviceAddresses{{route, {}}, {local_route(gone.address), {}}});
}
