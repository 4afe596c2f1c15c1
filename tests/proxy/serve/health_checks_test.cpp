// healthCheckNodePort: the page, the addresses, and servers that come and go with their Services.
#include "proxy/serve/health_checks.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include "tests/kernel/process.h"

using namespace ipvsproxy;
using namespace ipvsproxy::serve;
using Catch::Matchers::Contains;

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

const model::ObjectName web{"default", "web"};
const model::ObjectName dns{"kube-system", "dns"};
const Address loopback = *Address::parse("127.0.0.1");
const PerFamily<bool> both{true, true};

/// A port that nobody has.
Port free_port() {
    asio::io_context io;
    const tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
    return Port{acceptor.local_endpoint().port()};
}

plan::HealthCheck check(Port port, std::size_t count) {
    return {port, {count, std::nullopt}};
}

/// Servers on 127.0.0.1, and what was told of failures.
struct Node {
    asio::io_context io{1};
    HealthState health{std::chrono::seconds{30}};
    std::vector<std::string> failures;
    HealthCheckServers servers{io.get_executor(),
                               health,
                               {{loopback}, {}},
                               [this](const model::ObjectName& name, Port, const std::string& why) {
                                   failures.push_back(name.text() + ": " + why);
                               }};
    /// All that differs is said to have changed, as the cluster would.
    void sync(const HealthCheckServers::Wanted& next, const PerFamily<bool>& taken) {
        std::set<model::ObjectName> changed;
        const auto differ = [&](const auto& one, const auto& other) {
            for (const auto& [name, check] : one)
                if (const auto at = other.find(name); at == other.end() || at->second != check)
                    changed.insert(name);
        };
        differ(next, wanted);
        differ(wanted, next);
        wanted = next;
        servers.sync(wanted, changed, taken);
    }
    HealthCheckServers::Wanted wanted;
    bool listens(Port port) {
        asio::io_context clients;
        tcp::socket socket{clients};
        boost::system::error_code error;
        socket.connect({asio::ip::make_address("127.0.0.1"), port.value}, error);
        return !error;
    }
};

std::vector<Address> addresses(std::initializer_list<const char*> texts) {
    std::vector<Address> all;
    for (const auto* text : texts)
        all.push_back(*Address::parse(text));
    return all;
}

} // namespace

TEST_CASE("P-230: a health check answers with its count in header and body", "[serve]") {
    const auto page = health_check_page({"NS", "NAME"}, 3, true);
    CHECK(page.status == 200);
    CHECK(page.headers == http::Headers{{"Content-Type", "application/json"},
                                        {"X-Content-Type-Options", "nosniff"},
                                        {"X-Load-Balancing-Endpoint-Weight", "3"}});
    CHECK(page.body == "{\n\t\"service\": {\n\t\t\"namespace\": \"NS\",\n\t\t\"name\": \"NAME\"\n"
                       "\t},\n\t\"localEndpoints\": 3,\n\t\"serviceProxyHealthy\": true\n}");
    CHECK(health_check_page(web, 0, true).status == 503);
}

TEST_CASE("P-228: while the proxy is unhealthy every check is 503, its count unchanged",
          "[serve]") {
    const auto page = health_check_page(web, 18, false);
    CHECK(page.status == 503);
    CHECK(*page.headers.find("X-Load-Balancing-Endpoint-Weight") == "18");
    CHECK_THAT(page.body,
               Contains("\"localEndpoints\": 18") && Contains("\"serviceProxyHealthy\": false"));
}

TEST_CASE("P-229: checks listen where nodePortAddresses say", "[serve]") {
    const auto prefix = [](const char* text) { return *Prefix::parse(text); };
    const auto held = addresses({"127.0.0.1", "192.0.2.7", "10.96.0.1", "::1", "2001:db8::7"});
    const auto every = probe_addresses({}, held);
    CHECK(every.v4 == addresses({"0.0.0.0"}));
    CHECK(every.v6 == addresses({"::"}));
    const auto local = probe_addresses(
        {{prefix("127.0.0.0/8")}, {prefix("2001:db8::/32"), prefix("fd00::/8")}}, held);
    CHECK(local.v4 == addresses({"127.0.0.1"}));
    CHECK(local.v6 == addresses({"2001:db8::7"}));
    CHECK(probe_addresses({{prefix("198.51.100.0/24")}, {}}, held).v4.empty());
    CHECK(probe_addresses({{prefix("192.0.2.0/24"), prefix("0.0.0.0/0")}, {}}, held).v4 ==
          addresses({"0.0.0.0"}));
    // Where the interfaces cannot be read, all of them.
    CHECK(probe_addresses({{prefix("127.0.0.0/8")}, {}}, {}).v4 == addresses({"0.0.0.0"}));
}

TEST_CASE("P-227: servers come, change their port and go with their Services", "[serve]") {
    Node node;
    const auto one = free_port();
    const auto two = free_port();
    node.sync({{web, check(one, 0)}, {dns, {two, {}}}}, both);
    CHECK(node.servers.size() == 1); // dns has no family that is proxied
    CHECK(node.listens(one));
    CHECK_FALSE(node.listens(two));
    node.sync({{web, check(two, 1)}, {dns, check(one, 1)}}, both); // they swap
    CHECK(node.servers.size() == 2);
    CHECK((node.listens(one) && node.listens(two)));
    node.sync({{dns, check(one, 1)}}, both);
    CHECK(node.listens(one));
    CHECK_FALSE(node.listens(two));
    node.sync({}, {false, true}); // IPv4's sync was no success
    CHECK(node.listens(one));
    node.sync({}, both);
    CHECK(node.servers.size() == 0);
    CHECK_FALSE(node.listens(one));
    CHECK(node.failures.empty());
}

TEST_CASE("No Service is looked at but those that changed, and those that wait for a family",
          "[serve]") {
    Node node;
    const auto one = free_port();
    const auto two = free_port();
    const HealthCheckServers::Wanted wanted{{web, check(one, 1)}, {dns, check(two, 1)}};
    node.servers.sync(wanted, {web}, both);
    CHECK(node.listens(one));
    CHECK_FALSE(node.listens(two)); // nobody said that it changed
    node.servers.sync(wanted, {dns}, {false, true});
    CHECK_FALSE(node.listens(two));
    node.servers.sync(wanted, {}, both); // and it is remembered until then
    CHECK(node.listens(two));
    CHECK(node.servers.size() == 2);
}

TEST_CASE("A port that is taken is tried, and told, at every sync", "[serve]") {
    Node node;
    const auto port = free_port();
    {
        asio::io_context io;
        const tcp::acceptor taken{io, {asio::ip::make_address("127.0.0.1"), port.value}};
        node.sync({{web, check(port, 1)}}, both);
        node.sync({{web, check(port, 1)}}, both);
        REQUIRE(node.failures.size() == 2);
        CHECK_THAT(node.failures.front(), Contains("default/web: listen tcp 127.0.0.1:"));
        CHECK(node.servers.size() == 0);
    }
    node.sync({{web, check(port, 1)}}, both);
    CHECK(node.servers.size() == 1);
}
