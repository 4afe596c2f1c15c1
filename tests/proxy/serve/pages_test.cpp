// The pages of the metrics server.
#include "proxy/serve/pages.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "proxy/config/version.h"
#include "proxy/log/log.h"

using namespace ipvsproxy;
using namespace ipvsproxy::serve;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

http::Request get(std::string target, http::Headers headers = {}) {
    return {"GET", std::move(target), std::move(headers), ""};
}

const std::string structured = "application/json;v=v1beta1;g=config.k8s.io;as=";

About about() {
    About about;
    about.options.flags = {{"cleanup", "false"}, {"v", "2"}};
    about.started.wall = std::chrono::system_clock::time_point{std::chrono::seconds{1795226611}};
    return about;
}

Instant later() {
    return {about().started.steady + std::chrono::seconds{3725}, {}};
}

} // namespace

TEST_CASE("/healthz of the metrics server says ok, and lists its check when asked", "[serve]") {
    const auto body = [](const char* target) { return ping_page(get(target)).body; };
    CHECK(body("/healthz") == "ok");
    CHECK(body("/healthz?exclude=ping") == "ok");
    CHECK(body("/healthz?verbose") == "[+]ping ok\nhealthz check passed\n");
    CHECK(body("/healthz?verbose=1&exclude=ping") ==
          "[+]ping excluded: ok\nhealthz check passed\n");
    CHECK(body("/healthz?exclude=no%70e&verbose") ==
          "[+]ping ok\nwarn: some health checks cannot be excluded: no matches for \"nope\"\n"
          "healthz check passed\n");
    CHECK(ping_page(get("/healthz")).status == 200);
}

TEST_CASE("P-263: /configz is one key, of external kind and version", "[serve]") {
    auto about_config = about();
    about_config.options.configuration.node_port_addresses = {"primary"};
    const auto page = configz(about_config);
    CHECK(*page.headers.find("Content-Type") == "application/json");
    const auto all = boost::json::parse(page.body).as_object();
    REQUIRE(all.size() == 1);
    const auto& config = all.at("kubeproxy.config.k8s.io").as_object();
    CHECK(config.at("kind") == "KubeProxyConfiguration");
    CHECK(config.at("apiVersion") == "kubeproxy.config.k8s.io/v1alpha1");
    CHECK(config.at("mode") == "ipvs");
    CHECK(config.at("nodePortAddresses").as_array().at(0) == "primary");
}

TEST_CASE("/flagz lists every flag for people, and as an object for programs", "[serve]") {
    const auto text = flagz(get("/flagz"), about());
    CHECK_THAT(text.body, StartsWith("\nkube-proxy flagz\nWarning: This endpoint is not meant to "
                                     "be machine parseable"));
    CHECK_THAT(text.body, Contains("\ncleanup=false\nv=2\n"));
    const auto page = flagz(get("/flagz", {{"Accept", structured + "Flagz"}}), about());
    CHECK(boost::json::parse(page.body) ==
          boost::json::parse(R"({"kind":"Flagz","apiVersion":"config.k8s.io/v1beta1",)"
                             R"("metadata":{"name":"kube-proxy"},)"
                             R"("flags":{"cleanup":"false","v":"2"}})"));
    CHECK_FALSE(page.headers.contains("Warning"));
}

TEST_CASE("P-263: /statusz lists the paths at the top, since when it runs, and what", "[serve]") {
    const std::string version{config::git_version};
    const auto text = statusz(get("/statusz"), about(), later(), {"/configz", "/healthz"});
    CHECK_THAT(text.body, StartsWith("\nkube-proxy statusz\nWarning: "));
    CHECK_THAT(text.body,
               Contains("Started: Sat Nov 21 02:03:31 UTC 2026\nUp: 1 hr 02 min 05 sec\n"));
    CHECK_THAT(text.body, Contains("Binary version: " + version + "\nPaths: /configz /healthz\n"));
    const auto page = statusz(get("/statusz", {{"Accept", structured + "Statusz"}}), about(),
                              later(), {"/configz"});
    CHECK(*page.headers.find("Content-Type") == "application/json");
    CHECK(boost::json::parse(page.body) ==
          boost::json::parse(R"({"kind":"Statusz","apiVersion":"config.k8s.io/v1beta1",)"
                             R"("metadata":{"name":"kube-proxy"},)"
                             R"("startTime":"2026-11-21T02:03:31Z","uptimeSeconds":3725,)"
                             R"("goVersion":"none","binaryVersion":")" +
                             version + R"(","paths":["/configz"]})"));
}

TEST_CASE("The form of a page follows the Accept header", "[serve]") {
    const auto page = [](const std::string& accept) {
        return flagz(get("/flagz", {{"Accept", accept}}), about());
    };
    CHECK(*page("*/*").headers.find("Content-Type") == "text/plain; charset=utf-8");
    CHECK(page("text/html, text/plain;q=0.5").status == 200);
    CHECK(page("application/json").status == 406); // of which type?
    CHECK(page("application/cbor").status == 406);
    CHECK(page(structured + "Statusz").status == 406);
    CHECK(page("application/json;v=v2;g=config.k8s.io;as=Flagz").status == 406);
    const auto old = page("application/json; v=v1alpha1; g=config.k8s.io; as=Flagz");
    CHECK(old.status == 200);
    CHECK_THAT(*old.headers.find("Warning"), StartsWith("299 "));
    const auto yaml = page("application/yaml;v=v1beta1;g=config.k8s.io;as=Flagz");
    CHECK(*yaml.headers.find("Content-Type") == "application/yaml");
    CHECK_THAT(yaml.body, StartsWith("kind: \"Flagz\"\napiVersion: \"config.k8s.io/v1beta1\"\n"));
    const auto cbor = page("application/cbor;v=v1beta1;g=config.k8s.io;as=Flagz");
    CHECK(*cbor.headers.find("Content-Type") == "application/cbor");
    CHECK_THAT(cbor.body, StartsWith("\xd9\xd9\xf7\xa4"
                                     "DkindEFlagzEflags\xa2"
                                     "AvA2GcleanupEfalse"
                                     "Hmetadata\xa1"
                                     "DnameJkube-proxyJapiVersionU"
                                     "config.k8s.io/v1beta1"));
}

TEST_CASE("PUT /debug/flags/v sets the verbosity of the log; nothing else does", "[serve]") {
    const auto before = log::verbosity();
    const auto put = [](std::string body) {
        return verbosity_flag({"PUT", "/debug/flags/v", {}, std::move(body)});
    };
    CHECK(put("7").body == "successfully set klog.logging.verbosity to 7");
    CHECK(log::verbosity() == 7);
    CHECK(put("loud").status == 400);
    CHECK(put("-1").status == 400);
    CHECK(put("").status == 400);
    CHECK(verbosity_flag(get("/debug/flags/v")).status == 406);
    CHECK(log::verbosity() == 7);
    log::set_verbosity(before);
}

TEST_CASE("A page answers for its path, one that ends in a slash for all below too", "[serve]") {
    Pages pages;
    pages.add("/a", [](const auto&) { return text_page("a"); });
    pages.add("/a/b", [](const auto&) { return text_page("b"); });
    pages.add("/debug/pprof/", [](const auto&) { return no_profile(); });
    CHECK(pages.answer(get("/a?x=/a/b")).body == "a");
    CHECK(pages.answer(get("/a/b")).body == "b");
    CHECK(pages.answer(get("/a/c")).status == 404);
    CHECK(pages.answer(get("/a/c")).body == "404 page not found\n");
    CHECK(pages.answer(get("/debug/pprof/heap")).status == 501);
    CHECK(pages.paths() == std::vector<std::string>{"/a", "/debug"});
}
