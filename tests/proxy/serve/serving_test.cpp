// The pages of both servers, over a node on paper.
#include "proxy/serve/serving.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include "tests/proxy/serve/served.h"

using namespace ipvsproxy;
using namespace ipvsproxy::serve;
using Catch::Matchers::Contains;
namespace asio = boost::asio;

TEST_CASE("/healthz is 503 until the node was read and written once; /livez does not wait",
          "[serve]") {
    Served served;
    CHECK_THAT(served.health("/healthz").body, Contains(R"("nodeEligible":true,"healthy":false)"));
    CHECK(served.health("/healthz").status == 503);
    CHECK(served.health("/livez").status == 200);
    served.turn();
    CHECK(served.health("/healthz").status == 200);
    served.loop.queued(); // a start is over once
    CHECK(served.health("/healthz").status == 200);
}

TEST_CASE("Only /healthz and /livez are served for health, and each answer is counted", "[serve]") {
    Served served;
    served.turn();
    CHECK(served.health("/healthz?x").status == 200);
    CHECK(served.health("/livez").status == 200);
    CHECK(served.health("/").status == 404);
    CHECK(served.health("/healthz/").status == 404);
    const model::Node leaving{.name = "node-1", .being_deleted = true};
    served.serving.take_node(&leaving);
    CHECK(served.health("/healthz").status == 503);
    const auto text = served.metrics();
    CHECK_THAT(text, Contains("kubeproxy_proxy_healthz_total{code=\"200\"} 1\n") &&
                         Contains("kubeproxy_proxy_healthz_total{code=\"503\"} 1\n") &&
                         Contains("kubeproxy_proxy_livez_total{code=\"200\"} 1\n"));
}

TEST_CASE("The metrics server serves what kube-proxy's does", "[serve]") {
    Served served;
    CHECK(served.page("/proxyMode").body == "ipvs");
    CHECK(*served.page("/proxyMode").headers.find("Content-Type") == "text/plain; charset=utf-8");
    CHECK(served.page("/healthz").body == "ok");
    CHECK(served.page("/healthz/ping").body == "ok");
    CHECK(served.page("/healthz/pong").status == 404);
    CHECK(served.page("/nothing").status == 404);
    CHECK(served.page("/configz").status == 200);
    CHECK(served.page("/flagz").status == 200);
    CHECK_THAT(served.page("/statusz").body,
               Contains("Paths: /configz /flagz /healthz /metrics /proxyMode /statusz\n"));
    CHECK(served.page("/debug/flags/v", "PUT").status == 404); // enableProfiling is not set
    CHECK(served.page("/debug/pprof/").status == 404);
}

TEST_CASE("enableProfiling opens /debug", "[serve]") {
    Served served{options({{"profiling", {"true"}}})};
    CHECK(served.page("/debug/flags/v").status == 406);
    CHECK(served.page("/debug/pprof/profile").status == 501);
}

TEST_CASE("A feature gate that is off takes its page away", "[serve]") {
    Served served{options({{"feature-gates", {"ComponentFlagz=false,ComponentStatusz=false"}}})};
    CHECK(served.page("/flagz").status == 404);
    CHECK(served.page("/statusz").status == 404);
}

TEST_CASE("/metrics/slis counts the health checks until it is reset", "[serve]") {
    Served served;
    CHECK(served.page("/metrics/slis").body.empty());
    served.page("/healthz");
    served.page("/healthz?verbose");
    const auto text = served.page("/metrics/slis").body;
    CHECK_THAT(text, Contains("\nkubernetes_healthcheck{name=\"ping\",type=\"healthz\"} 1\n"));
    CHECK_THAT(text, Contains("\nkubernetes_healthchecks_total{name=\"ping\",status=\"success\","
                              "type=\"healthz\"} 2\n"));
    CHECK(served.page("/metrics/slis", "DELETE").body == "metrics reset\n");
    CHECK(served.page("/metrics/slis").body.empty());
}

TEST_CASE("With bindAddressHardFail an address that is taken ends it, and is told before",
          "[serve]") {
    asio::io_context other;
    const asio::ip::tcp::acceptor taken{other, {asio::ip::make_address("127.0.0.1"), 0}};
    const auto where = "127.0.0.1:" + std::to_string(taken.local_endpoint().port());
    Served served{options({{"bind-address-hard-fail", {"true"}},
                           {"healthz-bind-address", {where}},
                           {"metrics-bind-address", {where}}})};
    std::exception_ptr failure;
    asio::co_spawn(served.io, served.serving.listen(Listener::health),
                   [&](std::exception_ptr error) { failure = std::move(error); });
    served.io.run();
    REQUIRE(failure);
    CHECK_THROWS_WITH(std::rethrow_exception(failure),
                      Contains("listen tcp " + where) && Contains("bindAddressHardFail"));
    REQUIRE_FALSE(served.heard.listeners.empty());
    CHECK_THAT(served.heard.listeners.front(), Contains("health: listen tcp " + where));
}
