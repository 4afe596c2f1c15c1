#include "ipvs/operations.h"

#include <catch2/catch.hpp>

#include <set>
#include <sstream>

#include "tests/ipvs/values.h"

namespace ipvsproxy::ipvs {
namespace {

std::string line(const ServiceOperation& operation) {
    std::ostringstream out;
    out << static_cast<int>(operation.command) << ' ' << *operation.key;
    if (operation.spec != nullptr) out << ' ' << operation.scheduler;
    return out.str();
}

std::string line(const DestinationOperation& operation) {
    std::ostringstream out;
    out << static_cast<int>(operation.command) << ' ' << *operation.key;
    return out.str();
}

/// Everything succeeds, but for the lines told to fail.
struct Recorder {
    std::vector<std::string> lines;
    std::set<std::string> failing;

    Outcome apply(const TableChanges& changes, std::uint64_t salt = 0) {
        return apply_in_order(changes, salt, [this](const Operations& operations) {
            Execution result;
            for (std::size_t i = 0; i < operations.size(); ++i) {
                lines.push_back(
                    std::visit([](const auto& each) { return line(each); }, operations[i]));
                if (failing.contains(lines.back()))
                    result.errors.push_back(
                        {i, std::make_error_code(std::errc::not_enough_memory)});
            }
            return result;
        });
    }
};

using Lines = std::vector<std::string>;

const ServiceKey a = service("10.96.0.1");
const ServiceKey b = service("10.96.0.2");
const ServiceKey c = service("10.96.0.3");

TEST_CASE("virtual servers come first and go last, real servers are added before others go",
          "[ipvs]") {
    Recorder recorder;
    TableChanges changes;
    changes.services = {.add = {{b, plain(b)}}, .update = {{a, plain(a, "wlc")}}, .remove = {c}};
    changes.destinations = {.add = {{destination(b, "10.244.0.1"), {}}},
                            .update = {{destination(a, "10.244.0.2"), {}}},
                            .remove = {destination(a, "10.244.0.3")}};
    CHECK(recorder.apply(changes).clean());
    CHECK(recorder.lines == Lines{"1 10.96.0.2:80/TCP rr", "2 10.96.0.1:80/TCP wlc",
                                  "5 10.96.0.2:80/TCP -> 10.244.0.1:8080",
                                  "6 10.96.0.1:80/TCP -> 10.244.0.2:8080",
                                  "7 10.96.0.1:80/TCP -> 10.244.0.3:8080", "3 10.96.0.3:80/TCP"});
}

TEST_CASE("real servers of a removed virtual server need no message", "[ipvs]") {
    Recorder recorder;
    CHECK(recorder.apply(removing({a}, {destination(a, "10.244.0.1")})).clean());
    CHECK(recorder.lines == Lines{"3 10.96.0.1:80/TCP"});
}

TEST_CASE("a new mh virtual server is filled as rr and then switched", "[ipvs]") {
    Recorder recorder;
    const DestinationKey server = destination(a, "10.244.0.1");
    const TableChanges changes = adding({{a, plain(a, "mh")}, {b, plain(b, "mh")}}, {{server, {}}});
    SECTION("unless it has no real server") {
        CHECK(recorder.apply(changes).clean());
        CHECK(recorder.lines == Lines{"1 10.96.0.1:80/TCP rr", "1 10.96.0.2:80/TCP mh",
                                      "5 10.96.0.1:80/TCP -> 10.244.0.1:8080",
                                      "2 10.96.0.1:80/TCP mh"});
    }
    SECTION("or was refused") {
        recorder.failing = {"1 10.96.0.1:80/TCP rr"};
        CHECK(recorder.apply(changes).services.size() == 1);
        CHECK(recorder.lines.back() == "5 10.96.0.1:80/TCP -> 10.244.0.1:8080");
    }
    SECTION("and is taken away whole when the switch is refused") {
        recorder.failing = {"2 10.96.0.1:80/TCP mh"};
        const Outcome outcome = recorder.apply(changes);
        const auto error = std::make_error_code(std::errc::not_enough_memory);
        CHECK(outcome.services == std::vector{Refusal<ServiceKey>{a, error}});
        CHECK(outcome.destinations == std::vector{Refusal<DestinationKey>{server, error}});
        CHECK(recorder.lines.back() == "3 10.96.0.1:80/TCP");
    }
}

TEST_CASE("an existing virtual server that becomes mh is simply updated", "[ipvs]") {
    Recorder recorder;
    CHECK(recorder.apply(updating({{a, plain(a, "mh")}})).clean());
    CHECK(recorder.lines == Lines{"2 10.96.0.1:80/TCP mh"});
}

TEST_CASE("D-17 the salt decides which real server of a virtual server is added first", "[ipvs]") {
    Destinations destinations;
    for (const ServiceKey& key : {a, b})
        for (std::uint16_t port = 1; port <= 8; ++port)
            destinations[destination(key, "10.244.0.1", port)] = {};
    std::set<std::string> firsts;
    for (std::uint64_t salt = 1; salt <= 40; ++salt) {
        Recorder recorder;
        recorder.apply(adding({{a, plain(a)}, {b, plain(b)}}, destinations), salt);
        Recorder again;
        again.apply(adding({{a, plain(a)}, {b, plain(b)}}, destinations), salt);
        CHECK(again.lines == recorder.lines);
        firsts.insert(recorder.lines[2]);
        CHECK(std::set(recorder.lines.begin(), recorder.lines.end()).size() == 18);
    }
    CHECK(firsts.size() >= 5);
}

TEST_CASE("of a cold start's many operations each refusal is that of its own", "[ipvs]") {
    Destinations destinations;
    std::set<std::string> refused;
    for (int third = 0; third < 100; ++third)
        for (std::uint16_t port = 1; port <= 200; ++port)
            destinations[destination(a, "10.244.0." + std::to_string(third), port)] = {};
    Recorder recorder;
    for (const int third : {0, 41, 99}) {
        const auto one = destination(a, "10.244.0." + std::to_string(third), 77);
        recorder.failing.insert(line(DestinationOperation{Command::new_destination, &one, {}}));
    }
    const Outcome outcome = recorder.apply(adding({{a, plain(a)}}, destinations));
    CHECK(recorder.lines.size() == 20001);
    CHECK(recorder.lines.front() == "1 10.96.0.1:80/TCP rr");
    for (const auto& refusal : outcome.destinations)
        refused.insert(line(DestinationOperation{Command::new_destination, &refusal.key, nullptr}));
    CHECK(refused == recorder.failing);
    CHECK(outcome.destinations.size() == 3);
}

} // namespace
} // namespace ipvsproxy::ipvs
