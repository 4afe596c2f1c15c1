#include "ipset/kernel_table.h"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "tests/ipset/table_contract.h"
#include "tests/kernel/namespace.h"

namespace ipvsproxy::ipset::test {
namespace {

using kernel_test::Namespace;

/// Runs a command of the ipset or iptables tools. Both are others' programs: what they say of our
/// sets, and what they make, is no work of ours.
std::string run(const std::string& command) {
    INFO(command);
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen((command + " 2>&1").c_str(), "r"),
                                                     ::pclose};
    REQUIRE(pipe);
    std::string output;
    std::array<char, 4096> part{};
    while (const auto size = std::fread(part.data(), 1, part.size(), pipe.get()))
        output.append(part.data(), size);
    return output;
}

void quietly(const std::string& command) {
    REQUIRE(run(command).empty());
}

Bench bench_of(KernelTable& table) {
    return {table,
            [](const std::string& set) {
                quietly("ipset create users list:set");
                quietly("ipset add users " + set);
            },
            [](const std::string& set) { quietly("ipset create " + set + " list:set"); }};
}

/// The set that names others in bench_of() is no matter of the contract.
class Tested final : public Table {
public:
    SetHeaders headers() override {
        auto all = kernel.headers();
        all.erase("users");
        return all;
    }
    std::optional<Entries> entries(const std::string& name) override {
        return kernel.entries(name);
    }
    Outcome apply(const TableChanges& changes) override { return kernel.apply(changes); }

    KernelTable kernel;
};

TEST_CASE("KernelTable keeps every kind of set", "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    for (const auto& spec : all_specs())
        keeps_every_kind_of_set(table, spec);
}

TEST_CASE("KernelTable keeps the rules of entries", "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    keeps_entry_rules(table);
}

TEST_CASE("KernelTable keeps the rules of missing and foreign sets", "[ipset][.kernel]") {
    const Namespace own;
    Tested table;
    auto bench = bench_of(table.kernel);
    keeps_missing_and_foreign_rules({table, bench.use, bench.foreign});
}

TEST_CASE("KernelTable keeps the rules of creation", "[ipset][.kernel]") {
    const Namespace own;
    Tested table;
    auto bench = bench_of(table.kernel);
    keeps_creation_rules({table, bench.use, bench.foreign});
}

TEST_CASE("P-193 the kernel's entries become what is wanted, whatever they were",
          "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    reaches_what_is_wanted(table);
}

TEST_CASE("P-191 sets are created with kube-proxy's options, and its command may create them again",
          "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    const SetSpec spec;
    REQUIRE(table.apply(create("KUBE-CLUSTER-IP", spec)).clean());
    CHECK(run("ipset save KUBE-CLUSTER-IP")
              .starts_with("create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem "
                           "65536 "));
    const SetSpec ports{.type = Type::bitmap_port};
    REQUIRE(table.apply(create("KUBE-NODE-PORT-TCP", ports)).clean());
    CHECK(run("ipset save KUBE-NODE-PORT-TCP") ==
          "create KUBE-NODE-PORT-TCP bitmap:port range 0-65535\n");
    CHECK(table.apply(create("KUBE-CLUSTER-IP", spec)).clean());
    Session session;
    CHECK(session.create("KUBE-CLUSTER-IP", spec, 1024) == std::errc::file_exists);
    quietly("ipset create -exist KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem "
            "65536");
    quietly("ipset create -exist KUBE-NODE-PORT-TCP bitmap:port range 0-65535");
}

TEST_CASE("P-192 the ipset command prints entries as we do, and a host network without /32",
          "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    const auto spec = GENERATE(from_range(all_specs()));
    const auto list = entries(spec, 4, 9);
    REQUIRE(table.apply(create("set", spec, list)).clean());
    const auto printed = run("ipset save set");
    for (const auto& each : list) {
        INFO(printed);
        CHECK(printed.find("add set " + text(spec.type, each) + '\n') != std::string::npos);
    }
}

TEST_CASE("50,000 entries are written and read in few messages", "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    const SetSpec spec{.type = Type::hash_ip_port_ip, .family = GENERATE(Family::v4, Family::v6)};
    const auto list = entries(spec, 50000);
    REQUIRE(table.apply(create("set", spec, list)).clean());
    const auto written = table.counters();
    CHECK(written.messages < 90);
    CHECK(written.sends < 50);
    CHECK(table.entries("set") == as_set(list));
    CHECK(table.counters().messages == written.messages + 1);
    CHECK(table.counters().receives < written.receives + 400);
    CHECK(run("ipset list -t set").find("hashsize 32768 maxelem 65536") != std::string::npos);

    CHECK(table.apply(change("set", {.spec = spec, .add = {entry(spec, 50001)}})).clean());
    CHECK(table.counters().messages == written.messages + 2);
    CHECK(table.counters().bytes < written.bytes + 300);
}

TEST_CASE("thousands of entries that do not fit cost a message each, not more",
          "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    const SetSpec spec{.max_entries = 1000};
    const auto list = entries(spec, 6000);
    const auto outcome = table.apply(create("set", spec, list));
    REQUIRE(outcome.unknown.empty());
    // The kernel counts by regions of the hash, so it may let in a few more.
    const auto held = table.entries("set").value();
    CHECK(held.size() >= 1000);
    CHECK(held.size() < 1200);
    Entries refused;
    for (const auto& [subject, error] : outcome.refused) {
        REQUIRE(error == Error::full);
        refused.insert(subject.entry.value());
    }
    CHECK(refused.size() == outcome.refused.size());
    Entries either = held;
    for (const auto& entry : refused)
        CHECK(either.insert(entry)); // none is both
    CHECK(either == as_set(list));
    CHECK(table.counters().messages < 5100);
}

TEST_CASE("answers that overran the socket make the outcome unknown, never a success",
          "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table{{.receive_buffer_bytes = 8192}};
    const SetSpec spec{.max_entries = 10};
    REQUIRE(table.apply(create("set", spec)).clean());
    const auto outcome = table.apply(change("set", {.spec = spec, .add = entries(spec, 4000)}));
    CHECK(outcome.unknown == std::set<std::string>{"set"});
    KernelTable ample;
    CHECK(ample.entries("set") == as_set(entries(spec, 10)));
}

TEST_CASE("a set with options of its own is rebuilt without them, its entries kept",
          "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    quietly(std::string{"ipset create set hash:ip,port "} +
            GENERATE("timeout 3600", "counters", "comment", "skbinfo", "forceadd"));
    quietly("ipset add set 10.0.0.1,tcp:80");
    CHECK(table.headers().at("set").spec == std::nullopt);
    const SetSpec spec;
    REQUIRE(table.apply(create("set", spec, {entry(spec, 5)})).clean());
    CHECK(table.headers().at("set") == SetHeader{spec, 2});
    const Entry kept{.address = *Address::parse("10.0.0.1"), .port = {80}};
    CHECK(table.entries("set") == Entries{kept, entry(spec, 5)});
}

TEST_CASE("entries of protocols that are not ours are read, so that they can be removed",
          "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    const SetSpec spec;
    REQUIRE(table.apply(create("set", spec)).clean());
    quietly("ipset add set 10.0.0.1,icmp:ping");
    quietly("ipset add set 10.0.0.1,udplite:80");
    const auto strange = table.entries("set");
    REQUIRE(strange->size() == 2);
    CHECK(table.apply(change("set", {.spec = spec, .remove = {strange->begin(), strange->end()}}))
              .clean());
    CHECK(table.entries("set") == Entries{});
}

TEST_CASE("what a crash left of a rebuild is hidden, then gone", "[ipset][.kernel]") {
    const Namespace own;
    const SetSpec small{.max_entries = 8};
    const SetSpec large{.max_entries = 64};
    Session crashed;
    REQUIRE_FALSE(crashed.create("set", small, 1024));
    REQUIRE_FALSE(crashed.create(temporary_name("set"), {.type = Type::hash_ip}, 1024));
    KernelTable table;
    SECTION("by the next rebuild of the same set") {
        CHECK(table.apply(create("set", large, entries(large, 20))).clean());
    }
    SECTION("by the first changes, where others do the reading") {
        CHECK(table.apply(create("other", small)).clean());
    }
    SECTION("by the first changes after it was met") {
        CHECK(table.headers() == SetHeaders{{"set", {small, 0}}});
        CHECK(table.apply(create("other", small)).clean());
    }
    CHECK_FALSE(crashed.headers().contains(temporary_name("set")));
    CHECK(crashed.headers().contains("set"));
}

/// Sends packets to one address and port from a thread of its own and counts what a rule lets pass.
class Probe {
public:
    explicit Probe(const Entry& entry) : thread_{[this, entry] { send(entry); }} {}
    ~Probe() { stop(); }
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;
    Probe(Probe&&) = delete;
    Probe& operator=(Probe&&) = delete;
    void stop() {
        running_ = false;
        if (thread_.joinable()) thread_.join();
    }
    int stopped_by_rule() const { return stopped_by_rule_; }
    int passed() const { return passed_; }

private:
    void send(const Entry& entry) {
        const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(entry.port.value);
        std::memcpy(&to.sin_addr, entry.address.bytes().data(), 4);
        while (running_) {
            const auto sent =
                ::sendto(socket, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
            ++(sent < 0 && errno == EPERM ? stopped_by_rule_ : passed_);
            std::this_thread::yield();
        }
        ::close(socket);
    }

    std::atomic<bool> running_{true};
    std::atomic<int> stopped_by_rule_{}, passed_{};
    std::thread thread_;
};

TEST_CASE("a set that a rule names grows beyond 65,536 and the rule never misses an entry",
          "[ipset][.kernel]") {
    const Namespace own;
    KernelTable table;
    const SetSpec spec;
    auto list = entries(spec, default_max_entries - 1);
    const Entry probed{
        .address = *Address::parse("127.0.0.9"), .protocol = Protocol::udp, .port = {9}};
    list.push_back(probed);
    REQUIRE(table.apply(create("KUBE-CLUSTER-IP", spec, list)).clean());
    const std::string iptables{
        "XTABLES_LOCKFILE=${TMPDIR:-/tmp}/ipset-test.lock iptables-legacy -w "};
    quietly(iptables + "-A OUTPUT -m set --match-set KUBE-CLUSTER-IP dst,dst -j DROP");

    const SetSpec larger{.max_entries = 131072};
    const auto more = entries(spec, 10, 100000);
    Probe probe{probed};
    while (probe.stopped_by_rule() + probe.passed() < 50)
        std::this_thread::yield();
    const int before = probe.stopped_by_rule();
    REQUIRE(table.apply(create("KUBE-CLUSTER-IP", larger, more)).clean());
    const int after = probe.stopped_by_rule();
    while (probe.stopped_by_rule() + probe.passed() < after + 50)
        std::this_thread::yield();
    probe.stop();
    CHECK(probe.passed() == 0);
    CHECK(after > before);
    list.insert(list.end(), more.begin(), more.end());
    const auto count = static_cast<std::uint32_t>(list.size());
    CHECK(table.headers() == SetHeaders{{"KUBE-CLUSTER-IP", {larger, count}}});
    CHECK(table.entries("KUBE-CLUSTER-IP") == as_set(list));
    CHECK(table.apply(change("KUBE-CLUSTER-IP", {.spec = larger, .remove = {probed}})).clean());
    Probe removed{probed};
    while (removed.stopped_by_rule() + removed.passed() < 10)
        std::this_thread::yield();
    removed.stop();
    CHECK(removed.stopped_by_rule() == 0); // the rule looks at the set that is ours now
}

} // namespace
} // namespace ipvsproxy::ipset::test
