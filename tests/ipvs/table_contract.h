// What ipvs/table.h promises, for the kernel and for its twin alike. Each expects an empty table in
// which 10.244.0.0/16 and 2001:db8:244::/48 may be reached.
#pragma once

#include <catch2/catch.hpp>

#include "tests/ipvs/values.h"

namespace ipvsproxy::ipvs::contract {

using ServiceRefusals = std::vector<Refusal<ServiceKey>>;
using DestinationRefusals = std::vector<Refusal<DestinationKey>>;

inline std::error_code code(std::errc error) {
    return std::make_error_code(error);
}

inline void check_refused(const Outcome& outcome, const ServiceRefusals& services,
                          const DestinationRefusals& destinations = {}) {
    CHECK(outcome.services == services);
    CHECK(outcome.destinations == destinations);
    CHECK_FALSE(outcome.unknown);
}

/// One virtual server of each protocol and family, all attributes in use.
inline Services varied_services() {
    Services services;
    for (const auto* const address : {"10.96.0.10", "2001:db8:96::10"})
        for (const Protocol protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp}) {
            const ServiceKey key = service(address, 53, protocol);
            services[key] = plain(key);
        }
    const ServiceKey grouped4 = service("10.96.0.11");
    services[grouped4] = {.scheduler = "wlc",
                          .flags = flag_persistent,
                          .timeout_seconds = 10800,
                          .persistence_prefix = 24};
    const ServiceKey grouped6 = service("2001:db8:96::11");
    services[grouped6] = {.scheduler = "sh",
                          .flags = flag_persistent | flag_scheduler_1 | flag_scheduler_2,
                          .timeout_seconds = 300,
                          .persistence_prefix = 64};
    const ServiceKey single = service("10.96.0.12", 53, Protocol::udp);
    services[single] = {.scheduler = "lc", .flags = flag_one_packet, .persistence_prefix = 32};
    const ServiceKey hashed = service("10.96.0.13");
    services[hashed] = {.scheduler = "mh", .flags = flag_scheduler_2, .persistence_prefix = 32};
    const ServiceKey call = service("10.96.0.14", 5060, Protocol::udp);
    services[call] = {.scheduler = "rr",
                      .flags = flag_persistent,
                      .timeout_seconds = 60,
                      .persistence_prefix = 32,
                      .persistence_engine = "sip"};
    return services;
}

/// Every way to forward, weights and thresholds, several and none a virtual server.
inline Destinations varied_destinations() {
    Destinations destinations;
    const ServiceKey v4 = service("10.96.0.10", 53, Protocol::udp);
    const ServiceKey v6 = service("2001:db8:96::10", 53, Protocol::sctp);
    destinations[destination(v4, "10.244.0.1", 53)] = {};
    destinations[destination(v4, "10.244.0.1", 54)] = {.weight = 0};
    destinations[destination(v4, "10.244.0.2", 53)] = {.forward = Forward::route, .weight = 7};
    destinations[destination(v4, "10.244.0.3", 53)] = {
        .forward = Forward::tunnel, .upper_threshold = 90, .lower_threshold = 30};
    destinations[destination(v6, "2001:db8:244::1", 53)] = {};
    destinations[destination(v6, "2001:db8:244::2", 53)] = {
        .forward = Forward::route, .weight = 65535, .upper_threshold = 5};
    destinations[destination(service("10.96.0.13"), "10.244.0.1")] = {};
    destinations[destination(service("10.96.0.13"), "10.244.0.2")] = {.weight = 3};
    return destinations;
}

inline void reads_back_what_was_added(Table& table) {
    CHECK(table.services().empty());
    CHECK(all_destinations(table).specs.empty());
    check_refused(table.apply(adding(varied_services(), varied_destinations())), {});
    CHECK(table.services() == varied_services());
    const ObservedDestinations observed = all_destinations(table);
    CHECK(observed.specs == varied_destinations());
    CHECK(observed.busy.empty());
}

inline void updates_in_place(Table& table) {
    REQUIRE(table.apply(adding(varied_services(), varied_destinations())).clean());
    Services services;
    for (const auto& [key, old] : varied_services())
        services[key] = {.scheduler = old.scheduler == "rr" ? "wlc" : "rr",
                         .flags = old.flags ^ flag_persistent,
                         .timeout_seconds = 42,
                         .persistence_prefix = 20};
    Destinations destinations;
    for (const auto& [key, old] : varied_destinations())
        destinations[key] = {
            .weight = 9 - old.weight % 2, .upper_threshold = 4, .lower_threshold = 2};
    check_refused(table.apply(updating(services, destinations)), {});
    CHECK(table.services() == services);
    CHECK(all_destinations(table).specs == destinations);
}

inline void restores_weight(Table& table) {
    const ServiceKey key = service("10.96.0.10");
    const DestinationKey server = destination(key, "10.244.0.5");
    REQUIRE(table.apply(adding({{key, plain(key)}}, {{server, {.weight = 0}}})).clean());
    check_refused(table.apply(updating({}, {{server, {.weight = 1}}})), {});
    CHECK(all_destinations(table).specs == Destinations{{server, {.weight = 1}}});
}

inline void removal_takes_all(Table& table) {
    REQUIRE(table.apply(adding(varied_services(), varied_destinations())).clean());
    const ServiceKey udp = service("10.96.0.10", 53, Protocol::udp);
    const DestinationKey listed = destination(udp, "10.244.0.1", 53);
    check_refused(table.apply(removing({udp}, {listed})), {});
    CHECK_FALSE(table.services().contains(udp));
    CHECK(table.destinations(std::vector{udp}).specs.empty());
    CHECK(table.services().size() == varied_services().size() - 1);
}

inline void missing_ones(Table& table) {
    const ServiceKey here = service("10.96.0.10");
    const ServiceKey gone = service("10.96.0.10", 81);
    const DestinationKey of_gone = destination(gone, "10.244.0.5");
    const DestinationKey absent = destination(here, "10.244.0.5", 1);
    REQUIRE(table.apply(adding({{here, plain(here)}})).clean());
    SECTION("have nothing to remove") {
        check_refused(table.apply(removing({gone})), {});
        check_refused(table.apply(removing({}, {of_gone, absent})), {});
    }
    SECTION("cannot be changed") {
        check_refused(table.apply(updating({{gone, plain(gone)}}, {{of_gone, {}}, {absent, {}}})),
                      {{gone, code(std::errc::no_such_process)}},
                      {{absent, code(std::errc::no_such_file_or_directory)},
                       {of_gone, code(std::errc::no_such_process)}});
    }
    SECTION("have no real servers") {
        check_refused(table.apply(adding({}, {{of_gone, {}}})), {},
                      {{of_gone, code(std::errc::no_such_process)}});
        CHECK(table.destinations(std::vector{gone}).specs.empty());
    }
}

inline void doubles_are_refused(Table& table) {
    const ServiceKey key = service("10.96.0.10");
    const DestinationKey server = destination(key, "10.244.0.5");
    REQUIRE(table.apply(adding({{key, plain(key, "wlc")}}, {{server, {.weight = 4}}})).clean());
    const auto exists = code(std::errc::file_exists);
    check_refused(table.apply(adding({{key, plain(key)}}, {{server, {}}})), {{key, exists}},
                  {{server, exists}});
    const DestinationKey other = destination(key, "10.244.0.6");
    check_refused(table.apply(adding({{key, plain(key, "mh")}}, {{other, {}}})), {{key, exists}});
    CHECK(table.services() == Services{{key, plain(key, "wlc")}});
    CHECK(all_destinations(table).specs == Destinations{{server, {.weight = 4}}, {other, {}}});
}

inline void refusals_are_by_name(Table& table) {
    const ServiceKey bad = service("10.96.0.1");
    const ServiceKey good = service("10.96.0.2");
    const ServiceKey bad6 = service("2001:db8:96::1");
    const auto bad_server = [&](const ServiceKey& key, std::string_view address) {
        return destination(key, address);
    };
    SECTION("of virtual servers, with the real servers they would have had") {
        const DestinationKey lost = destination(bad, "10.244.0.1");
        const DestinationKey kept = destination(good, "10.244.0.1");
        ServiceSpec no_prefix = plain(bad6);
        no_prefix.persistence_prefix = 0;
        check_refused(table.apply(adding(
                          {{bad, plain(bad, "nonsense")}, {good, plain(good)}, {bad6, no_prefix}},
                          {{lost, {}}, {kept, {}}})),
                      {{bad, code(std::errc::no_such_file_or_directory)},
                       {bad6, code(std::errc::invalid_argument)}},
                      {{lost, code(std::errc::no_such_process)}});
        CHECK(table.services() == Services{{good, plain(good)}});
        CHECK(all_destinations(table).specs == Destinations{{kept, {}}});
    }
    SECTION("of real servers") {
        const DestinationKey kept = destination(good, "10.244.0.1");
        Destinations wanted{{kept, {}}};
        for (const auto* const address : {"0.0.0.0", "224.0.0.1", "255.255.255.255"})
            wanted[bad_server(good, address)] = {};
        check_refused(table.apply(adding({{good, plain(good)}}, {{kept, {}}})), {});
        wanted.erase(kept);
        const Outcome outcome = table.apply(adding({}, wanted));
        CHECK(outcome.destinations.size() == 3);
        for (const auto& refusal : outcome.destinations)
            CHECK(refusal.error == code(std::errc::invalid_argument));
        const DestinationKey mixed = destination(good, "2001:db8:244::1");
        check_refused(table.apply(adding({}, {{mixed, {}}})), {},
                      {{mixed, code(std::errc::invalid_argument)}});
        const DestinationKey outside = destination(good, "10.244.0.9");
        check_refused(table.apply(adding({}, {{outside, {.weight = -1}}})), {},
                      {{outside, code(std::errc::result_out_of_range)}});
        check_refused(
            table.apply(adding({}, {{outside, {.upper_threshold = 1, .lower_threshold = 2}}})), {},
            {{outside, code(std::errc::result_out_of_range)}});
        CHECK(all_destinations(table).specs == Destinations{{kept, {}}});
    }
}

inline void mixed_families_are_read(Table& table) {
    const ServiceKey key = service("10.96.0.10");
    const Destinations wanted{{destination(key, "10.244.0.1"), {}},
                              {destination(key, "2001:db8:244::1"), {.forward = Forward::tunnel}}};
    check_refused(table.apply(adding({{key, plain(key)}}, wanted)), {});
    CHECK(table.destinations(std::vector{key}).specs == wanted);
}

/// A few of many are read in another way than all.
inline void reads_the_few_asked_for(Table& table) {
    Services services;
    Destinations destinations;
    for (std::uint16_t port = 1; port <= 40; ++port)
        for (const auto* const address : {"10.96.0.10", "2001:db8:96::10"}) {
            const ServiceKey key = service(address, port);
            services[key] = plain(key);
            for (std::uint16_t i = 0; i < port % 5; ++i)
                destinations[destination(
                    key, key.address.family() == Family::v4 ? "10.244.0.1" : "2001:db8:244::1",
                    static_cast<std::uint16_t>(8000 + i))] = {};
        }
    REQUIRE(table.apply(adding(services, destinations)).clean());
    CHECK(all_destinations(table).specs == destinations);
    const ServiceKey four = service("10.96.0.10", 4);
    const ServiceKey none = service("2001:db8:96::10", 5);
    const ServiceKey gone = service("10.96.0.10", 41);
    const auto observed = table.destinations(std::vector{four, none, gone}).specs;
    CHECK(observed.size() == 4);
    for (const auto& [key, spec] : observed)
        CHECK(key.service == four);
}

/// Real servers asked for by name: of both families, present and missing, in use and not.
inline void looks_up_real_servers(Table& table) {
    const ServiceKey four = service("10.96.0.10"), six = service("2001:db8:96::10");
    const ServiceKey gone = service("10.96.0.11"), mixed = service("10.96.0.12");
    Destinations destinations;
    for (const auto* const address : {"10.244.0.1", "10.244.0.2", "10.244.0.3"})
        destinations[destination(four, address)] = {};
    for (const auto* const address : {"2001:db8:244::1", "2001:db8:244::2"})
        destinations[destination(six, address)] = {.weight = 7};
    destinations[destination(mixed, "10.244.0.1")] = {};
    destinations[destination(mixed, "2001:db8:244::1")] = {.forward = Forward::tunnel};
    REQUIRE(table
                .apply(adding({{four, plain(four)}, {six, plain(six)}, {mixed, plain(mixed)}},
                              destinations))
                .clean());
    CHECK(table.look_up({}).specs.empty());
    std::vector asked{destination(four, "10.244.0.2"),       destination(four, "10.244.0.9"),
                      destination(gone, "10.244.0.1"),       destination(mixed, "10.244.0.1"),
                      destination(mixed, "2001:db8:244::1"), destination(mixed, "10.244.0.2"),
                      destination(six, "2001:db8:244::2")};
    std::ranges::sort(asked);
    const auto found = table.look_up(asked);
    CHECK(found.specs ==
          Destinations{{destination(four, "10.244.0.2"), {}},
                       {destination(mixed, "10.244.0.1"), {}},
                       {destination(mixed, "2001:db8:244::1"), {.forward = Forward::tunnel}},
                       {destination(six, "2001:db8:244::2"), {.weight = 7}}});
    CHECK(found.busy.empty());
}

inline void holds_timeouts(Table& table) {
    using std::chrono::seconds;
    const Timeouts before = table.timeouts();
    CHECK(before.tcp > seconds{0});
    table.set_timeouts({.tcp = seconds{1000}, .tcp_fin = {}, .udp = seconds{77}});
    CHECK(table.timeouts() ==
          Timeouts{.tcp = seconds{1000}, .tcp_fin = before.tcp_fin, .udp = seconds{77}});
    CHECK_THROWS_AS(table.set_timeouts({.tcp = seconds{-1}, .tcp_fin = {}, .udp = {}}),
                    std::system_error);
    CHECK_THROWS_AS(table.set_timeouts({.tcp = seconds{4'000'000'000}, .tcp_fin = {}, .udp = {}}),
                    std::system_error);
    CHECK(table.timeouts().tcp == seconds{1000});
}

inline void difference_settles(Table& table) {
    REQUIRE(table.apply(adding(varied_services(), varied_destinations())).clean());
    Services services = varied_services();
    Destinations destinations = varied_destinations();
    services.erase(service("10.96.0.11"));
    services[service("10.96.0.10", 53, Protocol::udp)].scheduler = "wrr";
    const ServiceKey fresh = service("2001:db8:96::77", 443);
    services[fresh] = plain(fresh, "mh");
    destinations[destination(fresh, "2001:db8:244::7")] = {};
    destinations.erase(destinations.begin());
    destinations.begin()->second.weight = 12;
    check_refused(table.apply({.services = diff(table.services(), services),
                               .destinations = diff(all_destinations(table).specs, destinations)}),
                  {});
    CHECK(table.services() == services);
    CHECK(all_destinations(table).specs == destinations);
}

inline void tells_schedulers_in_use(Table& table) {
    CHECK_FALSE(table.schedules_by("rr"));
    const ServiceKey v4 = service("10.96.0.10"), v6 = service("2001:db8:96::10");
    REQUIRE(table.apply(adding({{v4, plain(v4, "rr")}, {v6, plain(v6, "lc")}}, {})).clean());
    CHECK(table.schedules_by("rr"));
    CHECK(table.schedules_by("lc")); // of the family that the cheap way does not see
    CHECK_FALSE(table.schedules_by("r"));
    CHECK_FALSE(table.schedules_by("rrr"));
}

/// To be called as the whole of a test case: its sections start from an empty table each.
inline void keeps_contract(Table& table) {
    SECTION("what was added is read back") {
        reads_back_what_was_added(table);
    }
    SECTION("an update is made in place") {
        updates_in_place(table);
    }
    SECTION("a weight is set again") {
        restores_weight(table);
    }
    SECTION("a removed virtual server takes its real servers along") {
        removal_takes_all(table);
    }
    SECTION("missing ones") {
        missing_ones(table);
    }
    SECTION("what exists is not added, nor changed by it") {
        doubles_are_refused(table);
    }
    SECTION("refusals") {
        refusals_are_by_name(table);
    }
    SECTION("real servers of the other family are seen") {
        mixed_families_are_read(table);
    }
    SECTION("only those asked for are read") {
        reads_the_few_asked_for(table);
    }
    SECTION("real servers are looked up") {
        looks_up_real_servers(table);
    }
    SECTION("schedulers in use") {
        tells_schedulers_in_use(table);
    }
    SECTION("timeouts") {
        holds_timeouts(table);
    }
    SECTION("applying the difference settles it") {
        difference_settles(table);
    }
}

} // namespace ipvsproxy::ipvs::contract
