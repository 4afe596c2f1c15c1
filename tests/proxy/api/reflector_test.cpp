// What is asked next, after every kind of answer that an API server, or what stands before it,
// gives.
#include <catch2/catch.hpp>
#include <deque>

#include "proxy/api/reflector.h"

namespace ipvsproxy::api {
namespace {

using namespace std::chrono_literals;
using Kind = Ask::Kind;

/// A reflector with a clock that stands still unless it is moved, and chances that are given.
struct Play {
    double chance{0};
    Moment now{Moment{} + 1h};
    Reflector reflector{{"services", "/api/v1/services"}, Pace{}, [this] { return chance; }};

    Ask next() {
        now = std::max(now, reflector.due());
        return reflector.next(now);
    }
    std::string target() { return next().target; }
    std::chrono::nanoseconds pause() const { return reflector.due() - now; }

    Meaning event(Event event, const std::string& version, bool initial_end = false) {
        Decoded one;
        one.event = event;
        one.kind = "Service";
        one.resource_version = version;
        one.initial_events_end = initial_end;
        return reflector.take(one, now);
    }
    Meaning error_event(int code, const std::string& reason, const std::string& message = {}) {
        Decoded one;
        one.event = Event::error;
        one.object = Object{Status{code, reason, message}};
        return reflector.take(one, now);
    }
    Meaning item() {
        Decoded one;
        one.kind = "Service";
        return reflector.take(one, now);
    }
    bool refused(int code, const std::string& reason = {}, const std::string& message = {},
                 std::chrono::nanoseconds retry_after = {}) {
        return reflector.refused({code, reason, message}, retry_after, now);
    }
    Meaning ended(End end, const std::string& version = {}, const std::string& token = {}) {
        return reflector.ended(
            end, version.empty() ? std::nullopt : std::optional{ListEnd{version, token}}, now);
    }
    /// A streamed list at this version; its watch is under way.
    void listed(const std::string& version) {
        next();
        REQUIRE(event(Event::bookmark, version, true) == Meaning::complete);
    }
    /// The first request for pages.
    Ask paged() {
        next();
        refused(422, "Invalid", "sendInitialEvents: Forbidden");
        return next();
    }
    /// A watch from this version is under way.
    void watching(const std::string& version) {
        listed(version);
        ended(End::cut);
        REQUIRE(next().kind == Kind::watch);
    }
};

} // namespace

TEST_CASE("a streaming list is asked for first, of whatever is newest", "[api]") {
    Play play;
    const auto ask = play.next();
    CHECK(ask.kind == Kind::stream);
    CHECK(ask.begins_list);
    CHECK(ask.target == "/api/v1/services?watch=1&allowWatchBookmarks=true&sendInitialEvents=true"
                        "&resourceVersionMatch=NotOlderThan&timeoutSeconds=300");
}

TEST_CASE("the selectors are part of every request", "[api]") {
    Play play;
    play.reflector = {{"services", "/x", "labelSelector=%21a"}, Pace{}, [] { return 0.0; }};
    CHECK(play.target().starts_with("/x?labelSelector=%21a&watch=1&"));
    play.refused(400);
    CHECK(play.target() == "/x?labelSelector=%21a&limit=500&resourceVersion=0");
    play.ended(End::whole, "5");
    CHECK(play.target().starts_with("/x?labelSelector=%21a&watch=1&"));
}

TEST_CASE("the streamed list is whole at its bookmark, and goes on as a watch", "[api]") {
    Play play;
    CHECK(play.next().silence == 75s);
    CHECK(play.event(Event::added, "7") == Meaning::put);
    CHECK(play.event(Event::added, "3") == Meaning::put); // lists come in the order of names
    CHECK_FALSE(play.reflector.complete());
    CHECK(play.event(Event::bookmark, "9", true) == Meaning::complete);
    CHECK(play.reflector.complete());
    CHECK(play.reflector.lists() == 1);
    CHECK(play.reflector.silence() == 4min); // of a watch
    CHECK(play.event(Event::modified, "10") == Meaning::put);
    CHECK(play.event(Event::deleted, "11") == Meaning::remove);
    CHECK(play.event(Event::bookmark, "15") == Meaning::nothing);
    CHECK(play.reflector.version() == "15");
}

TEST_CASE("the end of a watch is a watch from where it ended, at once", "[api]") {
    Play play;
    play.listed("9");
    play.event(Event::modified, "12");
    play.now += 5min;
    play.ended(End::whole);
    CHECK(play.pause() == 0s);
    const auto ask = play.next();
    CHECK(ask.target == "/api/v1/services?watch=1&allowWatchBookmarks=true&resourceVersion=12"
                        "&timeoutSeconds=300");
    CHECK(ask.silence == 4min);
}

TEST_CASE("a watch lasts five to ten minutes, as chance has it", "[api]") {
    Play play;
    play.chance = 0.5;
    CHECK(play.target().ends_with("&timeoutSeconds=450"));
    play.chance = 0.999;
    play.listed("9");
    play.ended(End::whole);
    CHECK(play.target().ends_with("&timeoutSeconds=599"));
}

TEST_CASE("a connection cut in a watch is a watch from the last event, at once", "[api]") {
    Play play;
    play.watching("9");
    play.event(Event::modified, "10");
    play.ended(End::cut); // in the midst of the next event
    CHECK(play.pause() == 0s);
    CHECK(play.target().find("resourceVersion=10&") != std::string::npos);
}

TEST_CASE("a server without streaming lists is asked for pages at once", "[api]") {
    for (const int code : {400, 422}) {
        Play play;
        play.next();
        CHECK_FALSE(play.refused(code, "Invalid", "sendInitialEvents: Forbidden")); // no trouble
        CHECK(play.pause() == 0s);
        CHECK(play.target() == "/api/v1/services?limit=500&resourceVersion=0");
    }
}

TEST_CASE("pages are followed to the last, which makes the list whole", "[api]") {
    Play play;
    CHECK(play.paged().begins_list);
    CHECK(play.item() == Meaning::put);
    CHECK(play.ended(End::whole, "222", "a/b+c=") == Meaning::nothing);
    const auto second = play.next();
    CHECK(second.target == "/api/v1/services?limit=500&continue=a%2Fb%2Bc%3D");
    CHECK_FALSE(second.begins_list);
    CHECK(play.item() == Meaning::put);
    CHECK(play.ended(End::whole, "222") == Meaning::complete);
    CHECK(play.reflector.version() == "222");
    CHECK(play.next().kind == Kind::watch);
}

TEST_CASE("the next list is tried as a stream again: the server may have been renewed", "[api]") {
    Play play;
    play.paged();
    play.ended(End::whole, "5");
    play.next();
    play.refused(410, "Expired");
    CHECK(play.next().kind == Kind::stream);
}

TEST_CASE("a watch that is too old leads to a list not older than what is known", "[api]") {
    Play play;
    play.watching("9");
    CHECK(play.error_event(410, "Expired", "too old resource version: 9 (843)") == Meaning::stop);
    CHECK(play.pause() == 800ms); // every node of the cluster hears this at once
    const auto ask = play.next();
    CHECK(ask.kind == Kind::stream);
    CHECK(ask.target.find("&resourceVersion=9&") != std::string::npos);
    CHECK(play.reflector.complete()); // nothing is missing meanwhile
    play.refused(400);
    // the server's cache answers this whole; with a limit it would ask etcd
    CHECK(play.target() == "/api/v1/services?resourceVersion=9");
}

TEST_CASE("an expired continue token leads to the list in one piece", "[api]") {
    Play play;
    play.paged();
    play.ended(End::whole, "222", "token");
    play.next();
    play.refused(410, "Expired");
    CHECK(play.pause() == 0s);
    const auto ask = play.next();
    CHECK(ask.target == "/api/v1/services?resourceVersion=0");
    CHECK(ask.begins_list);
    CHECK(play.ended(End::whole, "230") == Meaning::complete);
    CHECK(play.reflector.version() == "230");
}

TEST_CASE("a continue token that is not understood leads to the list in one piece", "[api]") {
    Play play;
    play.paged();
    play.ended(End::whole, "222", "token");
    play.next();
    play.refused(400, "BadRequest", "invalid continue token");
    CHECK(play.target() == "/api/v1/services?resourceVersion=0");
}

TEST_CASE("a list from a version no longer kept becomes one of the newest", "[api]") {
    Play play;
    play.watching("9");
    play.error_event(410, "Expired");
    play.next();
    CHECK(play.error_event(410, "Expired") == Meaning::stop);
    CHECK(play.pause() == 0s);
    CHECK(play.target().find("&resourceVersion=") == std::string::npos);
    play.refused(400);
    CHECK(play.target() == "/api/v1/services?limit=500");
    CHECK(play.refused(410, "Expired")); // nothing is left to try
    CHECK(play.pause() > 0s);
    CHECK(play.target() == "/api/v1/services?limit=500");
}

TEST_CASE("a server that lags behind what is known is asked for the newest", "[api]") {
    Play play;
    play.watching("999");
    play.error_event(410, "Expired");
    play.next();
    CHECK_FALSE(
        play.refused(504, "Timeout", "Timeout: Too large resource version: 999, current: 259", 5s));
    CHECK(play.pause() == 5s); // Retry-After
    CHECK(play.target().find("&resourceVersion=") == std::string::npos);
    play.event(Event::bookmark, "260", true);
    CHECK(play.reflector.version() == "260");
}

TEST_CASE("a resourceVersion that goes back leads to a list of the newest", "[api]") {
    Play play;
    play.watching("900");
    CHECK(play.event(Event::bookmark, "120") == Meaning::stop);
    CHECK(play.pause() == 800ms);
    CHECK(play.target().find("&resourceVersion=") == std::string::npos);
    play.event(Event::bookmark, "121", true);
    CHECK(play.event(Event::modified, "122") == Meaning::put);
}

TEST_CASE("resourceVersions that are no numbers are not compared", "[api]") {
    Play play;
    play.watching("b-2");
    CHECK(play.event(Event::modified, "a-1") == Meaning::put);
    CHECK(play.reflector.version() == "a-1");
}

TEST_CASE("after a watch that brought nothing the server is asked how far it is", "[api]") {
    for (const auto end : {End::whole, End::silent}) {
        Play play;
        play.watching("900");
        play.now += 6min;
        play.ended(end);
        const auto probe = play.next();
        CHECK(probe.kind == Kind::probe);
        CHECK(probe.target == "/api/v1/services?limit=1&resourceVersion=900"
                              "&resourceVersionMatch=NotOlderThan");
        CHECK(play.item() == Meaning::nothing);
        SECTION("far enough: it is watched on") {
            play.ended(End::whole, "950", "more");
            CHECK(play.target().find("watch=1&allowWatchBookmarks=true&resourceVersion=900&") !=
                  std::string::npos);
        }
        SECTION("not as far: it is listed anew") {
            play.refused(504, "Timeout", "Too large resource version: 900, current: 20");
            CHECK(play.next().kind == Kind::stream);
        }
    }
}

TEST_CASE("after a server could not be reached it is asked how far it is", "[api]") {
    Play play;
    play.watching("9");
    play.ended(End::cut);
    play.next();
    play.reflector.unreachable(play.now);
    CHECK(play.next().kind == Kind::probe);
    play.reflector.unreachable(play.now);
    CHECK(play.next().kind == Kind::probe);
    play.ended(End::whole, "10");
    CHECK(play.next().kind == Kind::watch);
}

TEST_CASE("a watch that ends empty within a second is a failure", "[api]") {
    Play play;
    play.watching("9");
    play.now += 200ms;
    play.ended(End::cut);
    CHECK(play.pause() == 800ms);
}

TEST_CASE("pauses double up to half a minute, and by chance up to twice that", "[api]") {
    Play play;
    std::vector<std::chrono::nanoseconds> pauses;
    for (int i = 0; i < 8; ++i) {
        play.next();
        play.refused(503);
        pauses.push_back(play.pause());
    }
    CHECK(pauses == std::vector<std::chrono::nanoseconds>{800ms, 1600ms, 3200ms, 6400ms, 12800ms,
                                                          25600ms, 30s, 30s});
    play.chance = 0.5;
    play.next();
    play.refused(503);
    CHECK(play.pause() == 45s);
}

TEST_CASE("pauses begin anew after two minutes without a failure", "[api]") {
    Play play;
    for (int i = 0; i < 4; ++i) {
        play.next();
        play.refused(503);
    }
    play.now += 2min + 1s;
    play.refused(503);
    CHECK(play.pause() == 800ms);
}

TEST_CASE("pauses begin anew when a watch brings something", "[api]") {
    Play play;
    for (int i = 0; i < 4; ++i) {
        play.next();
        play.refused(503);
    }
    play.paged();
    play.ended(End::whole, "9");
    play.next();
    play.event(Event::bookmark, "10");
    play.error_event(500, "InternalError");
    CHECK(play.pause() == 800ms);
}

TEST_CASE("Retry-After is waited for, where it is longer", "[api]") {
    for (const int code : {429, 500, 503, 504}) {
        Play play;
        play.next();
        play.refused(code, {}, {}, 7s);
        CHECK(play.pause() == 7s);
        play.next();
        play.refused(code, {}, {}, 1s);
        CHECK(play.pause() == 1600ms);
    }
}

TEST_CASE("an overloaded or failing server is asked the same again", "[api]") {
    Play play;
    play.watching("9");
    for (const int code : {429, 500, 503, 401, 403}) {
        CHECK(play.refused(code));
        CHECK(play.next().kind == Kind::watch);
    }
    CHECK(play.error_event(429, "TooManyRequests") == Meaning::stop);
    CHECK(play.next().kind == Kind::watch);
}

TEST_CASE("a watch that is refused for what it asks leads to a list", "[api]") {
    Play play;
    play.watching("9");
    play.refused(400, "BadRequest", "resourceVersion: Invalid value");
    CHECK(play.pause() == 800ms);
    CHECK(play.next().kind == Kind::stream);
}

TEST_CASE("a stream that breaks off twice before its bookmark is asked for in pages", "[api]") {
    Play play;
    play.next();
    play.event(Event::added, "3");
    CHECK(play.ended(End::cut) == Meaning::nothing);
    CHECK(play.pause() == 800ms);
    const auto again = play.next();
    CHECK(again.kind == Kind::stream);
    CHECK(again.begins_list);
    play.ended(End::silent);
    CHECK(play.target() == "/api/v1/services?limit=500&resourceVersion=0");
    CHECK_FALSE(play.reflector.complete());
}

TEST_CASE("a page that is cut is asked for again; the first one begins the list anew", "[api]") {
    Play play;
    play.paged();
    play.item();
    play.ended(End::cut);
    CHECK(play.pause() > 0s);
    const auto first = play.next();
    CHECK(first.begins_list);
    play.ended(End::whole, "222", "token");
    play.next();
    play.ended(End::cut);
    const auto second = play.next();
    CHECK(second.target.ends_with("continue=token"));
    CHECK_FALSE(second.begins_list);
}

TEST_CASE("a list that is no list is asked for anew", "[api]") {
    for (const auto end : {End::broken, End::whole}) {
        Play play;
        play.paged();
        play.ended(End::whole, "222", "token");
        play.next();
        CHECK(play.ended(end) == Meaning::nothing); // without a ListMeta
        CHECK(play.pause() > 0s);
        CHECK(play.target() == "/api/v1/services?limit=500&resourceVersion=0");
    }
    Play play;
    play.paged();
    CHECK(play.reflector.ended(End::whole, ListEnd{}, play.now) == Meaning::nothing);
    CHECK_FALSE(play.reflector.complete());
}

TEST_CASE("a watch event that is no JSON leads to a list", "[api]") {
    Play play;
    play.watching("9");
    play.ended(End::broken);
    CHECK(play.pause() == 800ms);
    CHECK(play.target().find("&resourceVersion=9&") != std::string::npos);
}

TEST_CASE("an ERROR event without a Status is an internal error", "[api]") {
    Play play;
    play.watching("9");
    Decoded one;
    one.event = Event::error;
    CHECK(play.reflector.take(one, play.now) == Meaning::stop);
    CHECK(play.pause() == 800ms);
    CHECK(play.next().kind == Kind::watch);
}

TEST_CASE("what is not needed may be refused, and is asked for seldom", "[api]") {
    Play play;
    play.reflector = {{"servicecidrs", "/x", {}, false}, Pace{}, [] { return 0.0; }};
    play.next();
    CHECK_FALSE(play.refused(403, "Forbidden"));
    CHECK(play.pause() == 5min);
    play.next();
    CHECK(play.refused(503));
    CHECK(play.pause() == 800ms);
}

} // namespace ipvsproxy::api
