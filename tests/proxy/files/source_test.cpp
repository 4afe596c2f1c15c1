#include <array>
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <thread>

#include "proxy/files/source.h"
#include "tests/proxy/files/folder.h"

using namespace ipvsproxy;
using namespace ipvsproxy::files;
using model::ObjectName;
using Names = model::Store::Names;
using Lines = std::vector<std::string>;

namespace {

const ObjectName web{"default", "web"};
const ObjectName api{"default", "api"};

/// A source over one folder, what it said, and the store it fills.
struct Setting {
    Folder folder{};
    model::Store store{};
    Lines said{};

    Source source(Where where = {}) {
        if (where.paths.empty()) where.paths = {folder.path()};
        return {std::move(where), store, [this](const Message& message) {
                    auto text = message.text;
                    for (auto at = text.find(folder.path()); at != std::string::npos;
                         at = text.find(folder.path()))
                        text.replace(at, folder.path().size(), "F");
                    const std::array severities{"note ", "warning ", "error "};
                    said.push_back(severities.at(static_cast<std::size_t>(message.severity)) +
                                   text);
                }};
    }
    Lines take_said() { return std::exchange(said, {}); }
    std::string address(const ObjectName& name = web) const {
        const auto* service = store.service(name);
        return service == nullptr ? "none" : service->cluster_ip.v4.value().text();
    }
    std::size_t objects() const {
        return store.services().size() + store.all_slices().size() + store.nodes().size();
    }
};

} // namespace

TEST_CASE("a folder's manifests fill the store, other files do not", "[files]") {
    Setting s;
    s.folder.write("a.yaml", service_yaml("web", "10.96.0.1") + slice_yaml("web-1", "web"));
    s.folder.write("b.yml", service_yaml("api", "10.96.0.2"));
    s.folder.write("c.json", R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"n1"}})");
    s.folder.write("d.txt", service_yaml("txt", "10.96.0.3"));
    s.folder.write(".e.yaml", service_yaml("hidden", "10.96.0.3"));
    s.folder.make("sub.yaml");
    s.folder.write("sub.yaml/f.yaml", service_yaml("sub", "10.96.0.4"));
    auto source = s.source();
    source.read_all();
    CHECK(s.store.take_dirty() == Names{web, api});
    CHECK(s.store.slices(web).size() == 1);
    CHECK(s.store.node("n1") != nullptr);
    CHECK(s.objects() == 4);
    CHECK(s.said.empty());
    CHECK(source.in_error() == 0);
    CHECK(source.files() ==
          Lines{s.folder.path("a.yaml"), s.folder.path("b.yml"), s.folder.path("c.json")});
}

TEST_CASE("subfolders are read when asked for, but neither hidden ones nor links to folders",
          "[files]") {
    Setting s;
    s.folder.make("sub/deep");
    s.folder.make(".hidden");
    s.folder.write("sub/deep/a.yaml", service_yaml("web", "10.96.0.1"));
    s.folder.write(".hidden/b.yaml", service_yaml("api", "10.96.0.2"));
    s.folder.link("sub", "link");
    s.folder.link("..", "sub/up");
    auto flat = s.source();
    flat.read_all();
    CHECK(s.objects() == 0);
    auto deep = s.source({.paths = {s.folder.path() + "/"}, .recursive = true});
    deep.read_all();
    CHECK(s.store.take_dirty() == Names{web});
    CHECK(deep.files() == Lines{s.folder.path("sub/deep/a.yaml")});
    s.folder.remove("sub/deep");
    deep.refresh({.everything = true});
    CHECK(s.objects() == 0);
    CHECK(s.said.empty());
}

TEST_CASE("a changed file changes what differs and nothing else", "[files]") {
    Setting s;
    s.folder.write("a.yaml", service_yaml("web", "10.96.0.1") + service_yaml("api", "10.96.0.2") +
                                 service_yaml("old", "10.96.0.3") + slice_yaml("web-1", "web"));
    auto source = s.source();
    source.read_all();
    s.store.take_dirty();
    s.folder.replace("a.yaml", service_yaml("web", "10.96.0.9") + service_yaml("api", "10.96.0.2") +
                                   service_yaml("new", "10.96.0.4") + slice_yaml("web-1", "web"));
    source.refresh({.everything = false, .paths = {s.folder.path("a.yaml")}});
    CHECK(s.store.take_dirty() == Names{web, {"default", "old"}, {"default", "new"}});
    CHECK(s.address() == "10.96.0.9");
    CHECK(s.store.service({"default", "old"}) == nullptr);
    source.refresh({.everything = true});
    source.refresh({.everything = false, .paths = {s.folder.path("a.yaml")}});
    CHECK_FALSE(s.store.dirty());
    s.folder.remove("a.yaml");
    source.refresh({.everything = false, .paths = {s.folder.path("a.yaml")}});
    CHECK(s.objects() == 0);
    CHECK(s.said.empty());
}

TEST_CASE("a file of the same size written again at once is read when it is named", "[files]") {
    Setting s;
    s.folder.write("a.yaml", service_yaml("web", "10.96.0.1"));
    auto source = s.source();
    source.read_all();
    for (const auto* address : {"10.96.0.2", "10.96.0.3", "10.96.0.4"}) {
        s.folder.write("a.yaml", service_yaml("web", address));
        source.refresh({.everything = false, .paths = {s.folder.path("a.yaml")}});
        CHECK(s.address() == address);
    }
}

TEST_CASE("of an object in two files the later name wins, and the other comes back", "[files]") {
    Setting s;
    s.folder.write("1.yaml", service_yaml("web", "10.96.0.1"));
    s.folder.write("2.yaml", service_yaml("web", "10.96.0.2") + service_yaml("api", "10.96.0.9"));
    auto source = s.source();
    source.read_all();
    CHECK(s.address() == "10.96.0.2");
    CHECK(s.take_said() == Lines{"warning Service default/web is given by F/1.yaml, F/2.yaml: "
                                 "the last one counts"});

    SECTION("the one beaten changes in silence") {
        s.store.take_dirty();
        s.folder.replace("1.yaml", service_yaml("web", "10.96.0.7"));
        source.refresh({.everything = true});
        CHECK_FALSE(s.store.dirty());
        CHECK(s.said.empty());
        s.folder.remove("2.yaml");
        source.refresh({.everything = true});
        CHECK(s.address() == "10.96.0.7");
        CHECK(s.store.service(api) == nullptr);
    }
    SECTION("a third, later one beats both, whatever order they come in") {
        s.folder.write("3.yaml", service_yaml("web", "10.96.0.3"));
        source.refresh({.everything = true});
        CHECK(s.address() == "10.96.0.3");
        s.folder.remove("2.yaml");
        source.refresh({.everything = true});
        CHECK(s.address() == "10.96.0.3");
        s.folder.remove("3.yaml");
        source.refresh({.everything = true});
        CHECK(s.address() == "10.96.0.1");
    }
    SECTION("the later one gives it no longer, and then again") {
        s.folder.replace("2.yaml", service_yaml("api", "10.96.0.9"));
        source.refresh({.everything = true});
        CHECK(s.address() == "10.96.0.1");
        CHECK(s.said.empty());
        s.folder.replace("2.yaml", service_yaml("web", "10.96.0.2"));
        source.refresh({.everything = true});
        CHECK(s.address() == "10.96.0.2");
        CHECK(s.said.size() == 1);
    }
    SECTION("the earlier one goes") {
        s.store.take_dirty();
        s.folder.remove("1.yaml");
        source.refresh({.everything = true});
        CHECK_FALSE(s.store.dirty());
        s.folder.remove("2.yaml");
        source.refresh({.everything = true});
        CHECK(s.objects() == 0);
    }
}

TEST_CASE("slices and nodes come back like services", "[files]") {
    Setting s;
    const auto first = slice_yaml("s", "web") + node_yaml("n1");
    s.folder.write("1.yaml", first);
    s.folder.write("2.yaml", slice_yaml("s", "api") + "kind: Node\napiVersion: v1\nmetadata:\n"
                                                      "  name: n1\n  labels: {topology.kubernetes."
                                                      "io/zone: b}\n");
    auto source = s.source();
    source.read_all();
    CHECK(s.store.slices(api).size() == 1);
    CHECK(s.store.node("n1")->zone == model::Symbol{"b"});
    s.folder.remove("2.yaml");
    source.refresh({.everything = true});
    CHECK(s.store.slices(api).empty());
    CHECK(s.store.slices(web).size() == 1);
    CHECK(s.store.node("n1")->zone.empty());
}

TEST_CASE("an object given twice in one file is named, the last one counts", "[files]") {
    Setting s;
    s.folder.write("a.yaml", service_yaml("web", "10.96.0.1") + service_yaml("web", "10.96.0.2"));
    auto source = s.source();
    source.read_all();
    CHECK(s.address() == "10.96.0.2");
    CHECK(s.said == Lines{"warning F/a.yaml:8: Service default/web: given twice in this file, the "
                          "last one counts"});
}

TEST_CASE("a file that cannot be parsed keeps what it gave and is named once", "[files]") {
    Setting s;
    s.folder.write("a.yaml", service_yaml("web", "10.96.0.1"));
    auto source = s.source();
    source.read_all();
    s.store.take_dirty();
    s.folder.replace("a.yaml",
                     service_yaml("web", "10.96.0.2") + "kind: Service\nspec:\n  ports: [\n");
    source.refresh({.everything = true});
    CHECK_FALSE(s.store.dirty());
    CHECK(s.address() == "10.96.0.1");
    REQUIRE(s.said.size() == 1);
    CHECK(s.said[0].starts_with("error F/a.yaml:"));
    CHECK(s.said[0].find("spec.ports: not YAML: ") != std::string::npos);
    CHECK(source.in_error() == 1);
    s.take_said();
    source.refresh({.everything = true});
    source.refresh({.everything = false, .paths = {s.folder.path("a.yaml")}});
    CHECK(s.said.empty());
    s.folder.replace("a.yaml", service_yaml("web", "10.96.0.3"));
    source.refresh({.everything = true});
    CHECK(s.address() == "10.96.0.3");
    CHECK(source.in_error() == 0);
    s.folder.write("b.json", "{\"kind\":\n\"Service\"");
    source.refresh({.everything = true});
    CHECK(s.take_said() == Lines{"error F/b.json:2: kind: not JSON: incomplete JSON"});
    CHECK(s.address() == "10.96.0.3");
}

TEST_CASE("a malformed object keeps what it was, its neighbours change", "[files]") {
    Setting s;
    s.folder.write("a.yaml", service_yaml("web", "10.96.0.1") + service_yaml("api", "10.96.0.2"));
    auto source = s.source();
    source.read_all();
    s.folder.replace("a.yaml",
                     service_yaml("web", "10.96.0.3", "80000") + service_yaml("api", "10.96.0.4"));
    source.refresh({.everything = true});
    CHECK(s.address() == "10.96.0.1");
    CHECK(s.address(api) == "10.96.0.4");
    CHECK(s.take_said() == Lines{"error F/a.yaml:6: Service default/web: spec.ports[0].port: port "
                                 "outside 1..65535"});
    CHECK(source.in_error() == 1);
    s.folder.replace("a.yaml", service_yaml("api", "10.96.0.4"));
    source.refresh({.everything = true});
    CHECK(s.store.service(web) == nullptr);
    CHECK(source.in_error() == 0);
}

TEST_CASE("a malformed object without a name keeps all that its file gave", "[files]") {
    Setting s;
    s.folder.write("a.yaml", service_yaml("web", "10.96.0.1") + service_yaml("api", "10.96.0.2"));
    auto source = s.source();
    source.read_all();
    s.folder.replace("a.yaml", service_yaml("", "10.96.0.3") + service_yaml("api", "10.96.0.4"));
    source.refresh({.everything = true});
    CHECK(s.address() == "10.96.0.1");
    CHECK(s.address(api) == "10.96.0.4");
    CHECK(s.said == Lines{"error F/a.yaml:1: Service: metadata.name: required"});
}

TEST_CASE("other kinds are named once a kind, warnings once until they change", "[files]") {
    Setting s;
    const std::string others = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: d}\n---\n"
                               "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: e}\n---\n";
    s.folder.write("a.yaml", others + service_yaml("web", "10.96.0.1"));
    s.folder.write("b.yaml", others +
                                 "kind: Service\napiVersion: v1\nmetadata: {name: api}\nspec:\n"
                                 "  clusterIP: 10.96.0.2\n  externalIPs: [x]\n");
    auto source = s.source();
    source.read_all();
    const Lines expected{"note F/a.yaml: objects of apps/v1 Deployment are passed over",
                         "warning F/b.yaml:14: Service default/api: spec.externalIPs[0]: not an IP "
                         "address, passed over: \"x\""};
    CHECK(s.take_said() == expected);
    s.folder.replace("a.yaml", others + service_yaml("web", "10.96.0.5"));
    source.refresh({.everything = true});
    CHECK(s.said.empty());
    CHECK(source.in_error() == 0);
}

TEST_CASE("a slice that loses its service, or is labelled headless, goes", "[files]") {
    Setting s;
    s.folder.write("a.yaml", slice_yaml("s", "web"));
    auto source = s.source();
    source.read_all();
    CHECK(s.store.slices(web).size() == 1);
    s.folder.replace("a.yaml", "kind: EndpointSlice\napiVersion: discovery.k8s.io/v1\nmetadata:\n"
                               "  name: s\n  labels: {kubernetes.io/service-name: web, "
                               "service.kubernetes.io/headless: ''}\naddressType: IPv4\n");
    source.refresh({.everything = true});
    CHECK(s.objects() == 0);
    CHECK(s.said.empty());
}

TEST_CASE("what is given and not there is an error until it comes", "[files]") {
    Setting s;
    auto source = s.source({.paths = {s.folder.path("a.yaml"), s.folder.path("sub")}});
    source.read_all();
    source.refresh({.everything = true});
    CHECK(s.take_said() == Lines{"error F/a.yaml: No such file or directory",
                                 "error F/sub: No such file or directory"});
    CHECK(source.in_error() == 2);
    s.folder.write("a.yaml", service_yaml("web", "10.96.0.1"));
    s.folder.make("sub");
    s.folder.write("sub/b.yaml", service_yaml("api", "10.96.0.2"));
    source.refresh({.everything = false, .paths = {s.folder.path("a.yaml"), s.folder.path("sub")}});
    CHECK(s.address() == "10.96.0.1");
    CHECK(s.address(api) == "10.96.0.2");
    CHECK(source.in_error() == 0);
    s.folder.remove("a.yaml");
    s.folder.remove("sub");
    source.refresh({.everything = false, .paths = {s.folder.path("a.yaml"), s.folder.path("sub")}});
    CHECK(s.objects() == 0);
    CHECK(s.take_said().size() == 2);
    CHECK(source.in_error() == 2);
    s.folder.make("a.yaml"); // a folder takes the file's place
    s.folder.write("a.yaml/c.yaml", service_yaml("web", "10.96.0.7"));
    source.refresh({.everything = true});
    CHECK(s.address() == "10.96.0.7");
    CHECK(source.in_error() == 1);
}

TEST_CASE("a file given by name needs no ending, and a text that begins like JSON is JSON",
          "[files]") {
    Setting s;
    s.folder.write("yaml", service_yaml("web", "10.96.0.1"));
    s.folder.write("json", R"( {"kind":"Node","apiVersion":"v1","metadata":{"name":"n1"}})"
                           R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"n2"}})");
    s.folder.write("flow", "{kind: Node, apiVersion: v1, metadata: {name: n3}}");
    auto source =
        s.source({.paths = {s.folder.path("yaml"), s.folder.path("json"), s.folder.path("flow")}});
    source.read_all();
    CHECK(s.address() == "10.96.0.1");
    CHECK(s.store.nodes().size() == 3);
    CHECK(s.said.empty());
}

TEST_CASE("a pipe is read once", "[files]") {
    Setting s;
    const auto pipe = s.folder.path("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    std::thread writer{[&] { s.folder.write("pipe", service_yaml("web", "10.96.0.1")); }};
    auto source = s.source({.paths = {pipe}});
    source.read_all();
    writer.join();
    CHECK(s.address() == "10.96.0.1");
    source.refresh({.everything = true}); // would block for good
    source.refresh({.everything = false, .paths = {pipe}});
    CHECK(s.address() == "10.96.0.1");
    CHECK(s.said.empty());
}

TEST_CASE("names of files that are not ours are not read", "[files]") {
    Setting s;
    s.folder.make("sub");
    s.folder.make("given");
    auto source = s.source({.paths = {s.folder.path("given")}});
    source.read_all();
    s.folder.write("given/a.txt", service_yaml("web", "10.96.0.1"));
    s.folder.write("sub/a.yaml", service_yaml("web", "10.96.0.1"));
    s.folder.make("given/sub");
    s.folder.write("given/sub/a.yaml", service_yaml("web", "10.96.0.1"));
    source.refresh({.everything = false,
                    .paths = {s.folder.path("given/a.txt"), s.folder.path("sub/a.yaml"),
                              s.folder.path("given/sub/a.yaml")}});
    CHECK(s.objects() == 0);
}
