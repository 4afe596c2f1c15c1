// The laws on a real kernel, each in a network namespace of its own.
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <csignal>
#include <functional>

#include "proxy/plan/text.h"
#include "proxy/sync/daemon.h"
#include "proxy/sync/real_kernel.h"
#include "tests/kernel/namespace.h"
#include "tests/kernel/process.h"
#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/chance.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;
using kernel_test::must_run;

namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

/// A node's namespace: one interface with an address of each family.
struct OwnNode {
    kernel_test::Namespace own;
    OwnNode() {
        must_run({"ip", "link", "add", "eth0", "type", "dummy"});
        must_run({"ip", "link", "set", "eth0", "up"});
        must_run({"ip", "address", "add", "192.0.2.10/24", "dev", "eth0"});
        must_run({"ip", "address", "add", "2001:db8::10/64", "dev", "eth0", "nodad"});
    }
};

/// A cluster over the kernel of the calling thread's namespace.
struct RealNode {
    model::Store store;
    RealKernel kernel{PerFamily<bool>{true, true}, iptables::Backend::legacy, 0};
    PaperNode node{kernel.tables(), store};

    std::string text() { return plan::text(snapshot(kernel.tables())); }
};

/// What these objects come to on a kernel that has never seen others.
std::string at_once(const model::Store& store) {
    const OwnNode fresh;
    RealNode real;
    for (const auto& [name, service] : store.services())
        real.store.put(service);
    for (const auto& [name, slices] : store.all_slices())
        for (const auto& [slice, object] : slices)
            real.store.put(object);
    real.node.adopt();
    CHECK(real.node.round().clean());
    CHECK(real.node.audit() == 0);
    return real.text();
}

void require_equal(const std::string& one, const std::string& other) {
    for (const auto& line : differing_lines(one, other))
        UNSCOPED_INFO(line);
    REQUIRE(one == other);
}

/// Objects that use every table, in both families.
void fill(PaperNode& node) {
    auto web = service("web", "10.96.0.10 fd00::10", {port(80), port(53, Protocol::udp)});
    web.type = model::ServiceType::load_balancer;
    web.ports[0].node_port = Port{30080};
    web.ingress_vips = {plan::ip("198.51.100.7")};
    web.source_ranges = {*Prefix::parse("203.0.113.0/24")};
    node.put(web, "L.1 R.2");
    auto six = backends(web, "");
    six.name.name = "web-6";
    six.family = Family::v6;
    six.endpoints = {{.address = plan::ip("fd00:244::1")}, {.address = plan::ip("fd00:244::2")}};
    node.store().put(six);
}

} // namespace

TEST_CASE("on a kernel, any sequence of changes ends where the last objects lead at once",
          "[sync][.kernel]") {
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
        CAPTURE(seed);
        Chance chance{seed};
        const OwnNode own;
        RealNode real;
        real.node.adopt();
        for (int step = 0; step < 40; ++step) {
            chance.change(real.store);
            if (!chance.one_in(3)) continue;
            const auto report = real.node.round();
            for (const auto& refused : report.refused)
                UNSCOPED_INFO(refused.text());
            REQUIRE(report.clean());
            REQUIRE(real.node.audit() == 0);
            REQUIRE(real.node.cluster().take_round(real.node.now).empty());
        }
        REQUIRE(real.node.round().clean());
        const auto expected = at_once(real.store);
        require_equal(real.text(), expected);
        require_equal(real.text(), real.node.wanted());
    }
}

TEST_CASE("on a kernel, a node that is as it should be is adopted without a write",
          "[sync][.kernel]") {
    const OwnNode own;
    RealNode first;
    fill(first.node);
    first.node.adopt();
    REQUIRE(first.node.round().clean());
    const auto text = first.text();

    RealNode second;
    fill(second.node);
    second.node.adopt();
    CHECK(second.node.cluster().state().changes().empty());
    const auto before = second.kernel.cost().messages;
    CHECK(second.node.cluster().take_round(second.node.now).changes.empty());
    CHECK(second.kernel.cost().messages == before);
    CHECK(second.node.round().changes == 0);
    require_equal(second.text(), text);
}

TEST_CASE("D-02 D-10 on a kernel, what the tools change is found and healed", "[sync][.kernel]") {
    const std::vector<std::string> commands{
        "ipvsadm -D -t 10.96.0.10:80",
        "ipvsadm -C",
        "ipvsadm -E -t 10.96.0.10:80 -s wlc",
        "ipvsadm -E -t [fd00::10]:80 -s sh",
        "ipvsadm -E -u 10.96.0.10:53 -s rr -p 300",
        "ipvsadm -A -t 10.9.9.9:80 -s rr",
        "ipvsadm -d -t 10.96.0.10:80 -r 10.244.0.2:8080",
        "ipvsadm -a -t 10.96.0.10:80 -r 10.244.0.9:8080 -m",
        "ipvsadm -e -t 10.96.0.10:80 -r 10.244.0.2:8080 -m -w 0",
        "ipvsadm -e -t [fd00::10]:80 -r [fd00:244::2]:8080 -m -w 7",
        "ipset del KUBE-CLUSTER-IP 10.96.0.10,tcp:80",
        "ipset add KUBE-CLUSTER-IP 10.9.9.9,tcp:80",
        "ipset flush KUBE-CLUSTER-IP",
        "ipset flush",
        "ipset del KUBE-NODE-PORT-TCP 30080",
        "iptables -t nat -F KUBE-SERVICES",
        "iptables -t nat -A KUBE-MARK-MASQ -j ACCEPT",
        "iptables -t filter -F",
        "iptables -t nat -F PREROUTING",
        "ip6tables -t filter -F INPUT",
        "ip6tables -t nat -F KUBE-POSTROUTING",
        "ip address del 10.96.0.10/32 dev kube-ipvs0",
        "ip address add 10.9.9.9/32 dev kube-ipvs0",
        "ip address change fd00::10/128 dev kube-ipvs0 preferred_lft forever valid_lft forever",
        "ip link del kube-ipvs0",
        "iptables -t nat -F && iptables -t filter -F && iptables -t nat -X && iptables -t filter -X"
        " && ip6tables -t nat -F && ip6tables -t filter -F && ip6tables -t nat -X"
        " && ip6tables -t filter -X && ipset destroy && ipvsadm -C && ip link del kube-ipvs0",
    };
    const OwnNode own;
    RealNode real;
    fill(real.node);
    real.node.adopt();
    REQUIRE(real.node.round().clean());
    const auto text = real.text();
    for (const auto& command : commands) {
        CAPTURE(command);
        must_run({"sh", "-c", command});
        REQUIRE(real.text() != text);
        REQUIRE(real.node.audit() > 0);
        const auto report = real.node.round();
        for (const auto& refused : report.refused)
            UNSCOPED_INFO(refused.text());
        REQUIRE(report.clean());
        require_equal(real.text(), text);
        REQUIRE(real.node.audit() == 0);
    }
}

namespace {

const std::vector<std::string> stable_pods{"10.245.0.1", "10.245.0.2", "10.245.0.3"};

/// A service whose endpoints are ready all the time.
void put_stable(model::Store& store) {
    auto stable = service("stable", "10.97.0.1 fd00::97", {port(80), port(53, Protocol::udp)});
    store.put(stable);
    auto slice = backends(stable, "");
    for (const auto& pod : stable_pods)
        slice.endpoints.push_back({.address = plan::ip(pod)});
    store.put(slice);
}

/// The objects of one life, and what becomes of them in it.
model::Store objects_of(std::uint32_t life) {
    model::Store store;
    put_stable(store);
    Chance chance{life};
    for (int i = 0; i < 30; ++i)
        chance.change(store);
    return store;
}

/// The process that is killed: the loop as it runs, with something changing every few milliseconds.
[[noreturn]] void live(std::uint32_t life) {
    try {
        auto store = objects_of(life);
        RealKernel kernel{PerFamily<bool>{true, true}, iptables::Backend::legacy, 0};
        AddressEvents events;
        PaperNode node{kernel.tables(), store};
        asio::io_context io{1};
        Observer nobody;
        Daemon daemon{io,      node.cluster(), kernel.tables_with_readers(),
                      &events, {0ms, 50ms},    nobody};
        asio::co_spawn(io, daemon.run(), asio::detached);
        const auto stir = [](Daemon& loop, model::Store& held,
                             std::uint32_t seed) -> asio::awaitable<void> {
            asio::steady_timer timer{co_await asio::this_coro::executor};
            for (Chance chance{seed};;) {
                timer.expires_after(3ms);
                co_await timer.async_wait(asio::use_awaitable);
                chance.change(held);
                loop.ring();
            }
        };
        asio::co_spawn(io, stir(daemon, store, life + 1000), asio::detached);
        daemon.inputs_complete();
        io.run();
    } catch (...) {
        _exit(3);
    }
    _exit(4); // it has no reason to end
}

/// How often the real servers of the stable service were looked at until then.
/// @return those found missing or quietened, which there should be none.
std::vector<std::string> watch_until(ipvs::KernelTable& table, Clock::time_point end,
                                     std::size_t& looks) {
    std::vector<std::string> harm;
    const std::vector servers{plan::key("10.97.0.1:80/TCP"), plan::key("10.97.0.1:53/UDP")};
    do {
        const auto seen = table.destinations(servers);
        for (const auto& server : servers)
            for (const auto& pod : stable_pods) {
                const auto port = static_cast<std::uint16_t>(8000 + server.port.value);
                const auto at = seen.specs.find({server, plan::ip(pod), Port{port}});
                if (at == seen.specs.end()) harm.push_back(pod + " is missing");
                else if (at->second.weight == 0) harm.push_back(pod + " has weight 0");
            }
        ++looks;
        ::usleep(500);
    } while (Clock::now() < end);
    return harm;
}

} // namespace

TEST_CASE("killed fifty times at any moment it converges, and no ready real server is ever touched",
          "[sync][.kernel]") {
    const OwnNode own;
    {
        RealNode first;
        put_stable(first.store);
        first.node.adopt();
        REQUIRE(first.node.round().clean());
    }
    ipvs::KernelTable table;
    Chance chance{7};
    std::size_t looks = 0, lives_that_wrote = 0;
    std::size_t usual_ms = 0; // of a life
    auto before = table.services();
    for (std::uint32_t life = 1; life <= 50; ++life) {
        CAPTURE(life);
        const auto begin = Clock::now();
        const auto child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) live(life);
        std::vector<std::string> harm;
        if (life == 1) {
            while (table.services() == before && Clock::now() < begin + 20s)
                ::usleep(1000);
            usual_ms = static_cast<std::size_t>((Clock::now() - begin) / 1ms) + 1;
        } else {
            harm = watch_until(
                table, begin + std::chrono::milliseconds{chance.number(2 * usual_ms)}, looks);
        }
        ::kill(child, SIGKILL);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(harm == std::vector<std::string>{});
        REQUIRE(WIFSIGNALED(status)); // it had not ended by itself
        auto after = table.services();
        const bool wrote = after != before;
        if (wrote) ++lives_that_wrote;
        // About half of them live long enough to write, however busy the machine is.
        usual_ms = wrote ? usual_ms - usual_ms / 4 + 1 : usual_ms + usual_ms / 3 + 1;
        before = std::move(after);
    }
    CAPTURE(looks, lives_that_wrote, usual_ms);
    CHECK(looks > 100);
    CHECK(lives_that_wrote > 10);

    RealNode last;
    const auto objects = objects_of(99);
    for (const auto& [name, service] : objects.services())
        last.store.put(service);
    for (const auto& [name, slices] : objects.all_slices())
        for (const auto& [slice, object] : slices)
            last.store.put(object);
    last.node.adopt();
    CHECK_FALSE(last.node.cluster().state().changes().empty()); // the last life was another
    REQUIRE(last.node.round().clean());
    CHECK(last.node.audit() == 0);
    CHECK(last.node.cluster().take_round(last.node.now).empty());
    require_equal(last.text(), at_once(last.store));
}

namespace {

/// Tells when a round is over.
struct Watcher : Observer {
    std::function<void()> on_settled;
    std::vector<Part> drifts;
    std::size_t rounds{};
    void drifted(Part part, const std::vector<plan::Line>& /*healing*/) override {
        drifts.push_back(part);
    }
    void settled(const Round& /*round*/, const Report& report,
                 std::chrono::nanoseconds /*duration*/) override {
        CHECK(report.clean());
        ++rounds;
        if (on_settled) on_settled();
    }
};

/// The loop over the kernel, with a period that no test waits for.
void run_loop(RealNode& real, Watcher& watcher, const std::function<void(Daemon&)>& after_round) {
    AddressEvents events;
    asio::io_context io{1};
    Daemon daemon{io,      real.node.cluster(), real.kernel.tables_with_readers(),
                  &events, {0ms, 1h},           watcher};
    watcher.on_settled = [&] { after_round(daemon); };
    bool ended = false;
    asio::co_spawn(io, daemon.run(),
                   [&](const std::exception_ptr& error) { ended = error == nullptr; });
    daemon.inputs_complete();
    io.run_for(20s);
    REQUIRE(ended);
    REQUIRE(io.stopped());
    must_run({"ip", "link"}); // the events' socket still has an owner:
    CHECK_NOTHROW(events.read());
}

} // namespace

TEST_CASE("D-11 on a kernel, an address that comes or goes moves the node ports at once",
          "[sync][.kernel]") {
    const OwnNode own;
    RealNode real;
    fill(real.node);
    Watcher watcher;
    const auto server = plan::key("192.0.2.77:30080/TCP");
    std::vector<bool> served;
    run_loop(real, watcher, [&](Daemon& daemon) {
        served.push_back(real.kernel.tables().ipvs.services().contains(server));
        if (served.size() == 1) must_run({"ip", "address", "add", "192.0.2.77/32", "dev", "eth0"});
        if (served.size() == 2) must_run({"ip", "address", "del", "192.0.2.77/32", "dev", "eth0"});
        if (served.size() == 3) daemon.stop();
    });
    CHECK(served == std::vector{false, true, false});
    CHECK(watcher.drifts.empty());
}

TEST_CASE("D-10 on a kernel, what happens to kube-ipvs0 is healed at once", "[sync][.kernel]") {
    const std::vector<std::string> commands{
        "ip address del 10.96.0.10/32 dev kube-ipvs0",
        "ip address add 10.9.9.9/32 dev kube-ipvs0",
        "ip link del kube-ipvs0",
    };
    const OwnNode own;
    RealNode real;
    fill(real.node);
    Watcher watcher;
    std::string expected;
    run_loop(real, watcher, [&](Daemon& daemon) {
        if (watcher.rounds == 1) expected = real.text();
        CHECK(real.text() == expected);
        if (watcher.rounds > commands.size()) return daemon.stop();
        must_run({"sh", "-c", commands[watcher.rounds - 1]});
    });
    CHECK(watcher.rounds == commands.size() + 1);
    CHECK(watcher.drifts == std::vector{Part::device, Part::device, Part::device});
}
