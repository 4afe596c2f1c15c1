#include <catch2/catch.hpp>

#include "proxy/model/store.h"

using namespace ipvsproxy;
using namespace ipvsproxy::model;

namespace {

using Names = Store::Names;
const ObjectName web{"default", "web"}, dns{"kube-system", "dns"};

Service service(const ObjectName& name, std::uint16_t port = 80) {
    return {.name = name, .ports = {{.name = Symbol{"http"}, .port = Port{port}}}};
}

EndpointSlice slice(const std::string& name, const ObjectName& of,
                    const char* address = "10.0.0.1") {
    return {.name = {of.space, name},
            .service = of,
            .ports = {{.name = Symbol{"http"}, .port = Port{8080}}},
            .endpoints = {{.address = *Address::parse(address)}}};
}

} // namespace

TEST_CASE("a service is dirty once after it was put, changed and removed", "[model]") {
    Store store;
    CHECK(store.put(service(web)));
    CHECK(store.put(service(web, 81)));
    CHECK(store.take_dirty() == Names{web});
    CHECK_FALSE(store.dirty());
    CHECK(store.service(web)->ports.front().port == Port{81});
    CHECK(store.remove_service(web));
    CHECK(store.take_dirty() == Names{web});
    CHECK(store.service(web) == nullptr);
}

TEST_CASE("P-132 P-147 an object equal to the one held changes nothing", "[model]") {
    Store store;
    store.put(service(web));
    store.put(slice("web-1", web));
    store.put(Node{.name = "n1"});
    store.take_dirty();
    store.take_node_changed();
    CHECK_FALSE(store.put(service(web)));
    CHECK_FALSE(store.put(slice("web-1", web)));
    CHECK_FALSE(store.put(Node{.name = "n1"}));
    CHECK_FALSE(store.dirty());
    CHECK_FALSE(store.take_node_changed());
}

TEST_CASE("P-129 a service that changes its type and back is dirty each time it differs",
          "[model]") {
    Store store;
    const auto plain = service(web);
    auto balanced = plain;
    balanced.type = ServiceType::load_balancer;
    balanced.external_local = true;
    balanced.health_check_node_port = Port{345};
    CHECK(store.put(plain));
    CHECK(store.put(balanced));
    CHECK_FALSE(store.put(balanced));
    CHECK(store.put(plain));
    CHECK(store.take_dirty() == Names{web});
}

TEST_CASE("a slice is found by its name, whichever service it is filed under", "[model]") {
    Store store;
    store.put(slice("web-1", web));
    REQUIRE(store.slice({"default", "web-1"}) != nullptr);
    CHECK(store.slice({"default", "web-1"})->service == web);
    CHECK(store.slice({"other", "web-1"}) == nullptr);
}

TEST_CASE("P-147 P-151 every difference in a slice makes its service dirty", "[model]") {
    Store store;
    auto held = slice("web-1", web);
    held.ports.push_back({.name = Symbol{"metrics"}, .port = Port{9090}});
    held.endpoints.push_back({.address = *Address::parse("10.0.0.2")});
    store.put(held);
    store.take_dirty();
    auto other = held;
    SECTION("ports reordered") {
        std::swap(other.ports[0], other.ports[1]);
    }
    SECTION("endpoints reordered") {
        std::swap(other.endpoints[0], other.endpoints[1]);
    }
    SECTION("port added") {
        other.ports.push_back({.name = Symbol{"x"}, .port = Port{1}});
    }
    SECTION("port renumbered") {
        other.ports[0].port = Port{8081};
    }
    SECTION("port renamed") {
        other.ports[0].name = Symbol{"web"};
    }
    SECTION("endpoint gone") {
        other.endpoints.pop_back();
    }
    SECTION("not ready") {
        other.endpoints[0].ready = false;
    }
    SECTION("terminating") {
        other.endpoints[0].terminating = true;
    }
    SECTION("triggered later") {
        other.triggered = std::chrono::system_clock::time_point{};
    }
    CHECK(store.put(other));
    CHECK(store.take_dirty() == Names{web});
}

TEST_CASE("P-149 removing what is not there changes nothing", "[model]") {
    Store store;
    CHECK_FALSE(store.remove_service(web));
    CHECK_FALSE(store.remove_slice({"default", "web-1"}));
    CHECK_FALSE(store.remove_node("n1"));
    CHECK_FALSE(store.dirty());
    CHECK_FALSE(store.take_node_changed());
    CHECK(store.slices(web).empty());
}

TEST_CASE("P-143 slices are filed under the service they name, in their namespace", "[model]") {
    const ObjectName other_space{"test", "web"};
    Store store;
    store.put(slice("web-1", web));
    store.put(slice("web-1", other_space, "10.0.0.9"));
    store.put(slice("web-2", web, "10.0.0.2"));
    store.put(slice("dns-1", dns, "10.0.0.3"));
    CHECK(store.slices(web).size() == 2);
    CHECK(store.slices(other_space).size() == 1);
    CHECK(store.slices(dns).begin()->first == "dns-1");
    CHECK(store.take_dirty() == Names{web, other_space, dns});
}

TEST_CASE("a slice that now names another service makes both dirty and moves", "[model]") {
    const ObjectName api{"default", "api"};
    Store store;
    store.put(slice("web-1", web));
    store.take_dirty();
    auto moved = slice("web-1", web);
    moved.service = api;
    CHECK(store.put(moved));
    CHECK(store.take_dirty() == Names{web, api});
    CHECK(store.slices(web).empty());
    CHECK(store.slices(api).size() == 1);
    CHECK(store.remove_slice(moved.name));
    CHECK(store.take_dirty() == Names{api});
    CHECK(store.all_slices().empty());
}

TEST_CASE("P-150 a slice that stays keeps its endpoints when another goes", "[model]") {
    Store store;
    store.put(slice("web-1", web));
    store.put(slice("web-2", web));
    CHECK(store.remove_slice({"default", "web-1"}));
    CHECK(store.slices(web).size() == 1);
    CHECK(store.slices(web).at("web-2").endpoints.size() == 1);
}

TEST_CASE("P-152 nothing stays behind when all slices are removed", "[model]") {
    Store store;
    for (const auto& of : {web, dns})
        for (const auto* name : {"a", "b", "c"})
            store.put(slice(name, of));
    CHECK(store.all_slices().size() == 2);
    for (const auto& of : {web, dns})
        for (const auto* name : {"a", "b", "c"})
            CHECK(store.remove_slice({of.space, name}));
    CHECK(store.all_slices().empty());
    CHECK(store.take_dirty() == Names{web, dns});
    CHECK_FALSE(store.remove_slice({web.space, "a"}));
}

TEST_CASE("a held object may name itself for its removal", "[model]") {
    Store store;
    store.put(service(web));
    store.put(slice("web-1", web));
    CHECK(store.remove_service(store.services().begin()->second.name));
    CHECK(store.remove_slice(store.slices(web).begin()->second.name));
    CHECK(store.services().empty());
    CHECK(store.all_slices().empty());
}

TEST_CASE("nodes are told apart from services", "[model]") {
    Store store;
    CHECK(store.put(Node{.name = "n1", .zone = Symbol{"a"}}));
    CHECK(store.take_node_changed());
    CHECK(store.put(Node{.name = "n1", .zone = Symbol{"b"}}));
    CHECK(store.node("n1")->zone == Symbol{"b"});
    CHECK(store.take_node_changed());
    CHECK(store.remove_node("n1"));
    CHECK(store.take_node_changed());
    CHECK(store.node("n1") == nullptr);
    CHECK_FALSE(store.dirty());
}
