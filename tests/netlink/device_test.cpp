#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <chrono>
#include <cstring>
#include <iterator>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include <catch2/catch.hpp>

#include "netlink/handle.h"
#include "netlink/kernel_device.h"
#include "netlink/memory_device.h"
#include "tests/kernel/namespace.h"
#include "tests/kernel/process.h"
#include "tests/netlink/device_contract.h"

using namespace ipvsproxy;
using namespace ipvsproxy::tests;

namespace {

const std::string vip_device = "kube-ipvs0";

Address address(const char* text) {
    return *Address::parse(text);
}

/// Makes a dummy link of this name with these addresses.
void make_link(const std::string& name, const DeviceAddresses& addresses) {
    KernelDevice link{name};
    link.create();
    REQUIRE(link.apply({.add = addresses}).clean());
}

std::vector<InterfaceAddress> elsewhere() {
    return KernelDevice{vip_device}.snapshot().elsewhere;
}

/// A socket address with any port, for bind().
std::pair<sockaddr_storage, socklen_t> socket_address(const Address& value) {
    sockaddr_storage storage{};
    if (value.family() == Family::v4) {
        sockaddr_in own{};
        own.sin_family = AF_INET;
        std::memcpy(&own.sin_addr, value.bytes().data(), 4);
        std::memcpy(&storage, &own, sizeof own);
        return {storage, sizeof own};
    }
    sockaddr_in6 own{};
    own.sin6_family = AF_INET6;
    std::memcpy(&own.sin6_addr, value.bytes().data(), 16);
    std::memcpy(&storage, &own, sizeof own);
    return {storage, sizeof own};
}

/// Whether a datagram sent to a server on this address reaches it; false too when the address
/// cannot be bound.
bool takes_packets(const Address& value) {
    auto [storage, length] = socket_address(value);
    auto* const raw = reinterpret_cast<sockaddr*>(&storage);
    const FileDescriptor server{::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const FileDescriptor client{::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (bind(server.get(), raw, length) != 0 || getsockname(server.get(), raw, &length) != 0)
        return false;
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (sendto(client.get(), "x", 1, 0, raw, length) != 1) return false;
    char letter{};
    return recv(server.get(), &letter, 1, 0) == 1 && letter == 'x';
}

/// The kernel puts a new IPv6 address to work a little after it has answered.
bool soon_takes_packets(const Address& value) {
    for (int i = 0; i < 200; ++i) {
        if (takes_packets(value)) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
}

} // namespace

TEST_CASE("the device in memory keeps the contract") {
    const Family family = GENERATE(Family::v4, Family::v6);
    MemoryDevice device;
    device_keeps_contract(device, family);
}

TEST_CASE("the kernel's device keeps the contract", "[.kernel]") {
    const Family family = GENERATE(Family::v4, Family::v6);
    const kernel_test::Namespace own;
    KernelDevice device{vip_device};
    device_keeps_contract(device, family);
}

TEST_CASE("the device in memory refuses what it is told to and nothing else") {
    MemoryDevice device;
    device.create();
    const DeviceSample sample = device_sample(Family::v4);
    const auto full = std::make_error_code(std::errc::no_space_on_device);
    device.refuse(sample.one, full);
    const DeviceAddresses both{{sample.one, {}}, {sample.two, {}}};
    CHECK(device.apply({.add = both}).refused ==
          std::vector<Refusal<DeviceAddress>>{{sample.one, full}});
    CHECK(device.snapshot().addresses == DeviceAddresses{{sample.two, {}}});
    device.refuse(sample.one, {});
    CHECK(device.apply({.add = both}).clean());
    CHECK(device.snapshot().addresses == both);
    CHECK(device.applies() == 2);
}

TEST_CASE("the device in memory can lose the outcome of what it did") {
    MemoryDevice device;
    device.create();
    const DeviceSample sample = device_sample(Family::v6);
    device.refuse(sample.one, std::make_error_code(std::errc::permission_denied));
    device.lose_outcomes(true);
    const DeviceOutcome outcome = device.apply({.add = {{sample.one, {}}, {sample.two, {}}}});
    CHECK(outcome.unknown);
    CHECK_FALSE(outcome.clean());
    CHECK(outcome.refused.empty());
    CHECK(device.snapshot().addresses == DeviceAddresses{{sample.two, {}}});
}

TEST_CASE("what a test says of other interfaces is read back from the device in memory") {
    MemoryDevice device{"vip0"};
    CHECK(device.name() == "vip0");
    device.state().elsewhere = {{"eth0", address("192.0.2.10")}};
    CHECK(device.snapshot().elsewhere ==
          std::vector<InterfaceAddress>{{"eth0", address("192.0.2.10")}});
}

TEST_CASE("P-001 the addresses of all other interfaces are told, with their interface",
          "[.kernel]") {
    const kernel_test::Namespace own;
    make_link("eth0", {{{address("192.0.2.10"), 24}, {}}});
    make_link(vip_device, {{{address("10.96.0.9"), 32}, {}}});
    CHECK(elsewhere() == std::vector<InterfaceAddress>{{"eth0", address("192.0.2.10")},
                                                       {"lo", address("127.0.0.1")},
                                                       {"lo", address("::1")}});
}

TEST_CASE("P-002 without other interfaces only the loopback addresses are told", "[.kernel]") {
    const kernel_test::Namespace own;
    CHECK(elsewhere() ==
          std::vector<InterfaceAddress>{{"lo", address("127.0.0.1")}, {"lo", address("::1")}});
}

TEST_CASE("P-003 P-006 P-007 every interface but the device counts, in both families",
          "[.kernel]") {
    const kernel_test::Namespace own;
    make_link("ipvs0", {{{address("10.5.5.5"), 24}, {}}, {{address("2001:db8:1::"), 64}, {}}});
    make_link("tun0", {{{address("10.9.8.7"), 32}, {}}, {{address("fe80::1"), 64}, {}}});
    CHECK(elsewhere() == std::vector<InterfaceAddress>{{"ipvs0", address("10.5.5.5")},
                                                       {"ipvs0", address("2001:db8:1::")},
                                                       {"lo", address("127.0.0.1")},
                                                       {"lo", address("::1")},
                                                       {"tun0", address("10.9.8.7")},
                                                       {"tun0", address("fe80::1")}});
}

TEST_CASE("P-004 P-005 P-008 addresses of the device are told as its own, even if others have them",
          "[.kernel]") {
    const kernel_test::Namespace own;
    make_link(vip_device, {{{address("10.96.0.9"), 32}, {}}, {{address("2001:db8::5"), 128}, {}}});
    make_link("eth1", {{{address("10.96.0.9"), 24}, {}}, {{address("2001:db8::1"), 64}, {}}});
    const DeviceState state = KernelDevice{vip_device}.snapshot();
    CHECK(state.addresses ==
          DeviceAddresses{{{address("10.96.0.9"), 32}, {}}, {{address("2001:db8::5"), 128}, {}}});
    CHECK(state.elsewhere == std::vector<InterfaceAddress>{{"eth1", address("10.96.0.9")},
                                                           {"eth1", address("2001:db8::1")},
                                                           {"lo", address("127.0.0.1")},
                                                           {"lo", address("::1")}});
}

TEST_CASE("a link of the name is used as it is, up or of another kind", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelDevice device{"lo"};
    CHECK_NOTHROW(device.create());
    const DeviceState state = device.snapshot();
    CHECK(state.present);
    CHECK(state.up);
    CHECK(state.kind.empty()); // the loopback link has no kind
    CHECK(state.addresses.contains({address("127.0.0.1"), 8}));
    CHECK(state.elsewhere.empty());
}

TEST_CASE("what the kernel does not allow is an exception with its errno", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelDevice loopback{"lo"};
    CHECK_THROWS_AS(loopback.destroy(), std::system_error);
    KernelDevice long_name{"a-name-that-is-far-too-long"};
    CHECK_THROWS_AS(long_name.create(), std::system_error);
}

TEST_CASE("an address of the down device takes packets on the node", "[.kernel]") {
    const kernel_test::Namespace own;
    const bool deprecated = GENERATE(false, true);
    make_link(vip_device, {{{address("2001:db8::10"), 128}, {deprecated}},
                           {{address("10.96.0.10"), 32}, {deprecated}}});
    CHECK(soon_takes_packets(address("2001:db8::10")));
    CHECK(soon_takes_packets(address("10.96.0.10")));
    CHECK_FALSE(takes_packets(address("2001:db8::11")));
    CHECK_FALSE(takes_packets(address("10.96.0.11")));
}

TEST_CASE("a local route takes packets on the node", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelDevice device{vip_device};
    const DeviceAddress v4 = local_route(address("10.96.0.10"));
    REQUIRE(device.apply({.add = {{v4, {}}}}).clean());
    CHECK(takes_packets(v4.address));
    CHECK_FALSE(takes_packets(address("10.96.0.11")));
}

TEST_CASE("routes of others are not taken for ours", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelDevice device{vip_device};
    for (const char* one : {"local 10.96.0.10 dev lo", "local 10.96.0.11 dev lo proto static",
                            "local 10.96.0.0/24 dev lo proto 155", "blackhole 10.96.0.12 proto 155",
                            "local fd00:96::10 dev lo proto boot"}) {
        std::istringstream words{one};
        std::vector<std::string> argv{"ip", "route", "add"};
        argv.insert(argv.end(), std::istream_iterator<std::string>{words}, {});
        argv.insert(argv.end(), {"table", "local"});
        kernel_test::must_run(argv);
    }
    CHECK(device.snapshot().addresses.empty());
}

TEST_CASE("two thousand addresses are changed in few sends and read in few receives", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelDevice device{vip_device};
    device.create();
    DeviceAddresses addresses;
    for (unsigned i = 0; i < 2000; ++i) {
        const std::array<std::uint8_t, 4> bytes{10, 100, static_cast<std::uint8_t>(i >> 8),
                                                static_cast<std::uint8_t>(i)};
        addresses.emplace(DeviceAddress{*Address::from_bytes(bytes), 32}, DeviceAddressSpec{});
    }
    const auto before = device.counters();
    REQUIRE(device.apply({.add = addresses}).clean());
    CHECK(device.counters().sends - before.sends <= 3);
    CHECK(device.snapshot().addresses == addresses);
    const auto middle = device.counters();
    device.snapshot();
    CHECK(device.counters().receives - middle.receives <= 6);
}
