// What others do to the tables: found by the portion that covers it, and healed with no more writes
// than it takes.
#include <catch2/catch.hpp>
#include <functional>

#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;
using iptables::TableName;

namespace {

constexpr auto web = "10.96.0.10:80/TCP";

/// One thing somebody does, the part that shows it, and the writes that undo it.
struct Tampering {
    std::string name;
    Part part{};
    std::size_t writes{};
    std::function<void(PaperTables&)> act;
};

const std::vector<Tampering> tamperings{
    {"an address is removed", Part::device, 1,
     [](PaperTables& at) {
         at.device.state().addresses.erase({plan::ip("10.96.0.10"), 32});
     }},
    {"an address is added", Part::device, 1,
     [](PaperTables& at) {
         at.device.state().addresses[{plan::ip("10.9.9.9"), 32}] = {};
     }},
    {"an IPv6 address becomes preferred", Part::device, 1,
     [](PaperTables& at) {
         at.device.state().addresses.at({plan::ip("fd00::10"), 128}) = {};
     }},
    {"the device is removed", Part::device, 1,
     [](PaperTables& at) { at.device.destroy(); }}, // its addresses are one apply
    {"a virtual server is removed", Part::services, 3,
     [](PaperTables& at) { at.ipvs.drop(plan::key(web)); }}, // with two real servers
    {"a virtual server is added", Part::services, 1,
     [](PaperTables& at) { at.ipvs.put(plan::key("10.9.9.9:1/TCP"), ipvs::ServiceSpec{}); }},
    {"a scheduler is changed", Part::services, 1,
     [](PaperTables& at) {
         at.ipvs.put(plan::key(web),
                     ipvs::ServiceSpec{.scheduler = "wlc", .persistence_prefix = 32});
     }},
    {"a flag is set", Part::services, 1,
     [](PaperTables& at) {
         at.ipvs.put(plan::key(web),
                     ipvs::ServiceSpec{.flags = ipvs::flag_one_packet, .persistence_prefix = 32});
     }},
    {"a real server is removed", Part::destinations, 1,
     [](PaperTables& at) { at.ipvs.drop(real_server(web, "10.244.0.2")); }},
    {"a real server is added", Part::destinations, 1,
     [](PaperTables& at) { at.ipvs.put(real_server(web, "10.244.0.9")); }},
    {"a weight is changed", Part::destinations, 1,
     [](PaperTables& at) { at.ipvs.put(real_server(web, "10.244.0.2"), {.weight = 5}); }},
    {"a weight is set to 0", Part::destinations, 1,
     [](PaperTables& at) { at.ipvs.put(real_server(web, "10.244.0.2"), {.weight = 0}); }},
    {"a real server is forwarded to otherwise", Part::destinations, 1,
     [](PaperTables& at) {
         at.ipvs.put(real_server(web, "10.244.0.2"), {.forward = ipvs::Forward::route});
     }},
    {"all of IPVS is cleared", Part::services, 9,
     [](PaperTables& at) { at.ipvs.clear(); }}, // three of each, and their real servers
    {"an entry is removed", Part::sets, 1,
     [](PaperTables& at) {
         auto& entries = at.ipset.tamper().at("KUBE-CLUSTER-IP").entries;
         entries.erase(*entries.begin());
     }},
    {"an entry is added", Part::sets, 1,
     [](PaperTables& at) {
         at.ipset.tamper()
             .at("KUBE-CLUSTER-IP")
             .entries.insert({plan::ip("10.9.9.9"), Protocol::udp, Port{9}, {}});
     }},
    {"a set is removed", Part::sets, 3, // made anew, with two entries
     [](PaperTables& at) { at.ipset.tamper().erase("KUBE-CLUSTER-IP"); }},
    {"an empty set is removed", Part::sets, 1,
     [](PaperTables& at) { at.ipset.tamper().erase("KUBE-6-EXTERNAL-IP"); }},
    {"a chain is changed", Part::rules, 1,
     [](PaperTables& at) {
         at.rules.v4.tamper({TableName::nat, "KUBE-MARK-MASQ"}, {"-j ACCEPT"});
     }},
    {"a chain is emptied", Part::rules, 1,
     [](PaperTables& at) {
         at.rules.v6.tamper({TableName::filter, "KUBE-FORWARD"}, {});
     }},
    {"a jump is removed", Part::rules, 1,
     [](PaperTables& at) {
         at.rules.v4.tamper({TableName::nat, "PREROUTING"}, {});
     }},
};

PaperNode& begin(PaperNode& node) {
    node.put(service("web", "10.96.0.10 fd00::10"), "L.1 R.2");
    node.put(service("dns", "10.96.0.53", {port(53, Protocol::udp)}), "L.4 R.5");
    auto six = backends(service("web", "10.96.0.10 fd00::10"), "");
    six.name.name = "web-6";
    six.family = Family::v6;
    six.endpoints = {{.address = plan::ip("fd00:244::1")}, {.address = plan::ip("fd00:244::2")}};
    node.store().put(six);
    node.adopt();
    REQUIRE(node.round().clean());
    return node;
}

} // namespace

TEST_CASE("D-02 D-10 each kind of tampering is found by its part and healed with as many writes",
          "[sync]") {
    for (const auto& tampering : tamperings) {
        DYNAMIC_SECTION(tampering.name) {
            PaperNode node;
            begin(node);
            const auto before = node.tables.text();
            tampering.act(node.tables);
            CHECK(node.tables.text() != before);
            for (const auto part : {Part::device, Part::services, Part::sets, Part::rules})
                if (part != tampering.part) CHECK(node.audit({part}) == 0);
            CHECK(node.audit({tampering.part}) > 0);
            const auto writes = node.tables.writes();
            CHECK(node.round().clean());
            CHECK(node.tables.writes() == writes + tampering.writes);
            CHECK(node.tables.text() == before);
            CHECK(node.audit() == 0);
        }
    }
}

TEST_CASE("foreign objects are looked at and left alone", "[sync]") {
    PaperNode node;
    begin(node);
    node.tables.rules.v4.tamper({TableName::filter, "MINE"}, {"-j ACCEPT"});
    node.tables.rules.v4.tamper({TableName::filter, "FORWARD"},
                                {"-j MINE",
                                 "-m comment --comment \"kubernetes forwarding rules\" "
                                 "-j KUBE-FORWARD",
                                 "-m comment --comment \"kube-proxy firewall rules\" -j "
                                 "KUBE-PROXY-FIREWALL"});
    node.tables.ipset.tamper()["mine"] = {};
    node.tables.ipset.add_foreign("theirs");
    const auto writes = node.tables.writes();
    CHECK(node.audit() == 0);
    CHECK(node.round().changes == 0);
    CHECK(node.tables.writes() == writes);
}

TEST_CASE("portions of real servers cover all of them, whatever their size", "[sync]") {
    PaperNode node;
    for (int i = 1; i <= 40; ++i)
        node.put(service("s" + std::to_string(i), "10.96.1." + std::to_string(i)),
                 i % 3 ? "L.1 R.2" : "");
    node.adopt();
    node.round();
    for (const std::size_t slice : {1U, 7U, 39U, 40U, 41U}) {
        CAPTURE(slice);
        CHECK(node.cluster().portions({Part::destinations}, slice).size() ==
              std::max<std::size_t>(1, (40 + slice - 1) / slice));
        CHECK(node.audit(slice) == 0);
        for (int i = 1; i <= 40; ++i)
            node.tables.ipvs.put(
                real_server("10.96.1." + std::to_string(i) + ":80/TCP", "10.244.0.9"));
        CHECK(node.audit(slice) == 40);
        CHECK(node.round().changes == 40);
    }
    // A portion keeps its bounds while services come and go within them.
    auto portions = node.cluster().portions({Part::destinations}, 10);
    node.remove("s5").put(service("new", "10.96.1.55"), "R.1 R.2");
    node.round();
    for (auto& portion : portions) {
        node.cluster().fill(portion);
        CHECK(observe(node.cluster().state(), look(node.tables.kernel, portion)) == 0);
    }
    CHECK(node.round().changes == 0);
}

TEST_CASE("without IPv6 its tables are neither read nor written", "[sync]") {
    plan::Settings settings;
    settings.enabled.v6 = false;
    PaperNode node{settings};
    node.tables.kernel.rules.v6 = nullptr;
    node.put(service("web", "10.96.0.10 fd00::10"), "L.1 R.2");
    node.adopt();
    CHECK(node.round().clean());
    CHECK(node.audit() == 0);
    CHECK(node.tables.rules.v6.writes() == 0);
    CHECK(node.tables.ipvs.held_services().size() == 1);
    CHECK(node.tables.text() == node.wanted());
}
