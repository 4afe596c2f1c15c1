// The API's protobuf: it says what the JSON of the same objects says, in pieces of any size.
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/proxy/api/protobuf_text.h"
#include "tests/proxy/api/recorded.h"

namespace ipvsproxy::api {
namespace {

using Catch::Matchers::Contains;
using Form = ProtobufDecoder::Form;

Read read_protobuf(std::string_view bytes, Form form = Form::single, std::size_t piece = 1 << 20) {
    Read read;
    ProtobufDecoder decoder{[&](Decoded&& one) { read.objects.push_back(std::move(one)); }, form};
    for (std::size_t at = 0; at < bytes.size() && !read.problem; at += piece)
        read.problem = decoder.feed(bytes.substr(at, piece));
    if (!read.problem) read.problem = decoder.finish();
    read.list_end = decoder.list_end();
    return read;
}

void check_same(const Read& one, const Read& other) {
    CHECK(one.list_end == other.list_end);
    REQUIRE(one.objects.size() == other.objects.size());
    for (std::size_t i = 0; i < one.objects.size(); ++i) {
        const auto& a = one.objects[i];
        const auto& b = other.objects[i];
        INFO(shown(a));
        CHECK(shown(a) == shown(b));
        CHECK((a.object == b.object));
        CHECK(a.event == b.event);
        CHECK(a.initial_events_end == b.initial_events_end);
    }
}

/// A Service in as few bytes as say something.
std::string small_service() {
    const auto metadata = sized(1, "web") + sized(3, "shop") + sized(6, "17");
    const auto port = sized(1, "http") + sized(2, "TCP") + varied(3, 80) + varied(5, 30080);
    const auto spec = sized(1, port) + sized(3, "10.96.0.9") + sized(4, "NodePort") +
                      sized(7, "None") + sized_high(18, "10.96.0.9") + sized_high(19, "IPv4");
    return sized(1, metadata) + sized(2, spec) + sized(3, "");
}

} // namespace

TEST_CASE("protobuf: a Service, byte by byte as generated.proto numbers its fields", "[api]") {
    const auto read = read_protobuf(enveloped("v1", "Service", small_service()));
    REQUIRE_FALSE(read.problem);
    REQUIRE(read.objects.size() == 1);
    CHECK(read.objects[0].resource_version == "17");
    const auto& service = as<model::Service>(read.objects[0]);
    CHECK(service.name.text() == "shop/web");
    CHECK(service.type == model::ServiceType::node_port);
    CHECK(service.cluster_ip.v4 == Address::parse("10.96.0.9"));
    REQUIRE(service.ports.size() == 1);
    CHECK(service.ports[0].name.text() == "http");
    CHECK(service.ports[0].port == Port{80});
    CHECK(service.ports[0].node_port == Port{30080});
}

TEST_CASE("protobuf: an EndpointSlice, byte by byte", "[api]") {
    const auto label = sized(1, "kubernetes.io/service-name") + sized(2, "web");
    const auto metadata = sized(1, "web-x") + sized(3, "shop") + sized(11, label);
    const auto endpoint =
        sized(1, "10.244.1.7") + sized(2, varied(1, 0) + varied(2, 1) + varied(3, 1)) +
        sized(6, "node-1") + sized(8, sized(1, sized(1, "zone-a")) + sized(2, sized(1, "node-2")));
    // An empty name is a name; no name is none.
    const auto port = sized(1, "") + sized(2, "UDP") + varied(3, 53);
    const auto slice = sized(1, metadata) + sized(2, endpoint) + sized(3, port) +
                       sized(3, varied(3, 54)) + sized(4, "IPv4");
    // As an item of a list: an item may be longer than a byte says, so its length has two.
    const auto item = std::string{"\x12", 1} + static_cast<char>((slice.size() & 0x7fU) | 0x80U) +
                      static_cast<char>(slice.size() >> 7U) + slice;
    const auto list = sized(1, sized(2, "99") + sized(3, "more")) + item;
    const auto raw = std::string{"\x12", 1} + static_cast<char>((list.size() & 0x7fU) | 0x80U) +
                     static_cast<char>(list.size() >> 7U) + list;
    const auto read = read_protobuf(
        std::string{"k8s\0", 4} +
        sized(1, sized(1, "discovery.k8s.io/v1") + sized(2, "EndpointSliceList")) + raw);
    REQUIRE_FALSE(read.problem);
    CHECK(read.list_end == ListEnd{"99", "more"});
    REQUIRE(read.objects.size() == 1);
    const auto& found = as<model::EndpointSlice>(read.objects[0]);
    CHECK(found.service.text() == "shop/web");
    REQUIRE(found.ports.size() == 1);
    CHECK(found.ports[0].protocol == Protocol::udp);
    REQUIRE(read.objects[0].warnings.size() == 1);
    CHECK(read.objects[0].warnings[0].text() == "ports[1].name: absent, port passed over");
    REQUIRE(found.endpoints.size() == 1);
    const auto& only = found.endpoints[0];
    CHECK_FALSE(only.ready);
    CHECK(only.serving);
    CHECK(only.terminating);
    CHECK(only.node.text() == "node-1");
    CHECK(only.zone_hints == model::SymbolList{{model::Symbol{"zone-a"}}});
    CHECK(only.node_hints == model::SymbolList{{model::Symbol{"node-2"}}});
}

TEST_CASE("protobuf: what Go writes for nothing is nothing", "[api]") {
    // An empty protocol, policy and type, a node port of 0, and a time that is not set.
    const auto port = sized(1, "") + sized(2, "") + varied(3, 80) + varied(5, 0);
    const auto spec = sized(1, port) + sized(3, "10.96.0.9") + sized(4, "") + sized(7, "") +
                      sized(11, "") + varied(12, 0);
    const auto metadata = sized(1, "web") + sized(3, "shop") + sized(8, "");
    const auto read =
        read_protobuf(enveloped("v1", "Service", sized(1, metadata) + sized(2, spec)));
    REQUIRE(read.objects.size() == 1);
    CHECK(read.objects[0].warnings.empty());
    const auto& service = as<model::Service>(read.objects[0]);
    CHECK(service.ports[0].protocol == Protocol::tcp);
    CHECK_FALSE(service.ports[0].node_port);
    CHECK_FALSE(service.health_check_node_port);
    CHECK(service.created == std::chrono::sys_seconds{});
}

TEST_CASE("protobuf: what is wrong with an object is said of it, and the next one is good",
          "[api]") {
    const auto bad =
        sized(1, sized(1, "bad") + sized(3, "shop")) +
        sized(2, sized(1, sized(1, "http") + varied(3, 80)) +
                     sized(1, sized(1, "none") + varied(3, 70000)) + sized(3, "10.96.0.8"));
    const auto list = sized(2, bad) + sized(2, small_service());
    const auto raw = std::string{"\x12", 1} + static_cast<char>((list.size() & 0x7fU) | 0x80U) +
                     static_cast<char>(list.size() >> 7U) + list;
    const auto read = read_protobuf(std::string{"k8s\0", 4} +
                                    sized(1, sized(1, "v1") + sized(2, "ServiceList")) + raw);
    REQUIRE_FALSE(read.problem);
    REQUIRE(read.objects.size() == 2);
    REQUIRE(read.objects[0].object.has_error());
    CHECK(read.objects[0].label() == "Service shop/bad");
    CHECK(read.objects[0].object.error().text() == "spec.ports[1].port: port outside 1..65535");
    CHECK(read.objects[1].object.has_value());
}

TEST_CASE("protobuf: a negative number is refused, not taken for a large one", "[api]") {
    const auto port = sized(1, "http") + varied(3, static_cast<std::uint64_t>(-1));
    const auto object = sized(1, sized(1, "web") + sized(3, "shop")) +
                        sized(2, sized(1, port) + sized(3, "10.96.0.9"));
    const auto read = read_protobuf(enveloped("v1", "Service", object));
    REQUIRE(read.objects.size() == 1);
    CHECK(read.objects[0].object.error().text() == "spec.ports[0].port: port outside 1..65535");
}

TEST_CASE("protobuf: every recorded answer says what its JSON says, in pieces of any size",
          "[api]") {
    const std::string name =
        GENERATE(Catch::Generators::as<std::string>{}, "services-list", "endpointslices-list",
                 "nodes-list", "servicecidrs-list", "services-list-page1", "services-list-page3",
                 "services-list-expired-continue", "unauthorized", "notfound");
    CAPTURE(name);
    const auto json = recorded(name).body;
    const auto bytes = protobuf_of(json);
    const auto of_json = read_json(json);
    for (const std::size_t piece : {1UL << 20U, 1UL, 7UL, 700UL})
        check_same(of_json, read_protobuf(bytes, Form::single, piece));
}

TEST_CASE("protobuf: every recorded watch says what its JSON says, in pieces of any size",
          "[api]") {
    const std::string name =
        GENERATE(Catch::Generators::as<std::string>{}, "services-watchlist",
                 "endpointslices-watchlist", "services-watch", "services-watch-too-old");
    CAPTURE(name);
    const auto json = recorded(name).body;
    const auto bytes = protobuf_of(json, "events");
    const auto of_json = read_json(json);
    REQUIRE_FALSE(of_json.objects.empty());
    for (const std::size_t piece : {1UL << 20U, 1UL, 7UL, 700UL})
        check_same(of_json, read_protobuf(bytes, Form::watch, piece));
}

TEST_CASE("protobuf: the objects of every recorded kernel state say what their JSON says",
          "[api]") {
    std::size_t objects = 0;
    for (const auto& one : std::filesystem::recursive_directory_iterator{PARITY_DIR}) {
        if (one.path().filename() != "objects-server.json") continue;
        CAPTURE(one.path());
        const auto json = file_text(one.path());
        const auto of_json = read_json(json);
        auto of_protobuf = read_protobuf(protobuf_of(json, "items"), Form::watch);
        for (auto& each : of_protobuf.objects)
            each.event = Event::none;
        of_protobuf.list_end = of_json.list_end; // each came by itself
        check_same(of_json, of_protobuf);
        objects += of_json.objects.size();
    }
    CHECK(objects > 100);
}

TEST_CASE("protobuf: cut anywhere it ends too soon, and no object comes that was not whole",
          "[api]") {
    const auto whole = enveloped("v1", "Service", small_service());
    for (std::size_t length = 0; length < whole.size() - sized(3, "").size() * 2; ++length) {
        CAPTURE(length);
        const auto read = read_protobuf(std::string_view{whole}.substr(0, length));
        CHECK(read.objects.empty());
        REQUIRE(read.problem);
        CHECK_THAT(read.problem->text(), Contains("ends too soon"));
    }
    const auto events = protobuf_of(recorded("services-watch").body, "events");
    const auto frame =
        read_protobuf(std::string_view{events}.substr(0, events.size() - 1), Form::watch);
    REQUIRE(frame.problem);
    CHECK_THAT(frame.problem->text(), Contains("ends too soon"));
}

TEST_CASE("protobuf: what it cannot be is told, and stays told", "[api]") {
    struct Case {
        std::string bytes;
        Form form;
        std::string reason;
    };
    const std::string magic{"k8s\0", 4};
    const auto types = sized(1, sized(1, "v1") + sized(2, "ServiceList"));
    const std::string endless(11, '\xff');
    const auto [bytes, form, reason] = GENERATE_COPY(values<Case>({
        {"<html>This is no API server.</html>", Form::single, "envelope is missing"},
        {magic + varied(1, 3), Form::single, "wrong type"},
        {magic + endless, Form::single, "no end"},
        {magic + types + std::string{"\x12\x03\x12\x05z", 5}, Form::single, "longer than its list"},
        {magic + types + std::string{"\x12\x02\x12\x85", 4}, Form::single, "middle of an item"},
        {magic + types + std::string{"\x12\xff\xff\xff\xff\x7f\x12\xff\xff\xff\x7f", 11},
         Form::single, "16 MiB"},
        {enveloped("v1", "Service", varied(1, 1)), Form::single, "wrong type"},
        {enveloped("v1", "Service", std::string{"\x0a\x7fz", 3}), Form::single, "end of buffer"},
        {std::string{"\x7f\xff\xff\xff", 4}, Form::watch, "16 MiB"},
        {std::string{"\0\0\0\5\x0a\x03zzz", 9}, Form::watch, "no known type"},
        {std::string{"\0\0\0\7\x0a\5ADDED", 11}, Form::watch, "envelope is missing"},
    }));
    CAPTURE(reason);
    ProtobufDecoder decoder{[](Decoded&&) {}, form};
    const auto problem = decoder.feed(bytes);
    REQUIRE(problem);
    CHECK_THAT(problem->text(), Contains("not the API's protobuf: ") && Contains(reason));
    CHECK(decoder.feed("more") == problem);
    CHECK(decoder.finish() == problem);
}

TEST_CASE("protobuf: a watch that has said nothing yet is whole", "[api]") {
    CHECK_FALSE(read_protobuf("", Form::watch).problem);
    CHECK(read_protobuf("", Form::single).problem);
}

} // namespace ipvsproxy::api
