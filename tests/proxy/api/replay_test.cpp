// What a real kube-apiserver 1.36 said, replayed: every recorded answer to a list or watch.
#include "tests/proxy/api/recorded.h"
#include "tests/proxy/api/watching.h"

namespace ipvsproxy::api {
namespace {

using Catch::Matchers::Contains;
using Texts = std::vector<std::string>;

/// The recorded answer, in pieces of this size.
Line replayed(const std::string& name, Then then = Then::end, std::size_t size = 700) {
    const auto all = recorded(name);
    Line line;
    line.then = then;
    line.status =
        static_cast<unsigned>(std::stoul(all.head.substr(std::string{"HTTP/1.1 "}.size())));
    const std::string field = "\r\nRetry-After: ";
    if (const auto at = all.head.find(field); at != std::string::npos)
        line.headers["Retry-After"] = all.head.substr(at + field.size(), 1);
    for (std::size_t at = 0; at < all.body.size(); at += size)
        line.pieces.push_back(all.body.substr(at, size));
    return line;
}

/// Services without EndpointSlices, in pages.
void refuse_stream(Watching& watch, const std::string& path) {
    watch.script.add(path, {.status = 422});
}

} // namespace

TEST_CASE("replayed: the streamed lists of services and slices, then changes to the orderly end",
          "[api]") {
    Watching watch;
    watch.script.add(services, replayed("services-watchlist"));
    watch.script.add(slices, replayed("endpointslices-watchlist"));
    watch.start();
    CHECK(watch.completions == 1);
    CHECK(watch.source.lists() == 2);
    CHECK_FALSE(watch.store.services().empty());
    CHECK_FALSE(watch.store.all_slices().empty());
    CHECK(watch.odds.empty());
    CHECK(watch.troubles.empty());
    watch.until([&] { return watch.script.asked(services).size() == 2; });
    CHECK_THAT(watch.script.asked(services).back(),
               Contains("&watch=1&") && Contains("resourceVersion="));
}

TEST_CASE("replayed: a list in three pages is the list in one", "[api]") {
    Watching whole, pages;
    for (auto* watch : {&whole, &pages})
        refuse_stream(*watch, services);
    whole.script.add(services, replayed("services-list"));
    for (const auto* page : {"services-list-page1", "services-list-page2", "services-list-page3"})
        pages.script.add(services, replayed(page));
    whole.start();
    pages.start();
    whole.until([&] { return whole.lists.size() == 1; });
    pages.until([&] { return pages.lists.size() == 1; });
    CHECK(whole.store.services().size() == 6);
    CHECK((whole.store.services() == pages.store.services()));
    CHECK_THAT(pages.script.asked(services)[2], Contains("continue=eyJ2Ijoi"));
    CHECK_THAT(whole.script.asked(services).back(), Contains("resourceVersion=221"));
    CHECK_THAT(pages.script.asked(services).back(), Contains("resourceVersion=222"));
}

TEST_CASE("replayed: slices, this node, and the ServiceCIDRs that decide nothing", "[api]") {
    Watching watch;
    for (const auto& path : {slices, nodes, cidrs})
        refuse_stream(watch, path);
    watch.script.add(slices, replayed("endpointslices-list"));
    watch.script.add(nodes, replayed("nodes-list"));
    watch.script.add(cidrs, replayed("servicecidrs-list"));
    watch.start();
    watch.until([&] { return watch.lists.size() == 3; });
    CHECK(watch.store.all_slices().size() == 6);
    REQUIRE(watch.store.node("node-1") != nullptr);
    CHECK(watch.store.node("node-1")->zone.text() == "zone-a");
}

TEST_CASE("replayed: a list, then a watch with changes, a label that takes a service away, and a "
          "deletion",
          "[api]") {
    Watching watch;
    refuse_stream(watch, services);
    watch.script.add(services, replayed("services-list"));
    watch.script.add(services, replayed("services-watch", Then::end, 50));
    watch.start();
    watch.until([&] { return watch.script.asked(services).size() == 4; });
    CHECK(watch.troubles.empty());
    CHECK(watch.service_names() == Texts{"kubernetes", "web-1", "web-2", "web-4", "web-6"});
    const auto last = watch.script.asked(services).back();
    CHECK_THAT(last, Contains("&watch=1&") && !Contains("resourceVersion=221&"));
}

TEST_CASE("replayed: a watch from a version too old leads to a list", "[api]") {
    Watching watch;
    watch.listed_with(event("ADDED", service_item("a"), 5));
    watch.script.add(services, replayed("services-watch-too-old"));
    watch.script.finish(services, Then::cut);
    watch.until([&] { return watch.script.asked(services).size() == 3; });
    CHECK_THAT(watch.script.asked(services).back(),
               Contains("sendInitialEvents=true") && Contains("&resourceVersion=10&"));
    CHECK(watch.service_names() == Texts{"a"});
}

TEST_CASE("replayed: a watch from a version yet to come is silent; the server is behind", "[api]") {
    Watching watch;
    watch.listed_with(event("ADDED", service_item("a"), 5));
    watch.script.add(services, replayed("services-watch-future"));
    watch.script.add(services, replayed("services-list-exact-future"));
    watch.script.finish(services, Then::cut);
    watch.until([&] { return watch.script.asked(services).size() == 4; });
    const auto asked = watch.script.asked(services);
    CHECK_THAT(asked[2], Contains("&limit=1&resourceVersion=10&resourceVersionMatch=NotOlderThan"));
    CHECK_THAT(asked[3], Contains("sendInitialEvents=true") && !Contains("resourceVersion="));
    CHECK(watch.service_names() == Texts{"a"});
    CHECK(watch.troubles.empty());
}

TEST_CASE("replayed: a continue token that is bad or has expired begins the list anew", "[api]") {
    for (const auto* answer : {"services-list-badcontinue", "services-list-expired-continue"}) {
        Watching watch;
        refuse_stream(watch, services);
        watch.script.add(services, replayed("services-list-page1"));
        watch.script.add(services, replayed(answer));
        watch.script.add(services, replayed("services-list"));
        watch.start();
        watch.until([&] { return watch.lists.size() == 1; });
        CHECK(watch.store.services().size() == 6);
        CHECK(watch.troubles.empty());
        CHECK_THAT(watch.script.asked(services)[3], Contains("&resourceVersion=0"));
    }
}

TEST_CASE("replayed: wrong credentials, and a path that is not there, are told with a remedy",
          "[api]") {
    Watching watch;
    watch.script.add(services, replayed("unauthorized"));
    watch.script.add(slices, {.status = 404});
    watch.script.add(slices, replayed("notfound"));
    watch.start();
    watch.until([&] { return watch.troubles.size() == 2; });
    CHECK_THAT(watch.troubles[0], Contains("HTTP status 401: Unauthorized; check the credentials"));
    CHECK_THAT(watch.troubles[1], Contains("endpointslices: HTTP status 404: services \"nope\""));
}

} // namespace ipvsproxy::api
