// Lists and events into a store: nothing known is lost before a whole list says so.
#include <catch2/catch.hpp>

#include "proxy/api/replica.h"
#include "tests/proxy/api/decoding.h"

namespace ipvsproxy::api {
namespace {

using Kind = Replica::Kind;

std::string service(const std::string& name,
                    const std::string& spec = R"("clusterIP":"10.96.0.1")") {
    return R"({"kind":"Service","apiVersion":"v1","metadata":{"name":")" + name +
           R"(","namespace":"ns"},"spec":{)" + spec + "}}";
}
std::string slice(const std::string& name, const std::string& service) {
    return R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":")" +
           name + R"(","namespace":"ns","labels":{"kubernetes.io/service-name":")" + service +
           R"("}},"addressType":"IPv4"})";
}
const std::string bad_port = R"("clusterIP":"10.96.0.1","ports":[{"port":70000}])";

Decoded decoded(const std::string& text) {
    return std::move(read_json(text).objects.at(0));
}

struct Copy {
    explicit Copy(Kind kind)
        : replica{store, kind, [this](const Oddity& one) { said.push_back(one.text); }} {
        replica.begin_list();
    }
    bool put(const std::string& text) { return replica.put(decoded(text)); }
    bool remove(const std::string& text) { return replica.remove(decoded(text)); }
    std::vector<std::string> services() const {
        std::vector<std::string> names;
        for (const auto& [name, service] : store.services())
            names.push_back(name.name.text());
        return names;
    }

    model::Store store;
    std::vector<std::string> said;
    Replica replica;
};

using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("what a list does not hold goes when the list is whole, and not before", "[api]") {
    Copy copy{Kind::service};
    copy.put(service("a"));
    copy.put(service("b"));
    CHECK_FALSE(copy.replica.complete());
    copy.replica.begin_list();
    CHECK_FALSE(copy.put(service("b"))); // as it was: nothing has changed
    CHECK(copy.put(service("c")));
    CHECK(copy.services() == Texts{"a", "b", "c"});
    CHECK(copy.replica.complete());
    CHECK(copy.services() == Texts{"b", "c"});
}

TEST_CASE("what an unfinished list held does not count as seen in the next", "[api]") {
    Copy copy{Kind::service};
    copy.put(service("a"));
    copy.replica.begin_list();
    copy.put(service("b"));
    CHECK(copy.replica.complete());
    CHECK(copy.services() == Texts{"b"});
}

TEST_CASE("a deletion in the midst of a streamed list counts", "[api]") {
    Copy copy{Kind::service};
    copy.put(service("a"));
    CHECK(copy.remove(service("a")));
    CHECK_FALSE(copy.replica.complete());
    CHECK(copy.services().empty());
}

TEST_CASE("events after the list need no list", "[api]") {
    Copy copy{Kind::slice};
    copy.replica.complete();
    CHECK(copy.put(slice("a-1", "a")));
    CHECK(copy.put(slice("a-1", "b"))); // its label names another service now
    CHECK(copy.store.slices({"ns", "a"}).empty());
    CHECK(copy.store.slices({"ns", "b"}).size() == 1);
    CHECK(copy.remove(slice("a-1", "b")));
    CHECK_FALSE(copy.remove(slice("a-1", "b")));
    CHECK(copy.store.all_slices().empty());
}

TEST_CASE("slices of a whole list are told apart by their own names", "[api]") {
    Copy copy{Kind::slice};
    copy.put(slice("a-1", "a"));
    copy.put(slice("a-2", "a"));
    copy.replica.complete();
    copy.replica.begin_list();
    copy.put(slice("a-2", "a"));
    CHECK(copy.replica.complete());
    REQUIRE(copy.store.slices({"ns", "a"}).size() == 1);
    CHECK(copy.store.slice({"ns", "a-2"}) != nullptr);
}

TEST_CASE("a refused object keeps what it was, and is told once until that changes", "[api]") {
    Copy copy{Kind::service};
    copy.put(service("a"));
    copy.replica.complete();
    CHECK_FALSE(copy.put(service("a", bad_port)));
    CHECK_FALSE(copy.put(service("a", bad_port)));
    CHECK(copy.services() == Texts{"a"});
    CHECK(copy.replica.refused() == 1);
    copy.replica.begin_list();
    CHECK_FALSE(copy.put(service("a", bad_port)));
    CHECK_FALSE(copy.replica.complete()); // it is there, if not legible
    CHECK(copy.services() == Texts{"a"});
    CHECK(copy.said == Texts{"Service ns/a: spec.ports[0].port: port outside 1..65535"});
    copy.put(service("a"));
    CHECK(copy.replica.refused() == 0);
    copy.put(service("a", bad_port));
    CHECK(copy.said.size() == 2);
}

TEST_CASE("the deletion of a refused object works", "[api]") {
    Copy copy{Kind::service};
    copy.put(service("a"));
    copy.replica.complete();
    copy.put(service("a", bad_port));
    CHECK(copy.remove(service("a", bad_port)));
    CHECK(copy.services().empty());
    CHECK(copy.replica.refused() == 0);
}

TEST_CASE("a refused object that a list no longer holds goes", "[api]") {
    Copy copy{Kind::service};
    copy.put(service("a"));
    copy.replica.complete();
    copy.put(service("a", bad_port));
    copy.replica.begin_list();
    CHECK(copy.replica.complete());
    CHECK(copy.services().empty());
    CHECK(copy.replica.refused() == 0);
}

TEST_CASE("a list of as many objects as are held, but others, is another list", "[api]") {
    Copy copy{Kind::service};
    copy.put(service("a"));
    copy.replica.complete();
    copy.replica.begin_list();
    copy.put(service("b", bad_port)); // not held, for it never could be read
    CHECK(copy.replica.complete());
    CHECK(copy.services().empty());
}

TEST_CASE("an object without a name lets a list take nothing away", "[api]") {
    Copy copy{Kind::service};
    copy.put(service("a"));
    copy.replica.complete();
    copy.replica.begin_list();
    copy.put(service(""));
    CHECK_FALSE(copy.replica.complete());
    CHECK(copy.services() == Texts{"a"});
    CHECK(copy.said == Texts{"Service: metadata.name: required"});
    copy.replica.begin_list();
    CHECK(copy.replica.complete());
}

TEST_CASE("what is passed over in an object is told once", "[api]") {
    Copy copy{Kind::service};
    const auto odd = service("a", R"("clusterIP":"10.96.0.1","externalIPs":["x","y"])");
    CHECK(copy.put(odd));
    CHECK_FALSE(copy.put(odd));
    CHECK(copy.said == Texts{"Service ns/a: spec.externalIPs[0]: not an IP address, passed over: "
                             "\"x\"; spec.externalIPs[1]: not an IP address, passed over: \"y\""});
    CHECK(copy.replica.refused() == 0);
}

TEST_CASE("a slice that says nothing to a proxy any more goes", "[api]") {
    Copy copy{Kind::slice};
    copy.put(slice("a-1", "a"));
    copy.replica.complete();
    CHECK(copy.put(slice("a-1", "")));
    CHECK(copy.store.all_slices().empty());
}

TEST_CASE("an object of another kind than was asked for is not stored", "[api]") {
    Copy copy{Kind::service};
    CHECK_FALSE(copy.put(slice("a-1", "a")));
    CHECK(copy.store.all_slices().empty());
    Copy none{Kind::none};
    CHECK_FALSE(none.put(service("a")));
    CHECK(none.services().empty());
}

TEST_CASE("a Node comes, changes and goes", "[api]") {
    Copy copy{Kind::node};
    const auto node = [](const std::string& zone) {
        return R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"n1","labels":)"
               R"({"topology.kubernetes.io/zone":")" +
               zone + R"("}}})";
    };
    CHECK(copy.put(node("a")));
    CHECK_FALSE(copy.replica.complete());
    CHECK(copy.put(node("b")));
    CHECK(copy.store.node("n1")->zone.text() == "b");
    copy.replica.begin_list();
    CHECK(copy.replica.complete());
    CHECK(copy.store.nodes().empty());
}

} // namespace ipvsproxy::api
