// Which Events are told of what happens, over a client that keeps what it is sent.
#include "proxy/run/reporter.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <vector>

namespace ipvsproxy::run {
namespace {

namespace asio = boost::asio;
using Catch::Matchers::Contains;

class Created final : public api::Answer {
public:
    unsigned status() const override { return 201; }
    std::optional<std::string> header(std::string_view) const override { return std::nullopt; }
    asio::awaitable<std::string_view> more() override { co_return std::string_view{}; }
    void limit_idle(std::chrono::nanoseconds) override {}
};

class Keeper final : public api::Client {
public:
    explicit Keeper(std::vector<api::Request>& kept) : kept_{kept} {}
    asio::awaitable<std::unique_ptr<api::Answer>> send(api::Request request) override {
        kept_.push_back(std::move(request));
        co_return std::make_unique<Created>();
    }

private:
    std::vector<api::Request>& kept_;
};

/// A reporter, and what it has sent.
struct Reporting {
    Reporting() {
        reporter.report_to(io.get_executor(), std::make_unique<Keeper>(sent));
        asio::co_spawn(io, reporter.run(), asio::detached);
    }
    const api::Request& last() {
        io.poll();
        REQUIRE_FALSE(sent.empty());
        return sent.back();
    }
    std::vector<api::Request> sent;
    asio::io_context io{1};
    Reporter reporter{"node-1"};
};

const std::string of_node = "/apis/events.k8s.io/v1/namespaces/default/events";
const std::string about_node = R"("regarding":{"kind":"Node","name":"node-1","apiVersion":"v1"})";

} // namespace

TEST_CASE("the beginning is an Event of the Node", "[run]") {
    Reporting world;
    world.reporter.starting();
    CHECK(world.last().target == of_node);
    CHECK_THAT(world.last().body, Contains(R"("action":"StartKubeProxy","reason":"Starting")"));
    CHECK_THAT(world.last().body, Contains(about_node));
    CHECK_THAT(world.last().body, Contains(R"("note":"","type":"Normal")"));
    CHECK_THAT(world.last().body, Contains(R"("reportingController":"kube-proxy",)"
                                           R"("reportingInstance":"kube-proxy-node-1")"));
}

TEST_CASE("a server that ends the process is a warning about the Node", "[run]") {
    Reporting world;
    world.reporter.listener_failed(serve::Listener::health, "0.0.0.0:10256: in use");
    CHECK(world.last().target == of_node);
    CHECK_THAT(world.last().body, Contains(R"("action":"StartKubeProxy",)"
                                           R"("reason":"FailedToStartProxierHealthcheck")"));
    CHECK_THAT(world.last().body, Contains(about_node));
    CHECK_THAT(world.last().body, Contains(R"("note":"0.0.0.0:10256: in use","type":"Warning")"));
    world.reporter.listener_failed(serve::Listener::metrics, "in use");
    CHECK_THAT(world.last().body, Contains(R"("reason":"FailedToStartMetricServer")"));
}

TEST_CASE("a health check that cannot be served is a warning about the Service", "[run]") {
    Reporting world;
    world.reporter.health_check_failed({"shop", "web"}, Port{30456}, "in use");
    CHECK(world.last().target == "/apis/events.k8s.io/v1/namespaces/shop/events");
    CHECK_THAT(
        world.last().body,
        Contains(R"("action":"Listen","reason":"FailedToStartServiceHealthcheck","regarding":)"
                 R"({"kind":"Service","name":"web","namespace":"shop","uid":"shop/web"},)"
                 R"("note":"node node-1 failed to start healthcheck \"shop/web\" on port 30456: )"
                 R"(in use","type":"Warning")"));
}

TEST_CASE("the last words are sent before they are over", "[run]") {
    Reporting world;
    world.reporter.listener_failed(serve::Listener::health, "in use");
    bool over = false;
    asio::co_spawn(world.io, world.reporter.last_words(std::chrono::hours{1}),
                   [&](const std::exception_ptr&) { over = true; });
    world.io.poll();
    CHECK(over);
    CHECK(world.sent.size() == 1);
}

TEST_CASE("where there is nobody to tell, nothing is told or waited for", "[run]") {
    asio::io_context io{1};
    Reporter reporter{"node-1"};
    reporter.report_to(io.get_executor(), nullptr);
    int ended = 0;
    const auto count = [&](const std::exception_ptr&) { ++ended; };
    asio::co_spawn(io, reporter.run(), count);
    reporter.starting();
    asio::co_spawn(io, reporter.last_words(std::chrono::hours{1}), count);
    io.poll();
    CHECK(ended == 2);
}

} // namespace ipvsproxy::run
