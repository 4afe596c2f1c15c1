#include "netlink/kernel_socket.h"

#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

#include <chrono>
#include <set>

// Reading requests only: they need no privilege and change nothing, so they run on any machine.

using namespace ipvsproxy::netlink;

namespace {

constexpr int missing = 0x7ffffffe; // an interface index nobody has

void ask_link(Messages& messages, int index) {
    messages.begin(RTM_GETLINK, 0,
                   ifinfomsg{.ifi_family = AF_UNSPEC,
                             .__ifi_pad = 0,
                             .ifi_type = 0,
                             .ifi_index = index,
                             .ifi_flags = 0,
                             .ifi_change = 0});
    messages.finish();
}

Messages link_request(int index) {
    Messages messages;
    ask_link(messages, index);
    return messages;
}

std::set<std::string> dump_names(Socket& socket) {
    std::set<std::string> names;
    Messages request = link_request(0);
    socket.steady_dump(
        request, [&] { names.clear(); },
        [&](const Message& message) {
            names.emplace(message.attributes<ifinfomsg>().string(IFLA_IFNAME).value_or("?"));
        });
    return names;
}

} // namespace

TEST_CASE("a dump gives every answer up to its end") {
    Socket socket{NETLINK_ROUTE};
    CHECK(dump_names(socket).contains("lo"));
    CHECK(dump_names(socket).contains("lo")); // the socket is free for the next one
}

TEST_CASE("a small dump costs one send and few receives") {
    Socket socket{NETLINK_ROUTE};
    dump_names(socket);
    CHECK(socket.counters().messages == 1);
    CHECK(socket.counters().bytes == 32);
    CHECK(socket.counters().sends == 1);
    CHECK(socket.counters().receives <= 2);
}

TEST_CASE("a dump that is refused throws the kernel's errno") {
    Socket socket{NETLINK_GENERIC};
    Messages request;
    request.begin(0x7ff, 0, genlmsghdr{.cmd = 1, .version = 1, .reserved = 0}); // no such family
    request.finish();
    try {
        socket.dump(request, [](const Message&) { FAIL("was answered"); });
        FAIL("was not refused");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::no_such_file_or_directory);
    }
}

TEST_CASE("a handler that throws ends the dump and leaves the socket usable") {
    Socket socket{NETLINK_ROUTE};
    Messages request = link_request(0);
    CHECK_THROWS_AS(socket.dump(request, [](const Message&) { throw std::runtime_error("no"); }),
                    std::runtime_error);
    CHECK(dump_names(socket).contains("lo"));
}

TEST_CASE("a request gives its data and its errno") {
    Socket socket{NETLINK_ROUTE};
    Messages loopback = link_request(1);
    std::string name;
    CHECK_FALSE(socket.request(loopback, [&](const Message& message) {
        name = message.attributes<ifinfomsg>().string(IFLA_IFNAME).value_or("?");
    }));
    CHECK(name == "lo");
    Messages nobody = link_request(missing);
    CHECK(socket.request(nobody) == std::errc::no_such_device);
}

TEST_CASE("a batch names each refused message and no other") {
    Socket socket{NETLINK_ROUTE, {.send_limit_bytes = 100}}; // three messages a send
    Messages batch;
    for (int i = 0; i < 10; ++i)
        ask_link(batch, i == 2 || i == 3 || i == 9 ? missing : 1);
    for (int round = 0; round < 2; ++round) { // the buffer can be sent again
        const BatchOutcome outcome = socket.batch(batch);
        CHECK_FALSE(outcome.unknown);
        REQUIRE(outcome.failures.size() == 3);
        CHECK(outcome.failures[0].index == 2);
        CHECK(outcome.failures[1].index == 3);
        CHECK(outcome.failures[2].index == 9);
        for (const Failure& failure : outcome.failures) {
            CHECK(failure.error == std::errc::no_such_device);
            CHECK(failure.request.size() >= sizeof(nlmsghdr));
        }
    }
    CHECK(socket.counters().sends == 8);
    CHECK(socket.counters().messages == 20);
}

TEST_CASE("an empty batch sends nothing") {
    Socket socket{NETLINK_ROUTE};
    Messages batch;
    CHECK(socket.batch(batch).clean());
    CHECK(socket.counters().sends == 0);
}

TEST_CASE("a batch whose answers overrun the receive buffer is unknown and does not hang") {
    Socket socket{NETLINK_ROUTE, {.receive_buffer_bytes = 4096}};
    Messages batch;
    for (int i = 0; i < 2000; ++i)
        ask_link(batch, missing);
    const auto start = std::chrono::steady_clock::now();
    const BatchOutcome outcome = socket.batch(batch);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{5});
    CHECK(outcome.unknown);
    CHECK(outcome.failures.size() < 2000);
    CHECK_FALSE(outcome.failures.empty());    // those that did fit are known
    CHECK(dump_names(socket).contains("lo")); // nothing is left over for the next question
    Messages one = link_request(missing);
    const BatchOutcome next = socket.batch(one);
    CHECK_FALSE(next.unknown);
    CHECK(next.failures.size() == 1);
}

TEST_CASE("a send larger than the kernel takes is refused whole, message by message") {
    Socket socket{NETLINK_ROUTE, {.send_buffer_bytes = 4096, .send_limit_bytes = 64 << 10}};
    Messages batch;
    for (int i = 0; i < 2000; ++i)
        ask_link(batch, 1);
    const BatchOutcome outcome = socket.batch(batch);
    REQUIRE(outcome.failures.size() == 2000);
    CHECK(outcome.failures.front().error == std::errc::message_size);
    CHECK(outcome.failures.back().index == 1999);
}

TEST_CASE("generic netlink families are found by name") {
    Socket socket{NETLINK_GENERIC};
    CHECK(socket.resolve_family("nlctrl") == GENL_ID_CTRL);
    CHECK_FALSE(socket.resolve_family("no such family"));
}

TEST_CASE("a protocol the kernel does not have is an error") {
    CHECK_THROWS_AS(Socket{31}, std::system_error);
}

TEST_CASE("draining does not wait") {
    Socket socket{NETLINK_ROUTE};
    socket.join({RTNLGRP_LINK});
    CHECK(socket.drain([](const Message&) {}));
}
