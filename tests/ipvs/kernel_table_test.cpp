#include "ipvs/kernel_table.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "ipvs/probe.h"
#include "tests/ipvs/table_contract.h"
#include "tests/kernel/namespace.h"

namespace ipvsproxy::ipvs {
namespace {

using kernel_test::Namespace;

Address numbered(std::string_view base, std::uint32_t number) {
    const Address start = *Address::parse(base);
    std::vector<std::uint8_t> bytes(start.bytes().begin(), start.bytes().end());
    for (auto byte = bytes.rbegin(); number != 0; ++byte, number >>= 8U)
        *byte = static_cast<std::uint8_t>(*byte + (number & 0xffU));
    return *Address::from_bytes(bytes);
}

struct Wanted {
    Services services;
    Destinations destinations;
};

/// `v6_share` of 100 virtual servers are IPv6.
Wanted many(std::uint32_t services, std::uint16_t real_servers, std::uint32_t v6_share) {
    Wanted wanted;
    for (std::uint32_t i = 0; i < services; ++i) {
        const bool v6 = i % 100 < v6_share;
        const ServiceKey key{numbered(v6 ? "2001:db8:96::" : "10.96.0.0", i + 1), Port{80},
                             Protocol::tcp};
        wanted.services[key] = plain(key);
        const Address pod = numbered(v6 ? "2001:db8:244::" : "10.244.0.0", i + 1);
        for (std::uint16_t port = 1; port <= real_servers; ++port)
            wanted.destinations[{key, pod, Port{port}}] = {};
    }
    return wanted;
}

std::vector<ServiceKey> keys_of(const Services& services) {
    std::vector<ServiceKey> keys;
    for (const auto& [key, spec] : services)
        keys.push_back(key);
    return keys;
}

TEST_CASE("P-030 P-160 P-161 P-165 P-183 KernelTable keeps the table contract", "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable table;
    contract::keeps_contract(table);
}

TEST_CASE("KernelTable sees the namespace of the thread that made it", "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable outside;
    const ServiceKey key = service("10.96.0.10");
    REQUIRE(outside.apply(adding({{key, plain(key)}})).clean());
    bool empty = false;
    bool written = false;
    std::thread{[&] {
        const Namespace inner;
        KernelTable inside;
        empty = inside.services().empty();
        const ServiceKey other = service("10.96.0.11");
        written = inside.apply(adding({{other, plain(other)}})).clean();
    }}.join();
    CHECK(empty);
    CHECK(written);
    CHECK(outside.services() == Services{{key, plain(key)}});
}

TEST_CASE("virtual servers known by a firewall mark are neither seen nor in the way",
          "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable table;
    REQUIRE(std::system("ipvsadm -A -f 7 -s rr && ipvsadm -a -f 7 -r 10.244.0.1") == 0);
    CHECK(table.services().empty());
    const ServiceKey key = service("10.96.0.10");
    REQUIRE(
        table.apply(adding({{key, plain(key)}}, {{destination(key, "10.244.0.1"), {}}})).clean());
    CHECK(all_destinations(table).specs.size() == 1);
    CHECK(std::system("ipvsadm -Sn | grep -q -- '-f 7 -r 10.244.0.1:0'") == 0);
}

TEST_CASE("ipvsadm reads what KernelTable wrote, attribute by attribute", "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable table;
    const ServiceKey key = service("10.96.0.11");
    REQUIRE(table
                .apply(adding({{key,
                                {.scheduler = "mh",
                                 .flags = flag_persistent | flag_scheduler_2,
                                 .timeout_seconds = 10800,
                                 .persistence_prefix = 24}}},
                              {{destination(key, "10.244.0.1"),
                                {.forward = Forward::masquerade,
                                 .weight = 3,
                                 .upper_threshold = 9,
                                 .lower_threshold = 2}}}))
                .clean());
    CHECK(std::system("test \"$(ipvsadm -Sn)\" = '-A -t 10.96.0.11:80 -s mh -p 10800 -M "
                      "255.255.255.0 -b mh-port\n"
                      "-a -t 10.96.0.11:80 -r 10.244.0.1:8080 -m -w 3'") == 0);
    CHECK(std::system("ipvsadm -Ln --thresholds | grep -Eq '10.244.0.1:8080 +9 +2 '") == 0);
}

TEST_CASE("P-200 the probe finds the kernel's schedulers and leaves no trace", "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable table;
    for (const auto* const scheduler : {"", "mh", "wlc"})
        CHECK_NOTHROW(probe(table, scheduler));
    CHECK_THROWS_WITH(probe(table, "nonsense"), Catch::Contains("modprobe ip_vs_nonsense"));
    CHECK(table.services().empty());
}

TEST_CASE("10,000 virtual servers with 50,000 real servers cost few system calls",
          "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable table;
    const Wanted wanted = many(10'000, 5, 0);
    REQUIRE(table.apply(adding(wanted.services, wanted.destinations)).clean());
    // Batches of 128 KiB: one send and one receive each.
    CHECK(table.counters().messages < 60'010);
    CHECK(table.counters().system_calls < 300);

    const auto before = table.counters().system_calls;
    CHECK(table.services() == wanted.services);
    const auto after_services = table.counters().system_calls;
    CHECK(after_services - before < 300);
    CHECK(table.destinations(keys_of(wanted.services)).specs == wanted.destinations);
    CHECK(table.counters().system_calls - after_services < 10'100);
}

TEST_CASE("an IPv6 virtual server costs two or three system calls to read", "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable table;
    const Wanted wanted = many(400, 3, 50);
    REQUIRE(table.apply(adding(wanted.services, wanted.destinations)).clean());
    const auto before = table.counters().system_calls;
    CHECK(table.destinations(keys_of(wanted.services)).specs == wanted.destinations);
    CHECK(table.counters().system_calls - before <= 200 * 3 + 200 + 2);
}

TEST_CASE("reading a few of many virtual servers does not read them all", "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable table;
    const Wanted wanted = many(500, 2, 0);
    REQUIRE(table.apply(adding(wanted.services, wanted.destinations)).clean());
    const auto before = table.counters().system_calls;
    CHECK(table.destinations(std::vector{wanted.services.begin()->first}).specs.size() == 2);
    CHECK(table.counters().system_calls - before == 2);
}

TEST_CASE("once the virtual servers were read, reading one is one system call until it changes",
          "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable table;
    const Wanted wanted = many(500, 2, 0);
    REQUIRE(table.apply(adding(wanted.services, wanted.destinations)).clean());
    table.services();
    const auto key = std::next(wanted.services.begin(), 7)->first;
    const auto calls = [&](std::size_t expected_servers) {
        const auto before = table.counters().system_calls;
        CHECK(table.destinations(std::vector{key}).specs.size() == expected_servers);
        return table.counters().system_calls - before;
    };
    CHECK(calls(2) == 1);
    KernelTable other;
    const auto more = destination(key, "10.244.9.9");
    REQUIRE(other.apply(adding({}, {{more, {}}})).clean());
    CHECK(calls(3) == 3); // another number than was counted
    CHECK(calls(3) == 1);
    CHECK(table.look_up(std::vector{more}).specs.size() == 1);
    REQUIRE(other.apply(removing({}, {more})).clean());
    CHECK(calls(2) == 3);
    REQUIRE(other.apply(removing({key}, {})).clean());
    CHECK(calls(0) == 1);
    REQUIRE(other.apply(adding({{key, plain(key)}}, {{more, {}}})).clean());
    CHECK(calls(1) == 3);
}

TEST_CASE("when answers are lost the outcome is unknown, and the table goes on",
          "[ipvs][.kernel]") {
    const Namespace own;
    KernelTable::Options options;
    options.socket.receive_buffer_bytes = 4096;
    KernelTable table{options};
    const Wanted wanted = many(2'000, 1, 50);
    Outcome outcome = table.apply(adding({}, wanted.destinations)); // ESRCH, each of them
    CHECK(outcome.unknown);
    CHECK(outcome.destinations.size() < 2'000);
    CHECK(table.services().empty());
    outcome = table.apply(adding(wanted.services, wanted.destinations));
    CHECK(outcome.clean());
    CHECK(table.services() == wanted.services);
    CHECK(all_destinations(table).specs == wanted.destinations);
}

/// Fills and empties the table until it is killed.
[[noreturn]] void write_forever(const Wanted& wanted) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // should the test itself end early
    KernelTable::Options options;
    options.socket.send_limit_bytes = 4096;
    KernelTable table{options};
    for (;;) {
        table.apply(adding(wanted.services, wanted.destinations));
        const auto keys = keys_of(wanted.services);
        table.apply(removing({keys.begin(), keys.end()}));
    }
}

TEST_CASE("a writer killed at any moment leaves what the next one completes", "[ipvs][.kernel]") {
    const Namespace own;
    const Wanted wanted = many(1'000, 3, 20);
    KernelTable table;
    const pid_t writer = ::fork();
    if (writer == 0) write_forever(wanted);
    REQUIRE(writer > 0);
    while (table.services().empty())
        std::this_thread::yield();
    REQUIRE(::kill(writer, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(writer, &status, 0) == writer);
    REQUIRE(WIFSIGNALED(status));

    const TableChanges missing{.services = diff(table.services(), wanted.services),
                               .destinations =
                                   diff(all_destinations(table).specs, wanted.destinations)};
    CHECK(table.apply(missing).clean());
    CHECK(table.services() == wanted.services);
    CHECK(all_destinations(table).specs == wanted.destinations);
}

} // namespace
} // namespace ipvsproxy::ipvs
