#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "proxy/api/decode_time.h"
#include "tests/proxy/api/decoding.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;
using model::EndpointSlice;
using model::Node;
using model::Service;

namespace {

using Texts = std::vector<std::string>;

Texts refusals(const Read& read) {
    Texts out;
    for (const auto& one : read.objects)
        if (one.object.has_error())
            out.push_back(std::to_string(one.object.error().line) + ": " + one.label() + ": " +
                          one.object.error().text());
    return out;
}

const std::string head = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n";

std::string refusal(const std::string& spec) {
    const auto read = read_yaml(head + spec);
    REQUIRE_FALSE(read.problem);
    REQUIRE(refusals(read).size() == 1);
    return refusals(read).front();
}

/// What the API server chose by itself when it was given the manifest.
void leave_out_allocated(Service& written, Service& served) {
    served.created = written.created;
    if (!written.health_check_node_port) served.health_check_node_port.reset();
    if (written.ports.size() != served.ports.size()) return;
    for (std::size_t i = 0; i < written.ports.size(); ++i)
        if (!written.ports[i].node_port) served.ports[i].node_port.reset();
}

std::map<std::string, Decoded> by_label(Read&& read) {
    std::map<std::string, Decoded> objects;
    for (auto& one : read.objects) {
        auto label = one.label();
        objects.insert_or_assign(std::move(label), std::move(one));
    }
    return objects;
}

} // namespace

TEST_CASE("recorded manifests decode to what the API server made of them", "[api]") {
    std::size_t compared = 0;
    for (const auto& entry : std::filesystem::directory_iterator{PARITY_DIR}) {
        INFO(entry.path());
        const auto& folder = entry.path();
        auto yaml = read_yaml(file_text(folder / "objects.yaml"));
        auto json = read_json(file_text(folder / "out/objects-server.json"));
        REQUIRE_FALSE(yaml.problem);
        REQUIRE_FALSE(json.problem);
        REQUIRE(json.list_end);
        const auto served = by_label(std::move(json));
        for (const auto& [label, written] : by_label(std::move(yaml))) {
            INFO(label);
            REQUIRE(served.contains(label));
            REQUIRE_FALSE(written.object.has_error());
            CHECK(written.warnings.empty());
            auto mine = *written.object;
            auto theirs = *served.at(label).object;
            REQUIRE(mine.index() == theirs.index());
            if (auto* service = std::get_if<Service>(&mine))
                leave_out_allocated(*service, std::get<Service>(theirs));
            if (auto* node = std::get_if<Node>(&theirs)) // a taint the server adds to every node
                node->to_be_deleted_taint = std::get<Node>(mine).to_be_deleted_taint;
            CHECK((mine == theirs));
            ++compared;
        }
    }
    CHECK(compared > 100);
}

TEST_CASE("YAML documents come one by one, with their lines", "[api]") {
    const auto read = read_yaml("# comment\n---\n" + head +
                                "  clusterIP: 10.96.0.1\n---\n---\nnull\n---\n"
                                "kind: Node\napiVersion: v1\nmetadata:\n  name: n1\n...\n");
    CHECK_FALSE(read.problem);
    REQUIRE(read.objects.size() == 2);
    CHECK(read.objects[0].label() == "Service default/web");
    CHECK(read.objects[0].line == 3);
    CHECK(read.objects[1].label() == "Node n1");
    CHECK(read.objects[1].line == 12);
    CHECK(read_yaml("").objects.empty());
    CHECK(read_yaml("# nothing\n").objects.empty());
    CHECK_FALSE(read_yaml("\n").problem);
}

TEST_CASE("a YAML list of kind List gives its items", "[api]") {
    const auto read =
        read_yaml("kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Node\n"
                  "  metadata: {name: a}\n- kind: Node\n  apiVersion: v1\n"
                  "  metadata: {name: b}\n");
    REQUIRE(read.objects.size() == 2);
    CHECK(as<Node>(read.objects[1]).name == "b");
    CHECK(read.objects[1].line == 7);
}

TEST_CASE("a refused field is named with its line and path", "[api]") {
    CHECK(refusal("  ports:\n  - port: 80\n  - name: b\n    port: 70000\n") ==
          "8: Service default/web: spec.ports[1].port: port outside 1..65535");
    CHECK(refusal("  ports:\n  - port: \"80\"\n") ==
          "6: Service default/web: spec.ports[0].port: must be a whole number");
    CHECK(refusal("  ports:\n  - {name: 80, port: 80}\n") ==
          "6: Service default/web: spec.ports[0].name: must be a string");
    CHECK(refusal("  clusterIP: [10.96.0.1]\n") ==
          "5: Service default/web: spec.clusterIP: must be a string");
    CHECK(refusal("  ports: {a: 1}\n") ==
          "5: Service default/web: spec.ports: must be a list of objects");
}

TEST_CASE("plain scalars have the types of the YAML 1.2 core schema", "[api]") {
    const auto port = [](const std::string& text) {
        const auto read = read_yaml(head + "  ports: [{port: " + text + "}]\n");
        return as<Service>(read.objects.at(0)).ports.at(0).port.value;
    };
    CHECK(port("80") == 80);
    CHECK(port("+80") == 80);
    CHECK(port("010") == 10);
    CHECK(port("0o17") == 15);
    CHECK(port("0x50") == 80);
    CHECK(port("!!int \"80\"") == 80);
    CHECK(port("!!int 80") == 80);
    for (const auto* wrong : {"80.0", "8e1", ".inf", "yes", "true", "'80'", "!!str 80", "eighty",
                              "-", "99999999999999999999"})
        CHECK(refusal(std::string{"  ports: [{port: "} + wrong + "}]\n")
                  .ends_with("must be a whole number"));
    const auto name = [](const std::string& text) {
        const auto read = read_yaml(head + "  ports: [{port: 1, name: " + text + "}]\n");
        return as<Service>(read.objects.at(0)).ports.at(0).name.text();
    };
    for (const auto* text :
         {"yes", "on", "1:30", "0b1", "1_000", "2026-11-21", "10.0.0.1", "0x", "-x"})
        CHECK(name(text) == text);
    CHECK(name("'80'") == "80");
    CHECK(name("\"true\"") == "true");
    CHECK(name("!!str 80") == "80");
    CHECK(name("~").empty());
    const auto block = read_yaml(head + "  clusterIP: |-\n    10.96.0.1\n");
    CHECK(as<Service>(block.objects.at(0)).cluster_ip.v4 == Address::parse("10.96.0.1"));
}

TEST_CASE("conditions must be true or false", "[api]") {
    const auto read = [](const std::string& ready) {
        return read_yaml("kind: EndpointSlice\napiVersion: discovery.k8s.io/v1\nmetadata:\n"
                         "  name: s\n  labels: {kubernetes.io/service-name: web}\n"
                         "addressType: IPv4\nendpoints:\n- addresses: [10.0.0.1]\n"
                         "  conditions: {ready: " +
                         ready + "}\n");
    };
    CHECK(as<EndpointSlice>(read("True").objects.at(0)).endpoints.at(0).ready);
    CHECK_FALSE(as<EndpointSlice>(read("false").objects.at(0)).endpoints.at(0).ready);
    CHECK(as<EndpointSlice>(read("").objects.at(0)).endpoints.at(0).ready);
    CHECK(
        refusals(read("yes")) ==
        Texts{"9: EndpointSlice default/s: endpoints[0].conditions.ready: must be true or false"});
}

TEST_CASE("a YAML alias or merge key is refused where it would be read", "[api]") {
    CHECK(refusal("  x: &ip 10.96.0.1\n  clusterIP: *ip\n") ==
          "6: Service default/web: spec.clusterIP: YAML aliases are not read");
    CHECK(refusal("  x: &base {type: NodePort}\n  <<: *base\n") ==
          "6: Service default/web: spec: YAML merge keys are not read");
    const auto unread = read_yaml(head + "  x: &a {b: 1}\n  y: *a\n  clusterIP: 10.96.0.1\n");
    CHECK(as<Service>(unread.objects.at(0)).cluster_ip.v4);
}

TEST_CASE("keys given twice, keys of odd types", "[api]") {
    const auto read = read_yaml(head + "  clusterIP: 10.96.0.1\n  80: x\n  ~: y\n  true: z\n"
                                       "  clusterIP: 10.96.0.2\n");
    CHECK(as<Service>(read.objects.at(0)).cluster_ip.v4 == Address::parse("10.96.0.2"));
    REQUIRE(read.objects[0].warnings.size() == 1);
    CHECK(read.objects[0].warnings[0] ==
          Problem{"spec.clusterIP", "given twice, the last one counts", 9});
    const auto odd = read_yaml(head + "  ? [a, b]\n  : c\n");
    REQUIRE(odd.problem);
    CHECK(odd.problem->reason == "not YAML: a key must be a string");
}

TEST_CASE("broken YAML ends the reading, at its line and place", "[api]") {
    const auto read =
        read_yaml(head + "  clusterIP: 10.96.0.1\n---\nkind: Service\nspec:\n  ports: [\n");
    REQUIRE(read.objects.size() == 1);
    REQUIRE(read.problem);
    CHECK(read.problem->reason.starts_with("not YAML: "));
    CHECK(read.problem->path == "spec.ports");
    CHECK(read.problem->line >= 9);
    for (const auto* text :
         {"a: b: c", "{", "[", "\"x", "a: 'x", "- a\nb: c", "%YAML 9.9\n--- x", "\t- a", "*x",
          "a: *nothing", "&a &b c", "}", "a: b\n---\n]", "{a: b}}", ","}) {
        const auto broken = read_yaml(text);
        INFO(text);
        CHECK((broken.problem || !refusals(broken).empty()));
    }
}

TEST_CASE("what is no object in YAML is refused and the reading goes on", "[api]") {
    const auto read =
        read_yaml("hello\n---\n- a\n---\n5\n---\n{}\n---\nkind: Node\napiVersion: v1\n"
                  "metadata: {name: n}\n");
    CHECK_FALSE(read.problem);
    REQUIRE(read.objects.size() == 5);
    CHECK(refusals(read).size() == 4);
    CHECK(as<Node>(read.objects[4]).name == "n");
}

TEST_CASE("times are read as RFC 3339 writes them, and nothing else is", "[api]") {
    using namespace std::chrono;
    const system_clock::time_point base = sys_days{year{2026} / 11 / 21} + hours{2} + minutes{3};
    CHECK(parse_time("2026-11-21T02:03:00Z") == base);
    CHECK(parse_time("2026-11-21t03:33:00+01:30") == base);
    CHECK(parse_time("2026-11-20T21:03:00-05:00") == base);
    CHECK(parse_time("2026-11-21T02:03:00.5Z") == base + milliseconds{500});
    CHECK(parse_time("2026-11-21T02:03:00.000000001999Z") == base + nanoseconds{1});
    CHECK(parse_time("2026-11-21T02:02:60Z") == base);
    for (const auto* text :
         {"", "2026-11-21", "2026-11-21T02:03:00", "2026-11-21 02:03:00Z", "2026-11-21T02:03:00.Z",
          "2026-02-30T02:03:00Z", "2026-11-21T24:03:00Z", "2026-11-21T02:60:00Z",
          "2026-13-21T02:03:00Z", "2026-11-21T02:03:00+24:00", "2026-11-21T02:03:00Zx",
          "9999-11-21T02:03:00Z", "2026-1-2T02:03:00Z", "-026-11-21T02:03:00Z",
          "2026-11-21T02:03:00+0100"})
        CHECK(parse_time(text) == std::nullopt);
}
