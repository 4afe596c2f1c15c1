// What the daemon does with the API as its source, over a client that answers from a script.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>

#include "proxy/run/api_source.h"
#include "tests/proxy/api/watching.h"

namespace ipvsproxy::run {
namespace {

using namespace std::chrono_literals;
using api::bookmark, api::event, api::service_item, api::slice_item, api::Then;
using Catch::Matchers::Contains;
namespace asio = boost::asio;

/// The script stays the test's; each life has a door to it.
class Door final : public api::Client {
public:
    explicit Door(api::Client& behind) : behind_{behind} {}
    asio::awaitable<std::unique_ptr<api::Answer>> send(api::Request request) override {
        auto answer = behind_.send(std::move(request));
        co_return co_await std::move(answer);
    }

private:
    api::Client& behind_;
};

struct Told : Listener {
    void changed() override { ++changes; }
    void complete() override { ++completions; }
    int changes{}, completions{};
};

/// Counts nothing.
struct Deaf final : api::ClientObserver {
    void rate_limited(std::string_view, std::string_view, std::chrono::nanoseconds) override {}
    void exchanged(const api::Exchange&) override {}
    void read_whole(std::string_view, std::string_view, std::size_t) override {}
    void retried(std::string_view, std::string_view, unsigned) override {}
    void plugin_called(int, std::string_view) override {}
};

struct Daemon {
    explicit Daemon(config::LocalMode mode = config::LocalMode::cluster_cidr) {
        options.node_name = "node-1";
        options.parsed.local_mode = mode;
        source.emplace(
            [this](const config::Options& with, const asio::any_io_executor&,
                   api::ClientObserver* told) {
                kubeconfigs.push_back(with.configuration.client_connection.kubeconfig);
                observed = told;
                return std::make_unique<Door>(script);
            },
            ApiSource::Patience{60ms, 60ms});
        source->begin(options, deaf);
    }
    /// Runs find_node() to its end. @return what it threw; nothing: it is still waiting.
    std::optional<std::string> find(std::chrono::milliseconds limit = 10s) {
        std::optional<std::string> said;
        asio::co_spawn(io, source->find_node(), [&](std::exception_ptr error) {
            said = "";
            try {
                if (error) std::rethrow_exception(error);
            } catch (const std::exception& failure) {
                said = failure.what();
            }
            io.stop();
        });
        io.restart();
        io.run_for(limit);
        return said;
    }
    void follow(Told& told) {
        asio::co_spawn(io, source->follow(told),
                       asio::bind_cancellation_slot(life.slot(), asio::detached));
        io.restart();
        io.poll();
    }
    /// The life under way ends, and the next begins.
    void begin_anew(api::ClientObserver& requests) {
        life.emit(asio::cancellation_type::terminal);
        io.restart();
        io.poll();
        source->begin(options, requests);
    }

    config::Options options;
    asio::io_context io{1};
    api::Script script{io.get_executor()};
    Deaf deaf;
    std::optional<ApiSource> source;
    asio::cancellation_signal life;
    std::vector<std::string> kubeconfigs; ///< of the clients so far
    api::ClientObserver* observed{};      ///< by the last of them
};

std::string node(const std::string& spec, const std::string& address, int version = 3) {
    return R"({"type":"ADDED","object":{"kind":"Node","apiVersion":"v1","metadata":{"name":"node-1",)"
           R"("resourceVersion":")" +
           std::to_string(version) + R"("},"spec":{)" + spec + R"(},"status":{"addresses":[)" +
           address + "]}}}\n";
}
const std::string address = R"({"type":"InternalIP","address":"192.168.10.11"})";

} // namespace

TEST_CASE("the daemon goes on as soon as its Node has an address", "[run]") {
    Daemon daemon;
    daemon.script.add(api::nodes, {.pieces = {node("", address) + bookmark(9, true)}});
    CHECK(daemon.find() == "");
    CHECK(daemon.source->store().node("node-1") != nullptr);
    CHECK(daemon.script.asked(api::services).empty());
}

TEST_CASE("a Node whose address comes late is waited for", "[run]") {
    Daemon daemon;
    daemon.script.add(api::nodes,
                      {.pieces = {node("", "") + bookmark(9, true)}, .then = Then::hold});
    asio::steady_timer later{daemon.io, 20ms};
    later.async_wait(
        [&](boost::system::error_code) { daemon.script.push(api::nodes, node("", address, 12)); });
    CHECK(daemon.find() == "");
    CHECK(daemon.source->store().node("node-1")->internal_ips.size() == 1);
}

TEST_CASE("a missing Node is waited for, and then missed", "[run]") {
    Daemon daemon;
    daemon.script.add(api::nodes, {.pieces = {bookmark(9, true)}, .then = Then::hold});
    CHECK(daemon.find() == "");
    CHECK(daemon.source->store().nodes().empty());
}

TEST_CASE("an API server that does not answer is waited for without end", "[run]") {
    Daemon daemon;
    daemon.script.add(api::nodes, {.refuses = asio::error::connection_refused});
    CHECK(daemon.find(300ms) == std::nullopt);
}

TEST_CASE("with NodeCIDR the podCIDRs are waited for, and are needed", "[run]") {
    using config::LocalMode;
    Daemon late{LocalMode::node_cidr};
    late.script.add(api::nodes,
                    {.pieces = {node("", address) + bookmark(9, true)}, .then = Then::hold});
    asio::steady_timer later{late.io, 20ms};
    later.async_wait([&](boost::system::error_code) {
        late.script.push(api::nodes, node(R"("podCIDRs":["10.244.1.0/24"])", address, 12));
    });
    CHECK(late.find() == "");

    Daemon never{LocalMode::node_cidr};
    never.script.add(api::nodes,
                     {.pieces = {node("", address) + bookmark(9, true)}, .then = Then::hold});
    CHECK(never.find() == "timeout waiting for PodCIDR allocation on node \"node-1\"");

    Daemon missing{LocalMode::node_cidr};
    missing.script.add(api::nodes, {.pieces = {bookmark(9, true)}, .then = Then::hold});
    CHECK(missing.find() == "timeout waiting for node \"node-1\" to exist");
}

TEST_CASE("what one life knows, the next begins with", "[run]") {
    Daemon daemon;
    for (const auto& path : {api::services, api::slices, api::nodes})
        daemon.script.add(path, {.pieces = {bookmark(9, true)}, .then = Then::hold});
    Told first, second;
    daemon.follow(first);
    CHECK(first.completions == 1);
    CHECK(daemon.source->lists() == 3);
    daemon.options.configuration.client_connection.qps = 50;
    daemon.begin_anew(daemon.deaf);
    daemon.follow(second);
    CHECK(second.completions == 1);
    CHECK_THAT(daemon.script.asked(api::services).back(), Contains("resourceVersion=9&"));
}

TEST_CASE("D-18 a life that looks elsewhere, or for another Node, begins with nothing", "[run]") {
    const auto changes =
        GENERATE(table<std::string, std::string>({{"/etc/other.conf", "node-1"}, {"", "node-2"}}));
    const auto& kubeconfig = std::get<0>(changes);
    const auto& node_name = std::get<1>(changes);
    Daemon daemon;
    const auto serve = [&](const std::string& service) {
        daemon.script.add(api::services,
                          {.pieces = {service + bookmark(9, true)}, .then = Then::hold});
        for (const auto& path : {api::slices, api::nodes})
            daemon.script.add(path, {.pieces = {bookmark(9, true)}, .then = Then::hold});
    };
    serve(event("ADDED", service_item("a"), 5));
    Told first, second;
    daemon.follow(first);
    REQUIRE(first.completions == 1);
    REQUIRE(daemon.source->store().services().size() == 1);

    daemon.options.configuration.client_connection.kubeconfig = kubeconfig;
    daemon.options.node_name = node_name;
    daemon.begin_anew(daemon.deaf);
    CHECK(daemon.source->store().services().empty());
    CHECK(daemon.source->lists() == 0);
    serve("");
    daemon.follow(second);
    CHECK(second.completions == 1); // of what is listed now
    CHECK(daemon.source->store().services().empty());
    CHECK(daemon.kubeconfigs.back() == kubeconfig);
    CHECK_THAT(daemon.script.asked(api::nodes).back(),
               Contains("fieldSelector=metadata.name%3D" + node_name));
}

TEST_CASE("every client of a life is counted by that life", "[run]") {
    Daemon daemon;
    Told told;
    daemon.follow(told);
    CHECK(daemon.observed == &daemon.deaf);
    Deaf other;
    daemon.begin_anew(other);
    CHECK(daemon.source->reporting_client(daemon.io.get_executor()) != nullptr);
    CHECK(daemon.observed == &other);
}

TEST_CASE("a command lists once, or says why it cannot", "[run]") {
    config::Options options;
    options.node_name = "node-1";
    asio::io_context never;
    api::Script script{never.get_executor()};
    const auto connect = [&](const config::Options&, const asio::any_io_executor&,
                             api::ClientObserver*) { return std::make_unique<Door>(script); };
    script.add(api::nodes, {.pieces = {bookmark(9, true)}});
    script.add(api::services,
               {.pieces = {event("ADDED", service_item("a"), 5) +
                           event("ADDED", service_item("b", "10.96.0.2", R"(,"ports":7)"), 6) +
                           bookmark(9, true)}});
    script.add(api::slices,
               {.pieces = {event("ADDED", slice_item("a-1", "a"), 5) + bookmark(9, true)}});
    const auto listed = list_once(options, connect);
    CHECK(listed.store.services().size() == 1);
    CHECK(listed.store.all_slices().size() == 1);
    CHECK(listed.refused == 1);
    script.add(api::nodes, {.status = 401});
    CHECK_THROWS_WITH(list_once(options, connect),
                      Contains("API server: HTTP status 401; check the credentials"));
}

} // namespace ipvsproxy::run
