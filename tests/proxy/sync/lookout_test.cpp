// Reading beside the writes: which sights are believed. The twins are shared by the two threads of
// the kernel and by the test, each call alone.
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <latch>
#include <memory>
#include <thread>

#include "proxy/sync/daemon.h"
#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/shared_tables.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;

namespace asio = boost::asio;

namespace {

struct Recorder : Observer {
    std::function<void()> on_settled, on_audited;
    std::vector<Report> reports;
    std::vector<Part> drifts;
    std::vector<std::pair<Part, std::string>> unread;
    std::atomic<std::size_t> audits{}; // seen from the reading thread too

    void drifted(Part part, const std::vector<plan::Line>& /*healing*/) override {
        drifts.push_back(part);
    }
    void settled(const Round& /*round*/, const Report& report,
                 std::chrono::nanoseconds /*duration*/) override {
        reports.push_back(report);
        if (on_settled) on_settled();
    }
    void unreadable(Part part, const std::string& reason) override {
        unread.emplace_back(part, reason);
    }
    void audited(std::chrono::nanoseconds /*work*/) override {
        ++audits;
        if (on_audited) on_audited();
    }
};

/// A loop over doors for two threads. The audit begins when the node has been filled.
class Loop {
public:
    PaperNode node;
    asio::io_context io{1};
    Recorder told;
    /// Called on the reading thread after each read of a part, adoption's left out.
    AfterRead after_read;
    std::function<void()> on_ended;

    explicit Loop(Pace pace = {0ms, 10ms}) : pace_{pace} {
        node.put(service("web", "10.96.0.10", {port(80), port(81)}), "R.1 R.2");
        writers_.kernel.readers = &readers_.kernel;
        told.on_settled = [this] { filled_ = true; };
    }
    Daemon& daemon() {
        if (!daemon_) daemon_.emplace(io, node.cluster(), writers_.kernel, nullptr, pace_, told);
        return *daemon_;
    }
    void run() {
        bool ended = false;
        asio::co_spawn(io, daemon().run(), [&](const std::exception_ptr& error) {
            ended = error == nullptr;
            if (on_ended) on_ended();
        });
        daemon().inputs_complete();
        io.run_for(20s);
        REQUIRE(ended);
        REQUIRE(io.stopped()); // and left nothing behind
    }
    /// On the loop's thread, from another one; waits for its end.
    void there(const std::function<void()>& act) {
        std::promise<void> done;
        asio::post(io, [&] {
            act();
            done.set_value();
        });
        done.get_future().wait();
    }
    /// From the reading thread: has something written, and waits until that is settled.
    /// @return false when it was not within that time
    bool written(const std::function<void()>& change, std::chrono::milliseconds patience = 10s) {
        // Shared: what comes too late finds its promise still there.
        const auto settled = std::make_shared<std::promise<void>>();
        auto future = settled->get_future();
        asio::post(io, [this, change, settled] {
            const auto before = told.reports.size();
            told.on_settled = [this, settled, before] {
                if (told.reports.size() != before + 1) return;
                settled->set_value();
            };
            change();
            daemon().ring();
        });
        return future.wait_for(patience) == std::future_status::ready;
    }
    void after_the_filling(std::function<void(Part)> act) {
        after_read = [this, act = std::move(act)](Part part) {
            if (filled_) act(part);
        };
    }
    Sharing sharing{node.tables};

private:
    Pace pace_;
    std::atomic<bool> filled_{};
    SharedDoors writers_{sharing, {}};
    SharedDoors readers_{sharing, [this](Part part) {
                             if (after_read) after_read(part);
                         }};
    std::optional<Daemon> daemon_;
};

/// What is written to the part under way, a new object each time.
void change(PaperNode& node, Part part, int number) {
    if (part == Part::destinations)
        node.put(service("web", "10.96.0.10", {port(80), port(81)}),
                 "R.1 R." + std::to_string(number + 10));
    else
        node.put(service("more" + std::to_string(number), "10.96.1." + std::to_string(number)),
                 "R.1");
}

} // namespace

TEST_CASE("a change is written while a portion of the audit is still being read", "[sync]") {
    Loop loop;
    bool first = true, was_written = false;
    loop.after_the_filling([&](Part part) {
        if (part != Part::services || !std::exchange(first, false)) return;
        was_written = loop.written([&] { change(loop.node, Part::destinations, 1); });
        asio::post(loop.io, [&] { loop.daemon().stop(); });
    });
    loop.run();
    CHECK(was_written);
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("what was written to while it was looked at is not believed, but read again", "[sync]") {
    const auto crossed = GENERATE(Part::device, Part::services, Part::destinations);
    CAPTURE(name(crossed));
    Loop loop;
    std::size_t looks = 0;
    bool was_written = false;
    loop.after_the_filling([&](Part part) {
        if (part != crossed || loop.told.audits > 0 || ++looks > 1) return;
        was_written = loop.written([&] { change(loop.node, crossed, 1); });
    });
    loop.told.on_audited = [&] { loop.daemon().stop(); };
    loop.run();
    CHECK(was_written);
    CHECK(looks == 2);
    CHECK(loop.told.drifts.empty()); // which the first sight would have been
    for (const auto& report : loop.told.reports)
        CHECK(report.clean());
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("a sight that the writes did not touch is believed at once", "[sync]") {
    Loop loop;
    std::size_t looks = 0;
    bool was_written = false;
    loop.after_the_filling([&](Part part) {
        if (part != Part::services || loop.told.audits > 0 || ++looks > 1) return;
        was_written = loop.written([&] { change(loop.node, Part::destinations, 1); });
    });
    loop.told.on_audited = [&] { loop.daemon().stop(); };
    loop.run();
    CHECK(was_written);
    CHECK(looks == 1);
}

TEST_CASE("drift that is seen beside a write is healed", "[sync]") {
    Loop loop;
    const auto lost = plan::key("10.96.0.10:81/TCP");
    bool first = true;
    loop.after_the_filling([&](Part /*part*/) {
        if (!std::exchange(first, false)) return;
        loop.sharing.alone([&] { loop.node.tables.ipvs.drop(lost); });
    });
    loop.told.on_audited = [&] {
        if (loop.told.reports.size() > 1) loop.daemon().stop();
    };
    loop.run();
    CHECK(loop.told.drifts == std::vector{Part::services});
    CHECK(loop.node.tables.text() == loop.node.wanted());
}

TEST_CASE("writes at every look do not keep the audit from its end: then it reads alone",
          "[sync]") {
    Loop loop;
    int looks = 0, alone = 0;
    loop.after_the_filling([&](Part part) {
        if (part != Part::services || loop.told.audits > 0) return;
        ++looks;
        if (!loop.written([&] { change(loop.node, Part::services, looks); }, 200ms)) ++alone;
    });
    loop.told.on_audited = [&] { loop.daemon().stop(); };
    loop.run();
    CHECK(looks == 3);
    CHECK(alone == 1); // the change came after the look
    CHECK(loop.told.drifts.empty());
    for (const auto& report : loop.told.reports)
        CHECK(report.clean());
}

TEST_CASE("the end comes after the look that is under way", "[sync]") {
    Loop loop;
    bool let_go = false, ended_too_soon = false;
    std::latch go{1};
    bool first = true;
    loop.after_the_filling([&](Part /*part*/) {
        if (!std::exchange(first, false)) return;
        loop.there([&] { loop.daemon().stop(); });
        std::this_thread::sleep_for(20ms); // in which it could end
        asio::post(loop.io, [&] {
            let_go = true;
            go.count_down();
        });
        go.wait();
    });
    loop.on_ended = [&] { ended_too_soon = !let_go; };
    loop.run();
    CHECK_FALSE(first);
    CHECK_FALSE(ended_too_soon);
}

TEST_CASE("a portion that cannot be read beside the writes is named, and read again", "[sync]") {
    Loop loop;
    std::size_t looks = 0;
    loop.after_the_filling([&](Part part) {
        if (part != Part::services) return;
        if (++looks == 1)
            throw std::system_error{std::make_error_code(std::errc::io_error), "services"};
        asio::post(loop.io, [&] { loop.daemon().stop(); });
    });
    loop.run();
    REQUIRE(loop.told.unread.size() == 1);
    CHECK(loop.told.unread[0].first == Part::services);
    CHECK(loop.told.unread[0].second.find("services") != std::string::npos);
    CHECK(looks == 2);
}

TEST_CASE("while the node is adopted nothing is written beside", "[sync]") {
    Loop loop;
    std::set<Part> read;
    loop.after_read = [&](Part part) {
        read.insert(part);
        std::this_thread::sleep_for(5ms);
        loop.there([&] {
            if (loop.told.reports.empty()) CHECK(loop.node.tables.writes() == 0);
        });
    };
    loop.told.on_settled = [&] { loop.daemon().stop(); };
    loop.run();
    CHECK(read == std::set{Part::device, Part::services, Part::destinations});
}

TEST_CASE("which portions a round touches", "[sync]") {
    const auto low = plan::key("10.96.0.10:80/TCP"), high = plan::key("10.96.0.20:80/TCP");
    const auto middle = plan::key("10.96.0.15:80/TCP");
    const Portion below{.part = Part::destinations, .last = middle};
    const Portion above{.part = Part::destinations, .first = middle};
    const Portion services{.part = Part::services}, device{.part = Part::device};
    const Portion sets{.part = Part::sets, .family = Family::v4};
    const Portion other_sets{.part = Part::sets, .family = Family::v6};
    const Portion rules{.part = Part::rules, .family = Family::v4};
    const std::vector all{below, above, services, device, sets, other_sets, rules};
    const auto touched = [&](const plan::NodeChanges& changes) {
        std::vector<bool> each;
        for (const auto& portion : all)
            each.push_back(touches(changes, portion));
        return each;
    };
    using Touched = std::vector<bool>;
    plan::NodeChanges changes;
    CHECK(touched(changes) == Touched(7));
    SECTION("a real server") {
        changes.ipvs.destinations.update.try_emplace({low, plan::ip("10.244.0.1"), Port{80}});
        CHECK(touched(changes) == Touched{true, false, false, false, false, false, false});
    }
    SECTION("one that goes") {
        changes.ipvs.destinations.remove.insert({middle, plan::ip("10.244.0.1"), Port{80}});
        CHECK(touched(changes) == Touched{false, true, false, false, false, false, false});
    }
    SECTION("a virtual server") {
        changes.ipvs.services.add.try_emplace(high);
        CHECK(touched(changes) == Touched{false, true, true, false, false, false, false});
    }
    SECTION("an address") {
        changes.addresses.remove.insert({plan::ip("10.96.0.10"), 32});
        CHECK(touched(changes) == Touched{false, false, false, true, false, false, false});
    }
    SECTION("the device") {
        (GENERATE(true, false) ? changes.create_device : changes.destroy_device) = true;
        CHECK(touched(changes) == Touched{false, false, false, true, false, false, false});
    }
    SECTION("entries of a set") {
        changes.sets.sets["KUBE-CLUSTER-IP"];
        CHECK(touched(changes) == Touched{false, false, false, false, true, false, false});
    }
    SECTION("a set that goes") {
        changes.sets.destroy.insert("KUBE-6-CLUSTER-IP");
        CHECK(touched(changes) == Touched{false, false, false, false, false, true, false});
    }
    SECTION("rules") {
        changes.rules.v4.replace[{iptables::TableName::nat, "KUBE-SERVICES"}];
        CHECK(touched(changes) == Touched{false, false, false, false, false, false, true});
    }
}

TEST_CASE("a later reading of the same part crosses a look, one of another does not", "[sync]") {
    PaperTables tables;
    asio::io_context io{1};
    asio::thread_pool lane{1};
    Bell bell{io.get_executor()};
    Lookout lookout{io, lane, bell};
    const auto learnt = GENERATE(Part::device, Part::services);
    lookout.begin(tables.kernel, {.part = Part::device});
    CHECK(lookout.busy());
    CHECK_FALSE(lookout.take());
    io.run();
    CHECK_FALSE(lookout.reading());
    lookout.cross(learnt); // it has ended, but was not taken up
    const auto seen = lookout.take();
    REQUIRE(seen);
    CHECK(seen->sight);
    CHECK(seen->crossed == (learnt == Part::device));
    CHECK_FALSE(lookout.busy());
}
