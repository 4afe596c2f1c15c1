// Four collections into one store, over a client that answers from a script.
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/proxy/api/watching.h"

namespace ipvsproxy::api {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using Texts = std::vector<std::string>;

/// Until the timer is cancelled.
boost::asio::awaitable<void> rung(boost::asio::steady_timer& bell) {
    boost::system::error_code cancelled;
    co_await bell.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, cancelled));
}

const std::string added = "ADDED", modified = "MODIFIED", deleted = "DELETED";

} // namespace

TEST_CASE("each collection is asked for with kube-proxy's selectors", "[api]") {
    Watching watch;
    watch.start();
    const std::string rest = "watch=1&allowWatchBookmarks=true&sendInitialEvents=true"
                             "&resourceVersionMatch=NotOlderThan&timeoutSeconds=300";
    CHECK(watch.script.asked(services) ==
          Texts{"?labelSelector=%21service.kubernetes.io%2Fservice-proxy-name"
                "&fieldSelector=spec.clusterIP%21%3DNone&" +
                rest});
    CHECK(watch.script.asked(slices) ==
          Texts{"?labelSelector=%21service.kubernetes.io%2Fheadless&" + rest});
    CHECK(watch.script.asked(nodes) == Texts{"?fieldSelector=metadata.name%3Dnode-1&" + rest});
    CHECK(watch.script.asked(cidrs) == Texts{"?" + rest});
}

TEST_CASE("it is complete when services and slices have both been listed, and not before",
          "[api]") {
    Watching watch;
    watch.script.add(services, {.pieces = {event(added, service_item("a"), 5) + bookmark(9, true)},
                                .then = Then::hold});
    watch.script.add(slices,
                     {.pieces = {event(added, slice_item("a-1", "a"), 6)}, .then = Then::hold});
    watch.start();
    CHECK(watch.rings == 2);
    CHECK(watch.completions == 0);
    watch.script.push(slices, bookmark(9, true));
    watch.settle();
    CHECK(watch.completions == 1);
    watch.script.push(slices, event(deleted, slice_item("a-1", "a"), 12));
    watch.settle();
    CHECK(watch.completions == 1); // told once
    CHECK(watch.store.all_slices().empty());
    CHECK(watch.lists == Texts{"services", "endpointslices"});
}

TEST_CASE("all that is read at once rings once, and what changes nothing does not", "[api]") {
    Watching watch;
    watch.listed_with(event(added, service_item("a"), 5));
    std::string burst;
    for (int i = 0; i < 50; ++i)
        burst += event(modified, service_item("a", "10.96.0." + std::to_string(i + 2)), 20 + i);
    watch.script.push(services, burst);
    watch.settle();
    CHECK(watch.rings == 1);
    CHECK(watch.store.service({"ns", "a"})->cluster_ip.v4->text() == "10.96.0.51");
    watch.script.push(services, event(modified, service_item("a", "10.96.0.51"), 80)); // status
    watch.script.push(services, bookmark(90));
    watch.settle();
    CHECK(watch.rings == 1);
}

TEST_CASE("events cut anywhere are joined", "[api]") {
    Watching watch;
    watch.listed_with({});
    const auto text = event(added, service_item("a"), 20) + event(added, service_item("b"), 21);
    for (const char c : text)
        watch.script.push(services, std::string{c});
    watch.settle();
    CHECK(watch.service_names() == Texts{"a", "b"});
    CHECK(watch.rings == 2);
}

TEST_CASE("a watch cut in mid-object goes on from the last whole event", "[api]") {
    Watching watch;
    watch.listed_with(event(added, service_item("a"), 5));
    const auto next = event(added, service_item("c"), 21);
    watch.script.push(services, event(added, service_item("b"), 20) + next.substr(0, 40));
    watch.script.add(services, {.pieces = {next}, .then = Then::hold});
    watch.script.finish(services, Then::cut);
    watch.until([&] { return watch.store.services().size() == 3; });
    CHECK_THAT(watch.script.asked(services).back(),
               Contains("&watch=1&allowWatchBookmarks=true&resourceVersion=20&"));
    CHECK(watch.troubles.empty());
}

TEST_CASE("while the server cannot be asked nothing is forgotten", "[api]") {
    Watching watch;
    watch.listed_with(event(added, service_item("a"), 5) + event(added, service_item("b"), 6));
    for (int i = 0; i < 5; ++i)
        watch.script.add(services, {.refuses = boost::asio::error::connection_refused});
    watch.script.add(services, {.status = 503});
    watch.script.add(services, {.status = 410, .pieces = {status(410, "Expired", "too old")}});
    watch.script.add(services,
                     {.pieces = {event(added, service_item("b"), 6)}, .then = Then::hold});
    watch.script.finish(services, Then::cut);
    watch.until([&] { return watch.script.asked(services).size() == 9; });
    watch.settle();
    CHECK(watch.service_names() == Texts{"a", "b"}); // the list has not come to its end
    CHECK(watch.rings == 0);
    watch.script.push(services, bookmark(40, true));
    watch.settle();
    CHECK(watch.service_names() == Texts{"b"});
    CHECK(watch.rings == 1);
    CHECK(watch.source.lists() == 3);
}

TEST_CASE("a list that breaks off takes nothing away", "[api]") {
    for (const auto then : {Then::cut, Then::stall, Then::end}) {
        Watching watch;
        watch.listed_with(event(added, service_item("a"), 5));
        watch.script.push(services, R"({"type":"ERROR","object":)" +
                                        status(410, "Expired", "too old") + "}\n");
        watch.script.add(services, {.status = 400});
        const auto list = list_of(service_item("b") + "," + service_item("c"), 50);
        watch.script.add(services, {.pieces = {list.substr(0, list.size() - 60)}, .then = then});
        watch.until([&] { return watch.script.asked(services).size() == 4; });
        CHECK(watch.service_names() == Texts{"a", "b"});
        REQUIRE(watch.troubles.size() == 1);
        CHECK_THAT(watch.troubles.front(), StartsWith("services: the "));
    }
}

TEST_CASE("pages of a list are joined, and their end alone removes", "[api]") {
    Watching watch;
    watch.script.add(services, {.status = 422});
    watch.script.add(services, {.pieces = {list_of(service_item("a"), 50, "next")}});
    watch.script.add(services, {.pieces = {list_of(service_item("b"), 50)}});
    watch.script.add(services, {.status = 410});
    watch.script.add(services, {.status = 422});
    watch.script.add(services, {.pieces = {list_of(service_item("b"), 60, "more")}});
    watch.start();
    watch.until([&] { return watch.script.asked(services).size() == 7; });
    CHECK(watch.service_names() == Texts{"a", "b"});
    CHECK_THAT(watch.script.asked(services)[1], Contains("&limit=500&resourceVersion=0"));
    CHECK_THAT(watch.script.asked(services)[2], Contains("&limit=500&continue=next"));
    CHECK_THAT(watch.script.asked(services)[3], Contains("&watch=1"));
    CHECK_THAT(watch.script.asked(services)[5], Contains("&resourceVersion=50"));
    CHECK(watch.lists == Texts{"services"});
}

TEST_CASE("a streamed list may be silent for as long as a list, and its watch as a watch",
          "[api]") {
    Watching watch;
    watch.script.add(services,
                     {.pieces = {event(added, service_item("a"), 5)}, .then = Then::hold});
    watch.start();
    CHECK(watch.script.idle_limit(services) == std::chrono::seconds{75});
    watch.script.push(services, bookmark(10, true));
    watch.settle();
    CHECK(watch.script.idle_limit(services) == std::chrono::minutes{4});
}

TEST_CASE("a stalled watch is asked for again from where it was", "[api]") {
    Watching watch;
    watch.listed_with(event(added, service_item("a"), 5));
    watch.script.add(services, {.then = Then::hold});
    watch.script.finish(services, Then::stall);
    watch.until([&] { return watch.script.asked(services).size() == 2; });
    CHECK_THAT(watch.script.asked(services).back(), Contains("&watch=1") && Contains("=10&"));
    CHECK(watch.script.last(services).idle_limit == std::chrono::minutes{4});
    CHECK(watch.troubles.empty());
}

TEST_CASE("a server that was put back to an earlier state is listed anew", "[api]") {
    Watching watch;
    watch.listed_with(event(added, service_item("a"), 5) + event(added, service_item("b"), 6));
    watch.script.add(services, {.pieces = {event(added, service_item("b"), 2) + bookmark(3, true)},
                                .then = Then::hold});
    watch.script.push(services, bookmark(2));
    watch.until([&] { return watch.lists.size() == 3; });
    CHECK(watch.service_names() == Texts{"b"});
    watch.script.push(services, event(added, service_item("c"), 4));
    watch.settle();
    CHECK(watch.service_names() == Texts{"b", "c"});
}

TEST_CASE("a server that cannot be reached is one trouble for all, told once until it is over",
          "[api]") {
    Watching watch;
    for (const auto& path : {services, slices, nodes, cidrs})
        for (int i = 0; i < 3; ++i)
            watch.script.add(path, {.refuses = boost::asio::error::connection_refused});
    watch.start();
    watch.until([&] { return watch.script.asked(cidrs).size() == 4; });
    CHECK_FALSE(watch.source.answered());
    REQUIRE(watch.troubles.size() == 1);
    CHECK_THAT(watch.troubles.front(), StartsWith("API server: ") && Contains("api.test:6443") &&
                                           Contains("check the server's address and port"));
    CHECK(watch.over.empty());
}

TEST_CASE("the end of a trouble is told when a list or a watch is back", "[api]") {
    Watching watch;
    watch.script.add(services, {.refuses = boost::asio::error::connection_refused});
    watch.script.add(services, {.pieces = {bookmark(9, true)}, .then = Then::hold});
    watch.start();
    watch.until([&] { return watch.lists.size() == 1; });
    CHECK(watch.over == watch.troubles);
    watch.script.add(services, {.refuses = boost::asio::error::connection_refused});
    watch.script.add(services, {.pieces = {list_of({}, 10)}}); // the probe
    watch.script.add(services, {.then = Then::hold});
    watch.script.finish(services, Then::cut);
    watch.until([&] { return watch.over.size() == 2; });
    CHECK(watch.troubles.size() == 2);
    CHECK_THAT(watch.script.asked(services)[3], Contains("&limit=1&resourceVersion=9&"));
}

TEST_CASE("missing rights are told by user, resource and role", "[api]") {
    Watching watch;
    watch.script.add(
        services,
        {.status = 403, .pieces = {status(403, "Forbidden", "User x cannot list services")}});
    watch.start();
    CHECK(watch.troubles ==
          Texts{"services: HTTP status 403: User x cannot list services; let the user named list "
                "and watch services: bind it to the ClusterRole system:node-proxier"});
    CHECK(watch.source.answered());
}

TEST_CASE("what decides nothing may be missing without a word", "[api]") {
    Watching watch;
    watch.script.add(cidrs, {.status = 404});
    watch.script.add(cidrs, {.status = 404});
    watch.start();
    CHECK(watch.script.asked(cidrs).size() == 2); // streamed, then in pages
    CHECK(watch.troubles.empty());
}

TEST_CASE("an answer that is no JSON is trouble and harms nothing", "[api]") {
    Watching watch;
    watch.listed_with(event(added, service_item("a"), 5));
    watch.script.push(services, "<html>Welcome</html>");
    watch.settle();
    REQUIRE(watch.troubles.size() == 1);
    CHECK_THAT(watch.troubles.front(), Contains("not the API's JSON"));
    CHECK(watch.service_names() == Texts{"a"});
    watch.until([&] { return watch.script.asked(services).size() == 2; });
    CHECK_THAT(watch.script.asked(services).back(), Contains("sendInitialEvents=true"));
}

TEST_CASE("a refused object is told once and keeps what it was", "[api]") {
    Watching watch;
    watch.listed_with(event(added, service_item("a"), 5));
    const auto bad = service_item("a", "10.96.0.9", R"(,"ports":[{"port":70000}])");
    watch.script.push(services, event(modified, bad, 20));
    watch.script.push(services, event(modified, bad, 21));
    watch.settle();
    CHECK(watch.odds == Texts{"Service ns/a: spec.ports[0].port: port outside 1..65535"});
    CHECK(watch.source.refused() == 1);
    CHECK(watch.store.service({"ns", "a"})->cluster_ip.v4->text() == "10.96.0.1");
    watch.script.push(services, event(deleted, bad, 22));
    watch.settle();
    CHECK(watch.store.services().empty());
    CHECK(watch.source.refused() == 0);
}

TEST_CASE("listing once takes one list of each and watches nothing", "[api]") {
    Watching watch;
    for (const auto& path : {nodes, services, slices})
        watch.script.add(path, {.pieces = {event(added, service_item("a"), 5) + bookmark(9, true)},
                                .then = Then::hold});
    bool done = false;
    boost::asio::co_spawn(watch.io, watch.source.list(watch.script),
                          [&](std::exception_ptr error) { done = !error; });
    watch.settle();
    CHECK(done);
    CHECK(watch.completions == 1);
    CHECK(watch.script.asked(services).size() == 1);
    CHECK(watch.script.asked(cidrs).empty());
}

TEST_CASE("listing once ends at the first trouble, with its remedy", "[api]") {
    Watching watch;
    watch.script.add(nodes, {.pieces = {bookmark(9, true)}});
    watch.script.add(services, {.status = 401});
    std::string said;
    boost::asio::co_spawn(watch.io, watch.source.list(watch.script), [&](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const std::exception& failure) {
            said = failure.what();
        }
    });
    watch.settle();
    CHECK_THAT(said, StartsWith("API server: HTTP status 401; check the credentials"));
}

TEST_CASE("the node may be followed alone first, and is followed on with the others", "[api]") {
    using boost::asio::experimental::awaitable_operators::operator||;
    Watching watch;
    const std::string node = R"({"type":"ADDED","object":{"kind":"Node","apiVersion":"v1",)"
                             R"("metadata":{"name":"node-1","resourceVersion":"3"}}})";
    watch.script.add(nodes, {.pieces = {node + bookmark(9, true)}, .then = Then::hold});
    boost::asio::steady_timer found{watch.io, std::chrono::steady_clock::time_point::max()};
    const auto first = [&]() -> boost::asio::awaitable<void> {
        auto either = watch.source.follow_node(watch.script) || rung(found);
        co_await std::move(either);
    };
    bool ended = false;
    boost::asio::co_spawn(watch.io, first(), [&](std::exception_ptr) { ended = true; });
    watch.settle();
    CHECK(watch.source.node_listed());
    CHECK(watch.script.asked(services).empty());
    found.cancel();
    watch.settle();
    CHECK(ended);
    CHECK(watch.troubles.empty());
    watch.script.add(nodes, {.then = Then::hold});
    watch.start();
    CHECK_THAT(watch.script.asked(nodes).back(), Contains("resourceVersion=9&"));
    CHECK(watch.store.node("node-1") != nullptr);
}

} // namespace ipvsproxy::api
