// One contract for flows in memory and in the kernel.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include <catch2/catch.hpp>

#include "netlink/conntrack.h"

namespace ipvsproxy::tests {

struct FlowSample {
    AddressPort client, service, other, endpoint, second, gone;
};

inline FlowSample flow_sample(Family family) {
    const auto at = [&](const char* four, const char* six, std::uint16_t port) {
        return AddressPort{*Address::parse(family == Family::v4 ? four : six), {port}};
    };
    return {.client = at("10.0.0.5", "fd00::5", 40000),
            .service = at("10.96.0.10", "2001:db8::10", 53),
            .other = at("10.96.0.11", "2001:db8::11", 53),
            .endpoint = at("10.244.0.7", "fd00:244::7", 5353),
            .second = at("10.244.0.8", "fd00:244::8", 5353),
            .gone = at("10.244.0.9", "fd00:244::9", 5353)};
}

/// @param flows over an empty table. @param add puts one into it. @param read gives all there are.
inline void flows_keep_contract(Flows& flows, Family family,
                                const std::function<void(const Flow&)>& add,
                                const std::function<std::set<Flow>()>& read) {
    const FlowSample sample = flow_sample(family);
    const auto from = [&](std::uint16_t port) {
        return AddressPort{sample.client.address, {port}};
    };
    const Flow good{from(1), sample.service, sample.endpoint};
    const Flow also_good{from(2), sample.service, sample.second};
    const Flow stale{from(3), sample.service, sample.gone};
    const Flow stale_too{from(4), sample.service, sample.gone};
    const Flow untranslated{from(5), sample.service, sample.service};
    const Flow other_port{from(6), {sample.service.address, {54}}, sample.gone};
    const Flow unrelated{from(7), sample.other, sample.gone};
    const StaleFlows wish{sample.service, {sample.endpoint, sample.second}};

    SECTION("an empty table has nothing to forget") {
        CHECK(flows.forget({&wish, 1}) == 0);
    }
    SECTION("P-210 flows answered by one that may not, or by nobody's endpoint, go; others stay") {
        for (const Flow& flow :
             {good, also_good, stale, stale_too, untranslated, other_port, unrelated})
            add(flow);
        CHECK(flows.forget({&wish, 1}) == 3);
        CHECK(read() == std::set{good, also_good, other_port, unrelated});
        CHECK(flows.forget({&wish, 1}) == 0);
    }
    SECTION("P-211 without a destination nothing is forgotten") {
        add(stale);
        add(unrelated);
        CHECK(flows.forget({}) == 0);
        CHECK(read() == std::set{stale, unrelated});
    }
    SECTION("whoever may answer nobody loses every flow") {
        add(good);
        add(unrelated);
        const StaleFlows nobody{sample.service, {}};
        CHECK(flows.forget({&nobody, 1}) == 1);
        CHECK(read() == std::set{unrelated});
    }
    SECTION("several destinations are looked for together, and one named twice allows both") {
        add(good);
        add(also_good);
        add(stale);
        add(unrelated);
        const std::vector<StaleFlows> wishes{{sample.service, {sample.endpoint}},
                                             {sample.service, {sample.second}},
                                             {sample.other, {sample.endpoint}}};
        CHECK(flows.forget(wishes) == 2);
        CHECK(read() == std::set{good, also_good});
    }
    SECTION("a destination of the other family takes nothing") {
        add(stale);
        const FlowSample strange = flow_sample(family == Family::v4 ? Family::v6 : Family::v4);
        const StaleFlows strangers{strange.service, {}};
        CHECK(flows.forget({&strangers, 1}) == 0);
        CHECK(read() == std::set{stale});
    }
}

} // namespace ipvsproxy::tests
