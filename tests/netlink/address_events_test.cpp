#include "netlink/address_events.h"

#include <poll.h>

#include <catch2/catch.hpp>

#include "netlink/kernel_device.h"
#include "tests/kernel/namespace.h"

using namespace ipvsproxy;

namespace {

Address address(const char* text) {
    return *Address::parse(text);
}

bool readable(const AddressEvents& events) {
    pollfd waiting{.fd = events.fd(), .events = POLLIN, .revents = 0};
    return poll(&waiting, 1, 0) == 1;
}

} // namespace

TEST_CASE("reading events where nothing happened gives nothing and does not wait") {
    AddressEvents events;
    CHECK(events.read().overrun == false);
}

TEST_CASE("addresses and links are told as they come and go, by the name of their link",
          "[.kernel]") {
    const kernel_test::Namespace own;
    AddressEvents events;
    CHECK_FALSE(readable(events));
    CHECK(events.read().empty());

    KernelDevice device{"eth0"};
    device.create();
    REQUIRE(
        device
            .apply({.add = {{{address("192.0.2.10"), 24}, {}}, {{address("2001:db8::1"), 64}, {}}}})
            .clean());
    CHECK(readable(events));
    const AddressNews made = events.read();
    CHECK_FALSE(made.overrun);
    CHECK(made.links.contains("eth0"));
    CHECK(made.addresses == std::vector<AddressEvent>{{"eth0", address("192.0.2.10"), 24, true},
                                                      {"eth0", address("2001:db8::1"), 64, true}});
    CHECK_FALSE(readable(events));

    REQUIRE(device.apply({.remove = {{address("192.0.2.10"), 24}}}).clean());
    CHECK(events.read().addresses ==
          std::vector<AddressEvent>{{"eth0", address("192.0.2.10"), 24, false}});

    device.destroy();
    const AddressNews gone = events.read();
    CHECK(gone.links.contains("eth0"));
    CHECK(gone.addresses == std::vector<AddressEvent>{{"eth0", address("2001:db8::1"), 64, false}});
    CHECK(events.read().empty());
}

TEST_CASE("links that were there before are known by name", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelDevice device{"eth0"};
    device.create();
    AddressEvents events;
    REQUIRE(device.apply({.add = {{{address("192.0.2.10"), 24}, {}}}}).clean());
    CHECK(events.read().addresses ==
          std::vector<AddressEvent>{{"eth0", address("192.0.2.10"), 24, true}});
}

TEST_CASE("events that overrun the buffer are told as an overrun, once", "[.kernel]") {
    const kernel_test::Namespace own;
    AddressEvents events{{.receive_buffer_bytes = 4096}};
    KernelDevice device{"eth0"};
    device.create();
    DeviceAddresses addresses;
    for (unsigned i = 0; i < 500; ++i)
        addresses.emplace(
            DeviceAddress{
                address(
                    ("10.1." + std::to_string(i / 250) + '.' + std::to_string(i % 250)).c_str()),
                32},
            DeviceAddressSpec{});
    REQUIRE(device.apply({.add = addresses}).clean());
    const AddressNews news = events.read();
    CHECK(news.overrun);
    CHECK(news.addresses.size() < 500);
    CHECK_FALSE(events.read().overrun);

    // Names are known again although the event that named the link may have been lost.
    REQUIRE(device.apply({.remove = {addresses.begin()->first}}).clean());
    const AddressNews later = events.read();
    REQUIRE(later.addresses.size() == 1);
    CHECK(later.addresses.front().interface == "eth0");
}
