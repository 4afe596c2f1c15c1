// What the daemon does with the API as its source, over a client that answers from a script.
#include <algorithm>
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
                const auto& file = with.configuration.client_connection.kubeconfig;
                kubeconfigs.push_back(file);
                if (file == missing) throw std::runtime_error{file + ": no such file"};
                observed = told;
                return std::make_unique<Door>(file == elsewhere ? other_script : script);
            },
            ApiSource::Patience{60ms, 60ms, 5ms});
        source->begin(options, deaf);
    }
    /// Runs find_node() to its end. @param limit zero: it has nothing to wait for.
    /// @return what it threw; nothing: it is still waiting.
    std::optional<std::string> find(std::chrono::milliseconds limit = 10s) {
        return ended(source->find_node(), limit);
    }
    /// What a life begins for other options, beside the one under way.
    std::optional<std::string> prepare(const config::Options& next,
                                       std::chrono::milliseconds limit = 10s) {
        return ended(source->prepare(next), limit);
    }
    std::optional<std::string> ended(asio::awaitable<void> work, std::chrono::milliseconds limit) {
        std::optional<std::string> said;
        bool over = false;
        asio::cancellation_signal enough;
        asio::co_spawn(io, std::move(work),
                       asio::bind_cancellation_slot(enough.slot(), [&](std::exception_ptr error) {
                           if (over) return;
                           said = "";
                           try {
                               if (error) std::rethrow_exception(error);
                           } catch (const std::exception& failure) {
                               said = failure.what();
                           }
                           io.stop();
                       }));
        io.restart();
        if (limit == 0ms) io.poll();
        else io.run_for(limit);
        if (said) return said;
        over = true;
        enough.emit(asio::cancellation_type::terminal);
        io.restart();
        io.poll();
        return std::nullopt;
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

    static constexpr auto missing = "/etc/missing.conf", elsewhere = "/etc/elsewhere.conf";
    config::Options options;
    asio::io_context io{1};
    api::Script script{io.get_executor()}, other_script{io.get_executor()};
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

namespace {

/// A life that knows one Service, and the options of another that is to look elsewhere.
struct Moving : Daemon {
    Moving() {
        list(script, event("ADDED", service_item("a"), 5));
        follow(first);
        REQUIRE(first.completions == 1);
        REQUIRE(services() == Names{"a"});
        next = options;
        next.configuration.client_connection.kubeconfig = elsewhere;
    }
    using Names = std::vector<std::string>;
    /// All lists of a server, then its watches, which are held.
    static void list(api::Script& server, const std::string& service,
                     const std::string& of_node = node("", address)) {
        server.add(api::services, {.pieces = {service + bookmark(9, true)}, .then = Then::hold});
        server.add(api::slices, {.pieces = {bookmark(9, true)}, .then = Then::hold});
        server.add(api::nodes, {.pieces = {of_node + bookmark(9, true)}, .then = Then::hold});
    }
    Names services() {
        Names names;
        for (const auto& [name, service] : source->store().services())
            names.push_back(name.name.text());
        return names;
    }
    void begin_with(const config::Options& with) {
        options = with;
        begin_anew(deaf);
    }
    config::Options next;
    Told first, second;
};

} // namespace

TEST_CASE("D-18 while another server does not answer, what is known is kept and followed",
          "[run]") {
    Moving world;
    CHECK(world.prepare(world.next, 100ms) == std::nullopt);
    CHECK(world.services() == Moving::Names{"a"});
    const auto changes = world.first.changes;
    world.script.push(api::services, event("ADDED", service_item("b"), 10));
    world.io.restart();
    world.io.poll();
    CHECK(world.services() == Moving::Names{"a", "b"});
    CHECK(world.first.changes == changes + 1);
    SECTION("and the life before goes on when the configuration is changed back") {
        world.begin_with(world.options);
        CHECK(world.services() == Moving::Names{"a", "b"});
    }
}

TEST_CASE("D-18 a life begins with what was listed of another server beforehand", "[run]") {
    Moving world;
    Moving::list(world.other_script, event("ADDED", service_item("z"), 5));
    CHECK(world.prepare(world.next) == "");
    CHECK(world.services() == Moving::Names{"a"}); // still the life before
    const auto changes = world.first.changes;
    world.begin_with(world.next);
    CHECK(world.services() == Moving::Names{"z"});
    CHECK(world.source->store().node("node-1") != nullptr);
    CHECK(world.source->relists() == 0);
    world.follow(world.second);
    CHECK(world.second.completions == 1);
    CHECK_THAT(world.other_script.asked(api::services).back(), Contains("resourceVersion=9&"));
    CHECK(world.first.changes == changes); // the other's are not its
}

TEST_CASE("D-18 a half of the other server's lists is not enough", "[run]") {
    Moving world;
    world.other_script.add(api::services, {.pieces = {bookmark(9, true)}, .then = Then::hold});
    world.other_script.add(api::nodes,
                           {.pieces = {node("", address) + bookmark(9, true)}, .then = Then::hold});
    CHECK(world.prepare(world.next, 100ms) == std::nullopt);
}

TEST_CASE("D-18 a Node that the other server does not have is waited for once", "[run]") {
    Moving world;
    Moving::list(world.other_script, "", "");
    CHECK(world.prepare(world.next) == "");
    world.begin_with(world.next);
    CHECK(world.source->store().nodes().empty());
    CHECK(world.find(0ms) == "");
}

TEST_CASE("D-18 where nothing is known yet there is nothing to wait for", "[run]") {
    Daemon daemon;
    auto next = daemon.options;
    next.configuration.client_connection.kubeconfig = Daemon::elsewhere;
    CHECK(daemon.prepare(next) == "");
    CHECK(daemon.other_script.asked(api::services).empty());
}

TEST_CASE("D-18 credentials that cannot be read are tried again, and end no life", "[run]") {
    Moving world;
    auto next = world.options;
    next.configuration.client_connection.kubeconfig = Daemon::missing;
    CHECK(world.prepare(next, 200ms) == std::nullopt);
    CHECK(std::ranges::count(world.kubeconfigs, std::string{Daemon::missing}) > 1);
    CHECK(world.services() == Moving::Names{"a"});
}

TEST_CASE("D-18 a life that does not come to follow another server leaves the one before as it was",
          "[run]") {
    Moving world;
    Moving::list(world.other_script, event("ADDED", service_item("z"), 5));
    REQUIRE(world.prepare(world.next) == "");
    const auto before = world.options;
    world.begin_with(world.next);
    world.begin_with(before);
    CHECK(world.services() == Moving::Names{"a"});
    world.follow(world.second);
    CHECK(world.second.completions == 1);
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
