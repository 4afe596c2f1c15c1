// Which form is asked for, and how an answer's form is known.
#include <catch2/catch.hpp>

#include "proxy/api/media_type.h"
#include "tests/proxy/api/protobuf_text.h"
#include "tests/proxy/api/watching.h"

namespace ipvsproxy::api {
namespace {

const std::string protobuf = "application/vnd.kubernetes.protobuf";
const std::string both = protobuf + ",application/json";

} // namespace

TEST_CASE("the header Accept is what clientConnection names and we can read", "[api]") {
    CHECK(accepted("", protobuf) == both);
    CHECK(accepted("", "application/json") == "application/json");
    CHECK(accepted("application/json", protobuf) == "application/json");
    CHECK(accepted("application/json, " + protobuf, "") == "application/json");
    CHECK(accepted("application/cbor," + protobuf + ";q=0.9 , */*", "application/json") == both);
    CHECK(accepted("application/cbor", protobuf) == "application/json");
    CHECK(accepted("", "") == "application/json");
    CHECK(accepted("", "Application/VND.kubernetes.Protobuf") == both);
}

TEST_CASE("an answer is read as its Content-Type says", "[api]") {
    std::vector<std::string> labels;
    const auto read = [&](const std::string& type, const std::string& bytes) {
        const auto decoder =
            decoder_for(type, [&](Decoded&& one) { labels.push_back(one.label()); });
        return decoder->feed(bytes) || decoder->finish();
    };
    const auto object = sized(1, sized(1, "web") + sized(3, "shop"));
    const auto whole = enveloped("v1", "Service", object);
    const auto event = sized(1, "ADDED") + sized(2, sized(1, whole));
    const auto frame = std::string{"\0\0\0", 3} + static_cast<char>(event.size()) + event;
    CHECK_FALSE(read(protobuf, whole));
    CHECK_FALSE(read(protobuf + "; Stream=watch", frame));
    CHECK_FALSE(read("application/json", service_item("api")));
    CHECK_FALSE(read("text/plain; charset=utf-8", service_item("odd")));
    CHECK(labels == std::vector<std::string>{"Service shop/web", "Service shop/web",
                                             "Service ns/api", "Service ns/odd"});
    CHECK(read(protobuf, service_item("api")));
}

TEST_CASE("a source asks for protobuf, and follows it", "[api]") {
    Watching watch{both};
    const auto listed = [](const std::string& lines) {
        return Line{.pieces = {protobuf_of(lines, "events")},
                    .then = Then::hold,
                    .headers = {{"Content-Type", protobuf + ";stream=watch"}}};
    };
    watch.script.add(services, listed(event("ADDED", service_item("a"), 9) + bookmark(10, true)));
    watch.script.add(slices, listed(bookmark(10, true)));
    watch.start();
    CHECK(watch.completions == 1);
    CHECK(watch.service_names() == std::vector<std::string>{"a"});
    CHECK(watch.script.last(services).accept == both);
    watch.script.push(services, protobuf_of(event("ADDED", service_item("b"), 11), "events"));
    watch.settle();
    CHECK(watch.service_names() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a server whose protobuf cannot be read twice is asked for JSON from then on", "[api]") {
    Watching watch{both};
    for (int i = 0; i < 2; ++i)
        watch.script.add(services, {.pieces = {"k8s\1what is this?"},
                                    .headers = {{"Content-Type", protobuf + ";stream=watch"}}});
    watch.script.add(services,
                     {.pieces = {event("ADDED", service_item("a"), 9) + bookmark(10, true)},
                      .then = Then::hold});
    watch.start();
    watch.until([&] { return watch.lists.size() == 1; });
    CHECK(watch.script.last(services).accept == "application/json");
    CHECK(watch.script.last(slices).accept == both);
    CHECK(watch.service_names() == std::vector<std::string>{"a"});
    CHECK(watch.troubles.size() == 1);
}

TEST_CASE("a refusal in protobuf tells its reason", "[api]") {
    Watching watch{both};
    watch.script.add(services,
                     {.status = 403,
                      .pieces = {protobuf_of(status(403, "Forbidden", "no list for you"))},
                      .headers = {{"Content-Type", protobuf}}});
    watch.start();
    watch.until([&] { return watch.troubles.size() == 1; });
    CHECK_THAT(watch.troubles[0], Catch::Matchers::Contains("no list for you"));
}

} // namespace ipvsproxy::api
