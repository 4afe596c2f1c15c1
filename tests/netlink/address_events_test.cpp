#include "netlink/address_events.h"

#include <poll.h>

#include <algorithm>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "netlink/kernel_device.h"
#include "tests/kernel/namespace.h"

using namespace ipvsproxy;

namespace ipvsproxy {

/// How Catch prints one.
std::ostream& operator<<(std::ostream& out, const AddressEvent& event) {
    return out << (event.added ? '+' : '-') << event.interface << ' ' << event.address << '/'
               << static_cast<unsigned>(event.prefix_length);
}

} // namespace ipvsproxy

namespace {

Address address(const char* text) {
    return *Address::parse(text);
}

/// Whether something is told within 2 seconds.
bool readable(const AddressEvents& events) {
    pollfd waiting{.fd = events.fd(), .events = POLLIN, .revents = 0};
    return poll(&waiting, 1, 2000) == 1;
}

/// Waits for what is to be told, whatever else is: the kernel tells of a new IPv6 address a little
/// later than it answers, that of `lo` included, and at times twice.
class Listener {
public:
    bool tells(const AddressEvent& wanted) {
        while (std::ranges::find(told_, wanted) == told_.end()) {
            if (!readable(events_)) return false;
            const AddressNews news = events_.read();
            CHECK_FALSE(news.overrun);
            links_.insert(news.links.begin(), news.links.end());
            told_.insert(told_.end(), news.addresses.begin(), news.addresses.end());
        }
        return true;
    }
    /// Links that were told of so far.
    const std::set<std::string>& links() const { return links_; }

private:
    AddressEvents events_;
    std::vector<AddressEvent> told_;
    std::set<std::string> links_;
};

} // namespace

TEST_CASE("reading events where nothing happened gives nothing and does not wait") {
    AddressEvents events;
    CHECK(events.read().overrun == false);
}

TEST_CASE("addresses and links are told as they come and go, by the name of their link",
          "[.kernel]") {
    const kernel_test::Namespace own;
    Listener listener;
    KernelDevice device{"eth0"};
    device.create();
    REQUIRE(
        device
            .apply({.add = {{{address("192.0.2.10"), 24}, {}}, {{address("2001:db8::1"), 64}, {}}}})
            .clean());
    CHECK(listener.tells({"eth0", address("192.0.2.10"), 24, true}));
    CHECK(listener.tells({"eth0", address("2001:db8::1"), 64, true}));
    CHECK(listener.links().contains("eth0"));

    REQUIRE(device.apply({.remove = {{address("192.0.2.10"), 24}}}).clean());
    CHECK(listener.tells({"eth0", address("192.0.2.10"), 24, false}));

    device.destroy();
    CHECK(listener.tells({"eth0", address("2001:db8::1"), 64, false}));
}

TEST_CASE("links that were there before are known by name", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelDevice device{"eth0"};
    device.create();
    Listener listener;
    REQUIRE(device.apply({.add = {{{address("192.0.2.10"), 24}, {}}}}).clean());
    CHECK(listener.tells({"eth0", address("192.0.2.10"), 24, true}));
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
    REQUIRE(device.apply({.remove = {{address("10.1.0.0"), 32}}}).clean());
    const AddressEvent removed{"eth0", address("10.1.0.0"), 32, false};
    REQUIRE(readable(events));
    const AddressNews later = events.read();
    CHECK(std::ranges::find(later.addresses, removed) != later.addresses.end());
}
