// One contract for the device in memory and for the kernel's.
#pragma once

#include <algorithm>
#include <system_error>

#include <catch2/catch.hpp>

#include "netlink/device.h"

namespace ipvsproxy::tests {

/// What a test of the device needs of one family.
struct DeviceSample {
    DeviceAddress one, two, wider; ///< `wider` is `one` with a shorter prefix
    DeviceAddressSpec spec;
};

inline DeviceSample device_sample(Family family) {
    const bool v4 = family == Family::v4;
    const auto address = [&](const char* four, const char* six) {
        return *Address::parse(v4 ? four : six);
    };
    const std::uint8_t bits = v4 ? 32 : 128;
    const std::uint8_t fewer = v4 ? 24 : 64;
    return {.one = {address("10.96.0.10", "2001:db8::10"), bits},
            .two = {address("10.96.0.11", "2001:db8::11"), bits},
            .wider = {address("10.96.0.10", "2001:db8::10"), fewer},
            .spec = {.deprecated = !v4}};
}

/// @param device one that does not exist.
inline void device_is_missed(Device& device, const DeviceSample& sample) {
    const auto missing = std::make_error_code(std::errc::no_such_device);
    SECTION("while it is missing nothing is there and every change is refused") {
        CHECK_FALSE(device.present());
        CHECK_FALSE(device.snapshot().present);
        const DeviceOutcome outcome =
            device.apply({.add = {{sample.one, sample.spec}}, .remove = {sample.two}});
        CHECK_FALSE(outcome.unknown);
        REQUIRE(outcome.refused.size() == 2);
        CHECK(outcome.refused[0] == Refusal<DeviceAddress>{sample.two, missing});
        CHECK(outcome.refused[1] == Refusal<DeviceAddress>{sample.one, missing});
        CHECK(device.apply({}).clean());
        CHECK_NOTHROW(device.destroy());
    }
}

/// @param device one that was just created.
inline void device_comes_and_goes(Device& device, const DeviceSample& sample) {
    SECTION("it is created down, as a dummy, without addresses; twice is once") {
        device.create();
        const DeviceState state = device.snapshot();
        CHECK(device.present());
        CHECK(state.present);
        CHECK_FALSE(state.up);
        CHECK(state.kind == "dummy");
        CHECK(state.addresses.empty());
    }
    SECTION("destroying it takes its addresses along") {
        REQUIRE(device.apply({.add = {{sample.one, sample.spec}}}).clean());
        device.destroy();
        CHECK_FALSE(device.present());
        CHECK_FALSE(device.snapshot().present);
        CHECK(device.snapshot().kind.empty());
        device.create();
        CHECK(device.snapshot().addresses.empty());
    }
}

/// @param device one that was just created.
inline void device_adds_and_updates(Device& device, const DeviceSample& sample) {
    const auto exists = std::make_error_code(std::errc::file_exists);
    SECTION("what was added is read back, and not as of another interface") {
        const DeviceAddresses both{{sample.one, {.deprecated = false}},
                                   {sample.two, {.deprecated = true}}};
        REQUIRE(device.apply({.add = both}).clean());
        const DeviceState state = device.snapshot();
        CHECK(state.addresses == both);
        CHECK(std::ranges::none_of(state.elsewhere, [&](const InterfaceAddress& other) {
            return other.interface == device.name();
        }));
        CHECK(std::ranges::is_sorted(state.elsewhere));
    }
    SECTION("adding the same again is done already") {
        REQUIRE(device.apply({.add = {{sample.one, sample.spec}}}).clean());
        CHECK(device.apply({.add = {{sample.one, sample.spec}}}).clean());
        CHECK(device.snapshot().addresses == DeviceAddresses{{sample.one, sample.spec}});
    }
    SECTION("adding what exists with another spec is refused, by name, and holds up nothing") {
        REQUIRE(device.apply({.add = {{sample.one, sample.spec}}}).clean());
        const DeviceAddressSpec other{.deprecated = !sample.spec.deprecated};
        const DeviceOutcome outcome =
            device.apply({.add = {{sample.one, other}, {sample.two, other}}});
        CHECK(outcome.refused == std::vector<Refusal<DeviceAddress>>{{sample.one, exists}});
        CHECK(device.snapshot().addresses ==
              DeviceAddresses{{sample.one, sample.spec}, {sample.two, other}});
    }
    SECTION("an update replaces the lifetimes, both ways") {
        REQUIRE(device.apply({.add = {{sample.one, {.deprecated = false}}}}).clean());
        for (const bool deprecated : {true, false}) {
            REQUIRE(device.apply({.update = {{sample.one, {deprecated}}}}).clean());
            CHECK(device.snapshot().addresses == DeviceAddresses{{sample.one, {deprecated}}});
        }
    }
    SECTION("an update of what is missing adds it") {
        REQUIRE(device.apply({.update = {{sample.one, {.deprecated = true}}}}).clean());
        CHECK(device.snapshot().addresses == DeviceAddresses{{sample.one, {.deprecated = true}}});
    }
}

/// @param device one that was just created.
inline void device_removes(Device& device, const DeviceSample& sample) {
    SECTION("removing takes one address only, and what is missing counts as done") {
        REQUIRE(
            device.apply({.add = {{sample.one, sample.spec}, {sample.two, sample.spec}}}).clean());
        CHECK(device.apply({.remove = {sample.one}}).clean());
        CHECK(device.snapshot().addresses == DeviceAddresses{{sample.two, sample.spec}});
        CHECK(device.apply({.remove = {sample.one}}).clean());
        CHECK(device.apply({.remove = {sample.two, sample.wider}}).clean());
        CHECK(device.snapshot().addresses.empty());
    }
    SECTION("removals come first, so that one prefix length can take the place of another") {
        REQUIRE(device.apply({.add = {{sample.wider, sample.spec}}}).clean());
        CHECK(device.apply({.add = {{sample.one, sample.spec}}, .remove = {sample.wider}}).clean());
        CHECK(device.snapshot().addresses == DeviceAddresses{{sample.one, sample.spec}});
    }
}

/// @param device one that was just created.
inline void device_tells_prefix_lengths_apart(Device& device, const DeviceSample& sample) {
    const auto exists = std::make_error_code(std::errc::file_exists);
    SECTION("an address with another prefix length is another object, for IPv6 one of two only") {
        REQUIRE(device.apply({.add = {{sample.wider, sample.spec}}}).clean());
        const DeviceOutcome outcome = device.apply({.add = {{sample.one, sample.spec}}});
        if (sample.one.address.family() == Family::v4) {
            CHECK(outcome.clean());
            CHECK(device.snapshot().addresses.size() == 2);
        } else {
            CHECK(outcome.refused == std::vector<Refusal<DeviceAddress>>{{sample.one, exists}});
            CHECK(device.snapshot().addresses == DeviceAddresses{{sample.wider, sample.spec}});
        }
    }
}

/// @param device one that was just created.
inline void device_routes(Device& device, const DeviceSample& sample) {
    const DeviceAddress route = local_route(sample.one.address);
    SECTION("a local route is read back, is beside an address of its value, and goes alone") {
        REQUIRE(device.apply({.add = {{route, {}}}}).clean());
        CHECK(device.snapshot().addresses == DeviceAddresses{{route, {}}});
        CHECK(device.apply({.add = {{route, {}}}}).clean());
        REQUIRE(device.apply({.add = {{sample.one, sample.spec}}}).clean());
        CHECK(device.snapshot().addresses ==
              DeviceAddresses{{sample.one, sample.spec}, {route, {}}});
        REQUIRE(device.apply({.remove = {sample.one}}).clean());
        CHECK(device.snapshot().addresses == DeviceAddresses{{route, {}}});
        REQUIRE(device.apply({.remove = {route}}).clean());
        CHECK(device.apply({.remove = {route}}).clean());
        CHECK(device.snapshot().addresses.empty());
    }
    SECTION("it takes the place of an address, and gives it back") {
        REQUIRE(device.apply({.add = {{sample.one, sample.spec}}}).clean());
        REQUIRE(device.apply({.add = {{route, {}}}}).clean());
        REQUIRE(device.apply({.remove = {route}}).clean());
        CHECK(device.snapshot().addresses == DeviceAddresses{{sample.one, sample.spec}});
    }
    SECTION("it outlives the device and needs none") {
        REQUIRE(device.apply({.add = {{route, {}}, {sample.two, sample.spec}}}).clean());
        device.destroy();
        CHECK(device.snapshot().addresses == DeviceAddresses{{route, {}}});
        CHECK(device.apply({.add = {{local_route(sample.two.address), {}}}}).clean());
        CHECK(device.apply({.remove = {route}}).clean());
        CHECK(device.snapshot().addresses ==
              DeviceAddresses{{local_route(sample.two.address), {}}});
    }
}

/// @param device one that does not exist yet.
inline void device_keeps_contract(Device& device, Family family) {
    const DeviceSample sample = device_sample(family);
    device_is_missed(device, sample);
    device.create();
    device_comes_and_goes(device, sample);
    device_adds_and_updates(device, sample);
    device_removes(device, sample);
    device_tells_prefix_lengths_apart(device, sample);
    device_routes(device, sample);
}

} // namespace ipvsproxy::tests
