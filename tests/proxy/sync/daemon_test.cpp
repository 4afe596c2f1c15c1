// The loop over twins, with short periods. A twin is touched only where nothing is under way in the
// lane of the kernel: before the loop, in the observer's calls, and after the end.
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <latch>

#include "proxy/sync/daemon.h"
#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {

/// Remembers what it is told, and lets a test act at these moments.
struct Recorder : Observer {
    std::function<void()> on_adopted, on_settled, on_audited, on_drifted, on_unreadable;
    std::vector<std::size_t> differences;
    std::vector<Report> reports;
    std::vector<Clock::time_point> settled_at;
    std::vector<std::pair<Part, std::vector<plan::Line>>> drifts;
    std::vector<plan::Contest> contests;
    std::vector<std::pair<Part, std::string>> unread;
    std::size_t audits{}, rings{};

    static void call(const std::function<void()>& hook) {
        if (hook) hook();
    }
    void queued() override { ++rings; }
    void adopted(std::size_t count) override {
        differences.push_back(count);
        call(on_adopted);
    }
    void drifted(Part part, const std::vector<plan::Line>& healing) override {
        drifts.emplace_back(part, healing);
        call(on_drifted);
    }
    void contested(const plan::Contest& contest) override { contests.push_back(contest); }
    void settled(const Round& /*round*/, const Report& report,
                 std::chrono::nanoseconds /*duration*/) override {
        reports.push_back(report);
        settled_at.push_back(Clock::now());
        call(on_settled);
    }
    void unreadable(Part part, const std::string& reason) override {
        unread.emplace_back(part, reason);
        call(on_unreadable);
    }
    void audited(std::chrono::nanoseconds /*work*/) override {
        ++audits;
        call(on_audited);
    }
};

/// A daemon over the tables of a node on paper.
class Loop {
public:
    PaperNode node;
    asio::io_context io{1};
    Recorder told;

    explicit Loop(Pace pace = {0ms, 1h}) : pace_{pace} {}

    Daemon& daemon() {
        if (!daemon_)
            daemon_.emplace(io, node.cluster(), kernel ? *kernel : node.tables.kernel, nullptr,
                            pace_, told);
        return *daemon_;
    }
    void stop() { daemon().stop(); }
    /// Runs until the daemon has ended. A test that waits in vain fails.
    void run() {
        bool ended = false;
        asio::co_spawn(io, daemon().run(),
                       [&](const std::exception_ptr& error) { ended = error == nullptr; });
        io.run_for(20s);
        REQUIRE(ended);
        REQUIRE(io.stopped()); // and left nothing behind
    }
    /// After that time on the loop's thread.
    void later(std::chrono::milliseconds pause, std::function<void()> act) {
        asio::co_spawn(
            io,
            [](std::chrono::milliseconds time,
               std::function<void()> work) -> asio::awaitable<void> {
                asio::steady_timer timer{co_await asio::this_coro::executor, time};
                co_await timer.async_wait(asio::use_awaitable);
                work();
            }(pause, std::move(act)),
            asio::detached);
    }

    std::optional<Kernel> kernel;

private:
    Pace pace_;
    std::optional<Daemon> daemon_;
};

/// A device that takes its time.
class SlowDevice : public Device {
public:
    explicit SlowDevice(Device& held) : held_{held} {}
    std::latch entered{1}, let_go{1};

    const std::string& name() const override { return held_.name(); }
    bool present() override { return held_.present(); }
    DeviceState snapshot() override { return held_.snapshot(); }
    void create() override {
        entered.count_down();
        let_go.wait();
        held_.create();
    }
    void destroy() override { held_.destroy(); }
    DeviceOutcome apply(const DeviceAddressChanges& changes) override {
        return held_.apply(changes);
    }

private:
    Device& held_;
};

model::Service web() {
    auto both = service("web", "10.96.0.10 fd00::10", {port(80), port(53, Protocol::udp)});
    both.ports[0].node_port = Port{30080};
    return both;
}

model::Service kubernetes() {
    return service("kubernetes", "10.96.0.1", {port(443)});
}

void fill(PaperNode& node) {
    node.put(web(), "L.1 R.2");
}

} // namespace

TEST_CASE("nothing is read or written before all input is there", "[sync]") {
    Loop loop;
    fill(loop.node);
    loop.daemon().ring();
    loop.later(20ms, [&] {
        CHECK(loop.node.tables.ipvs.reads() == 0);
        CHECK(loop.node.tables.writes() == 0);
        CHECK(loop.told.differences.empty());
        loop.daemon().inputs_complete();
    });
    loop.told.on_settled = [&] { loop.stop(); };
    loop.run();
    CHECK(loop.told.rings == 1);
    CHECK(loop.told.differences.size() == 1);
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("a node without a device has default/kubernetes before all input is there", "[sync]") {
    Loop loop;
    auto& node = loop.node;
    fill(node);
    node.put(kubernetes(), "L.1");
    bool early = false;
    loop.told.on_settled = [&] {
        if (std::exchange(early, true)) return loop.stop();
        CHECK(loop.told.differences.empty()); // nothing else is known of the node
        CHECK(node.tables.device.state().addresses ==
              DeviceAddresses{{{plan::ip("10.96.0.1"), 32}, {}}});
        CHECK(node.tables.ipvs.held_services().size() == 1);
        CHECK(node.tables.ipset.entries("KUBE-CLUSTER-IP")->size() == 1);
        loop.daemon().ring(); // once is enough
        loop.later(20ms, [&] {
            CHECK(loop.told.reports.size() == 1);
            loop.daemon().inputs_complete();
        });
    };
    loop.later(1ms, [&] { loop.daemon().ring(); });
    loop.run();
    CHECK(loop.told.reports.size() == 2);
    CHECK(loop.told.differences.size() == 1);
    CHECK(node.tables.text() == node.wanted());
}

TEST_CASE("default/kubernetes waits for a real server, as long as there is none", "[sync]") {
    Loop loop;
    auto& node = loop.node;
    node.store().put(kubernetes());
    loop.later(1ms, [&] { loop.daemon().ring(); });
    loop.later(20ms, [&] {
        CHECK(node.tables.writes() == 0);
        node.store().put(backends(kubernetes(), "L.1"));
        loop.daemon().ring();
    });
    loop.told.on_settled = [&] { loop.stop(); };
    loop.run();
    CHECK(loop.told.differences.empty());
    CHECK(node.tables.ipvs.held_services().size() == 1);
}

TEST_CASE("what is on a node already waits until all input is there", "[sync]") {
    struct Case {
        const char* name;
        std::function<void(PaperNode&)> before;
    };
    const std::vector<Case> all{
        {"a device",
         [](PaperNode& at) {
             fill(at);
             at.adopt();
             at.round();
             at.restart();
         }},
        {"a virtual server",
         [](PaperNode& at) { at.tables.ipvs.put(plan::key("10.96.0.9:80/TCP"), {}); }},
        {"an entry of a set",
         [](PaperNode& at) {
             auto& set = at.tables.ipset.tamper()["KUBE-CLUSTER-IP"];
             set.entries.insert({.address = plan::ip("10.96.0.9"), .port = Port{80}});
         }},
        {"a chain of another mode",
         [](PaperNode& at) {
             at.tables.rules.v4.tamper({iptables::TableName::nat, "KUBE-SERVICES"},
                                       {"-p tcp -m tcp --dport 80 -j ACCEPT"});
         }},
    };
    for (const auto& one : all) {
        INFO(one.name);
        Loop loop;
        auto& node = loop.node;
        one.before(node);
        node.put(kubernetes(), "L.1");
        const auto writes = node.tables.writes();
        loop.later(1ms, [&] { loop.daemon().ring(); });
        loop.later(20ms, [&] {
            CHECK(node.tables.writes() == writes);
            loop.daemon().inputs_complete();
        });
        loop.told.on_settled = [&] { loop.stop(); };
        loop.run();
        CHECK(loop.told.differences.size() == 1);
        CHECK(node.tables.text() == node.wanted());
    }
}

TEST_CASE("a head start that fails leaves all to the adoption", "[sync]") {
    Loop loop;
    auto& node = loop.node;
    node.put(kubernetes(), "L.1");
    node.tables.ipvs.fail(std::errc::no_buffer_space, 1);
    loop.later(1ms, [&] { loop.daemon().ring(); });
    loop.told.on_unreadable = [&] { loop.daemon().inputs_complete(); };
    loop.told.on_settled = [&] { loop.stop(); };
    loop.run();
    CHECK(loop.told.unread.size() == 1);
    CHECK(loop.told.differences.size() == 1);
    CHECK(node.tables.text() == node.wanted());
}

TEST_CASE("stopped before all input is there, it has touched nothing", "[sync]") {
    Loop loop;
    fill(loop.node);
    loop.later(1ms, [&] { loop.stop(); });
    loop.run();
    CHECK(loop.node.tables.ipvs.reads() == 0);
    CHECK(loop.node.tables.writes() == 0);
}

TEST_CASE("a node that is as it should be is adopted and left as it is", "[sync]") {
    Loop loop{{0ms, 10ms}};
    fill(loop.node);
    loop.node.adopt();
    loop.node.round();
    const auto writes = loop.node.tables.writes();
    loop.node.restart();
    loop.daemon().inputs_complete();
    loop.told.on_audited = [&] {
        if (loop.told.audits == 3) loop.stop();
    };
    loop.run();
    CHECK(loop.told.differences == std::vector<std::size_t>{0});
    CHECK(loop.told.drifts.empty());
    CHECK(loop.node.tables.writes() == writes);
    for (const auto& report : loop.told.reports) // UDP flows are looked at once after a start
        CHECK(report.changes == 0);
    CHECK(loop.told.reports.size() <= 1);
}

TEST_CASE("P-271 without any change everything is read once a period", "[sync]") {
    Loop loop{{0ms, 20ms}};
    fill(loop.node);
    loop.told.on_audited = [&] {
        if (loop.told.audits == 5) loop.stop();
    };
    const auto begin = Clock::now();
    loop.daemon().inputs_complete();
    loop.run();
    // From before the first to after the last: however busy the machine is, that is never less.
    CHECK(Clock::now() - begin >= 5 * 20ms - 1ms);
    CHECK(loop.told.reports.size() == 1);
}

TEST_CASE("D-10 what others change is told and healed within one audit", "[sync]") {
    struct Tampering {
        Part part{};
        std::function<void(PaperTables&)> act;
        std::string line;
    };
    const std::vector<Tampering> all{
        {Part::device,
         [](PaperTables& at) {
             at.device.state().addresses.erase({plan::ip("10.96.0.10"), 32});
         },
         "ip address add 10.96.0.10/32"},
        {Part::services, [](PaperTables& at) { at.ipvs.drop(plan::key("10.96.0.10:80/TCP")); },
         "ipvsadm -A -t 10.96.0.10:80 -s rr"},
        {Part::destinations,
         [](PaperTables& at) {
             at.ipvs.put(real_server("10.96.0.10:80/TCP", "10.244.0.2"), {.weight = 0});
         },
         "ipvsadm -e -t 10.96.0.10:80 -r 10.244.0.2:8080 -m -w 1"},
        {Part::sets,
         [](PaperTables& at) { at.ipset.tamper().at("KUBE-CLUSTER-IP").entries.clear(); },
         "ipset add KUBE-CLUSTER-IP 10.96.0.10,tcp:80"},
        {Part::rules,
         [](PaperTables& at) {
             at.rules.v4.tamper({iptables::TableName::nat, "KUBE-MARK-MASQ"}, {"-j ACCEPT"});
         },
         "iptables -t nat -F KUBE-MARK-MASQ"},
    };
    for (const auto& tampering : all) {
        DYNAMIC_SECTION(name(tampering.part)) {
            Loop loop{{0ms, 15ms}};
            fill(loop.node);
            std::size_t audits_before = 0;
            loop.told.on_settled = [&] {
                if (loop.told.reports.size() == 2) return loop.stop();
                audits_before = loop.told.audits;
                tampering.act(loop.node.tables);
            };
            loop.daemon().inputs_complete();
            loop.run();
            CHECK(loop.told.audits <= audits_before + 1);
            REQUIRE(loop.told.drifts.size() == 1);
            CHECK(loop.told.drifts[0].first == tampering.part);
            std::string commands;
            for (const auto& line : loop.told.drifts[0].second)
                commands += line.command + '\n';
            CHECK(commands.find(tampering.line) != std::string::npos);
            CHECK(loop.node.tables.text() == loop.node.wanted());
        }
    }
}

TEST_CASE("the end comes after the round that is under way", "[sync]") {
    Loop loop;
    fill(loop.node);
    SlowDevice device{loop.node.tables.device};
    loop.kernel.emplace(Kernel{device, loop.node.tables.ipvs, loop.node.tables.ipset,
                               loop.node.tables.kernel.rules, loop.node.tables.flows});
    loop.told.on_adopted = [&] {
        loop.later(1ms, [&] {
            device.entered.wait();
            CHECK(loop.told.reports.empty());
            loop.stop();
            loop.daemon().ring();
            device.let_go.count_down();
        });
    };
    loop.daemon().inputs_complete();
    loop.run();
    CHECK(loop.told.reports.size() == 1);
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("a change during a round is taken up by the next one", "[sync]") {
    Loop loop;
    fill(loop.node);
    SlowDevice device{loop.node.tables.device};
    loop.kernel.emplace(Kernel{device, loop.node.tables.ipvs, loop.node.tables.ipset,
                               loop.node.tables.kernel.rules, loop.node.tables.flows});
    loop.told.on_adopted = [&] {
        loop.later(1ms, [&] {
            device.entered.wait();
            loop.node.put(service("late", "10.96.0.20"), "R.3");
            loop.daemon().ring();
            device.let_go.count_down();
        });
    };
    loop.told.on_settled = [&] {
        if (loop.told.reports.size() == 2) loop.stop();
    };
    loop.daemon().inputs_complete();
    loop.run();
    CHECK(loop.node.tables.ipvs.held_services().size() == 7);
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("P-184 real servers come and go while one of them drains", "[sync]") {
    Loop loop;
    fill(loop.node);
    const auto busy = real_server("10.96.0.10:80/TCP", "10.244.0.2");
    const auto weight = [&] { return loop.node.tables.ipvs.held_destinations().at(busy).weight; };
    const auto put = [&](const char* endpoints) {
        loop.later(1ms, [&loop, endpoints] {
            loop.node.put(web(), endpoints);
            loop.daemon().ring();
        });
    };
    loop.told.on_settled = [&] {
        switch (loop.told.reports.size()) {
        case 1:
            loop.node.tables.ipvs.connect(busy, {.active_connections = 3});
            return put("L.1 R.3");
        case 2:
            CHECK(weight() == 0);
            return put("L.1 R.2 R.4");
        case 3:
            CHECK(weight() == 1);
            return put("L.1");
        default:
            loop.stop();
        }
    };
    loop.daemon().inputs_complete();
    loop.run();
    for (const auto& report : loop.told.reports)
        CHECK(report.clean());
    CHECK(weight() == 0);
    loop.node.tables.ipvs.connect(busy, {});
    loop.node.now = Clock::now();
    loop.node.settle();
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("many rings are one round", "[sync]") {
    Loop loop;
    fill(loop.node);
    loop.told.on_settled = [&] {
        if (loop.told.reports.size() > 1) {
            loop.later(20ms, [&] { loop.stop(); }); // long enough for another round
            return;
        }
        loop.later(1ms, [&] {
            for (std::uint16_t i = 0; i < 20; ++i) {
                loop.node.put(service("web", "10.96.0.10", {port(80)}), i % 2 ? "R.2" : "R.3 R.4");
                loop.daemon().ring();
            }
        });
    };
    loop.daemon().inputs_complete();
    loop.run();
    CHECK(loop.told.rings == 20);
    CHECK(loop.told.reports.size() == 2);
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("P-270 changes within the minimum are one round, and not before it", "[sync]") {
    constexpr auto minimum = 40ms;
    Loop loop{{minimum, 1h}};
    fill(loop.node);
    const auto put = [&](const char* name, const char* address) {
        loop.node.put(service(name, address), "R.5");
        loop.daemon().ring();
    };
    loop.told.on_settled = [&] {
        switch (loop.told.reports.size()) {
        case 1: // two changes well within the minimum, in two bursts
            loop.later(1ms, [&] { put("a", "10.96.0.20"); });
            loop.later(10ms, [&] { put("b", "10.96.0.30"); });
            break;
        case 2: // quiet for longer than the minimum
            loop.later(minimum + 10ms, [&] { put("c", "10.96.0.40"); });
            break;
        default:
            loop.stop();
        }
    };
    loop.daemon().inputs_complete();
    loop.run();
    REQUIRE(loop.told.reports.size() == 3);
    CHECK(loop.told.settled_at[1] - loop.told.settled_at[0] >= minimum);
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("P-270 the first round waits for nothing", "[sync]") {
    Loop loop{{1h, 1h}};
    fill(loop.node);
    loop.told.on_settled = [&] { loop.stop(); };
    loop.daemon().inputs_complete();
    loop.run();
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("P-273 what is healed or tried again waits for the minimum too", "[sync]") {
    constexpr auto minimum = 40ms;
    Loop loop{{minimum, 2ms}};
    fill(loop.node);
    loop.told.on_settled = [&] {
        if (loop.told.reports.size() == 2) return loop.stop();
        loop.node.tables.ipvs.drop(plan::key("10.96.0.10:80/TCP"));
    };
    loop.daemon().inputs_complete();
    loop.run();
    REQUIRE(loop.told.drifts.size() == 1);
    CHECK(loop.told.settled_at[1] - loop.told.settled_at[0] >= minimum);
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("a table that cannot be read at the start is named, and nothing is written", "[sync]") {
    struct Breaking {
        Part part{};
        std::function<void(PaperTables&)> act;
    };
    const std::vector<Breaking> all{
        {Part::services, [](PaperTables& at) { at.ipvs.fail(std::errc::permission_denied); }},
        {Part::sets,
         [](PaperTables& at) {
             at.ipset.break_with(std::make_error_code(std::errc::permission_denied));
         }},
    };
    for (const auto& breaking : all) {
        DYNAMIC_SECTION(name(breaking.part)) {
            Loop loop;
            fill(loop.node);
            breaking.act(loop.node.tables);
            loop.told.on_unreadable = [&] { loop.stop(); };
            loop.daemon().inputs_complete();
            loop.run();
            REQUIRE(loop.told.unread.size() == 1);
            CHECK(loop.told.unread[0].first == breaking.part);
            CHECK(loop.told.unread[0].second.find("ermission denied") != std::string::npos);
            CHECK(loop.node.tables.writes() == 0);
        }
    }
}

TEST_CASE("a table that cannot be read later does not hold up the rounds", "[sync]") {
    Loop loop{{0ms, 10ms}};
    fill(loop.node);
    loop.told.on_settled = [&] {
        if (loop.told.reports.size() == 1)
            loop.node.tables.ipset.break_with(std::make_error_code(std::errc::io_error));
        else loop.stop();
    };
    loop.told.on_unreadable = [&] {
        loop.node.put(service("web", "10.96.0.10 fd00::10", {port(80), port(53, Protocol::udp)}),
                      "L.1 R.2 R.3");
        loop.daemon().ring();
    };
    loop.daemon().inputs_complete();
    loop.run();
    REQUIRE(!loop.told.unread.empty());
    CHECK(loop.told.unread[0].first == Part::sets);
    CHECK(loop.node.tables.ipvs.held_destinations().contains(
        real_server("10.96.0.10:80/TCP", "10.244.0.3")));
}

TEST_CASE("D-16 a contest is told once", "[sync]") {
    Loop loop;
    fill(loop.node);
    auto late = service("late", "10.96.0.10");
    late.created = std::chrono::sys_seconds{1h};
    loop.node.put(late, "R.9");
    loop.told.on_settled = [&] { loop.stop(); };
    loop.daemon().inputs_complete();
    loop.run();
    REQUIRE(loop.told.contests.size() == 1);
    CHECK(loop.told.contests[0].loser.name == "late");
    CHECK(loop.node.tables.text() == loop.node.wanted());
}
