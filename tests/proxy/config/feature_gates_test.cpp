#include "proxy/config/feature_gates.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace ipvsproxy::config;

namespace {

FeatureGates resolved(const std::map<std::string, bool>& chosen) {
    auto gates = FeatureGates::resolve(chosen);
    REQUIRE(gates.has_value());
    return *gates;
}

} // namespace

TEST_CASE("without a word every gate has its default", "[config]") {
    const auto gates = resolved({});
    CHECK(gates.enabled("AllowServiceExternalIPs"));
    CHECK(gates.enabled("LoggingBetaOptions"));
    CHECK_FALSE(gates.enabled("LoggingAlphaOptions"));
    CHECK_FALSE(gates.enabled("NoSuchGate"));
    CHECK(known_gates().size() > 200);
    CHECK(std::ranges::all_of(
        known_gates(), [&](const Gate& gate) { return gates.enabled(gate.name) == gate.enabled; }));
}

TEST_CASE("P-101 a gate can be set, a locked one only to what it is", "[config]") {
    CHECK_FALSE(resolved({{"AllowServiceExternalIPs", false}}).enabled("AllowServiceExternalIPs"));
    CHECK(resolved({{"NativeHistograms", true}}).enabled("NativeHistograms"));
    CHECK(resolved({{"PreferSameTrafficDistribution", true}}) == resolved({}));
    CHECK(FeatureGates::resolve({{"PreferSameTrafficDistribution", false}}).error() ==
          "cannot set feature gate PreferSameTrafficDistribution to false, feature is locked to "
          "true");
}

TEST_CASE("every locked gate is on, and refuses to be turned off", "[config]") {
    std::size_t locked = 0;
    for (const auto& gate : known_gates()) {
        if (!gate.locked) continue;
        ++locked;
        CAPTURE(gate.name);
        CHECK(gate.enabled);
        CHECK(FeatureGates::resolve({{std::string{gate.name}, true}}).has_value());
        CHECK(FeatureGates::resolve({{std::string{gate.name}, false}}).error() ==
              "cannot set feature gate " + std::string{gate.name} +
                  " to false, feature is locked to true");
    }
    CHECK(locked == 56);
    CHECK(FeatureGates::resolve({{"NFTablesProxyMode", false}, {"SidecarContainers", false}})
              .error() ==
          "[cannot set feature gate NFTablesProxyMode to false, feature is locked to true, cannot "
          "set feature gate SidecarContainers to false, feature is locked to true]");
}

TEST_CASE("an unknown gate is an error, and all errors are told together", "[config]") {
    CHECK(FeatureGates::resolve({{"Nonsense", true}}).error() ==
          "unrecognized feature gate: Nonsense");
    CHECK(FeatureGates::resolve({{"A1", true}, {"B2", false}}).error() ==
          "[unrecognized feature gate: A1, unrecognized feature gate: B2]");
}

TEST_CASE("AllAlpha and AllBeta speak for the gates that are not named", "[config]") {
    const auto gates = resolved({{"AllAlpha", true}, {"AllBeta", false}, {"ComponentFlagz", true}});
    CHECK(gates.enabled("LoggingAlphaOptions"));
    CHECK_FALSE(gates.enabled("LoggingBetaOptions"));
    CHECK(gates.enabled("ComponentFlagz"));
    CHECK(gates.enabled("AllowServiceExternalIPs"));
}
