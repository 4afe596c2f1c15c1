// What is served, over a node on paper: the pages of both servers, and every metric.
#include "proxy/serve/serving.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>
#include <ctime>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <thread>

#include "proxy/config/flags.h"
#include "tests/kernel/process.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::serve;
using Catch::Matchers::Contains;
using std::chrono::milliseconds;

namespace {

namespace asio = boost::asio;

config::Options options(std::map<std::string, std::vector<std::string>, std::less<>> given) {
    given.try_emplace("hostname-override", std::vector<std::string>{"node-1"});
    return *config::complete(config::Flags{std::move(given)}, std::nullopt, "node-1");
}

struct Heard final : Witness {
    std::vector<std::string> listeners;
    void listener_failed(Listener which, const std::string& why) override {
        listeners.push_back((which == Listener::health ? "health: " : "metrics: ") + why);
    }
};

/// Serves a node on paper without listening.
struct Served {
    explicit Served(config::Options with = options({})) : chosen{std::move(with)} {
        serving.observe(loop);
        serving.attach(node.cluster(), std::nullopt);
        const model::Node object{.name = "node-1"};
        serving.take_node(&object);
        node.adopt();
    }
    /// A turn of the loop.
    void turn() {
        node.cluster().derive();
        auto round = node.cluster().take_round(node.now);
        const auto outcome = sync::apply(node.tables.kernel, round);
        const auto report = node.cluster().settle(round, outcome);
        loop.settled(round, report, milliseconds{3});
        for (const auto& trigger : node.cluster().take_triggers({true, true}))
            loop.programmed(trigger.family, trigger.at);
        loop.reached({true, true});
    }
    http::Response health(std::string target) {
        return serving.health_page({.target = std::move(target)});
    }
    http::Response page(std::string target, std::string method = "GET") {
        return serving.metrics_page({.method = std::move(method), .target = std::move(target)});
    }
    std::string metrics() { return page("/metrics").body; }

    config::Options chosen;
    sync::PaperNode node;
    asio::io_context io{1};
    Heard heard;
    sync::Observers loop;
    Serving serving{io,
                    {chosen,
                     {true, true},
                     [] {
                         return sync::KernelCost{3, 400, 5};
                     },
                     [] { return std::uint64_t{2}; }},
                    heard};
};

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);)
        all.push_back(line);
    return all;
}

/// A node with a service, a change of which the control plane saw after the start.
void serve_something(Served& served) {
    auto web = sync::service("web", "10.96.0.80");
    auto slice = sync::backends(web, "R.1");
    slice.triggered = std::chrono::system_clock::now();
    served.node.store().put(web);
    served.node.store().put(slice);
    served.loop.queued();
    served.turn();
}

} // namespace

TEST_CASE("Every line that kube-proxy exposes of itself is exposed here", "[serve]") {
    Served served;
    serve_something(served);
    served.health("/healthz");
    served.health("/livez");
    std::set<std::string> ours;
    for (const auto& line : lines(served.metrics()))
        ours.insert(line.starts_with('#') ? line : line.substr(0, line.rfind(' ')));
    std::ifstream recorded{KUBE_PROXY_METRICS};
    std::size_t count = 0;
    for (std::string line; std::getline(recorded, line); ++count) {
        const bool has_value = !line.starts_with('#') && line.find(' ') != std::string::npos;
        const auto wanted = has_value ? line.substr(0, line.rfind(' ')) : line;
        CAPTURE(wanted);
        CHECK(ours.contains(wanted));
    }
    CHECK(count > 60);
}

namespace {

/// One family of metrics as it is exposed: `histogram ip_family 0.001 0.002 … +Inf`.
std::map<std::string, std::string> families_of(const std::string& text, const std::string& prefix) {
    std::map<std::string, std::string> all;
    std::map<std::string, std::set<std::string>> labels;
    std::map<std::string, std::vector<std::string>> bounds;
    std::string name;
    for (const auto& line : lines(text)) {
        if (line.starts_with("# TYPE " + prefix)) {
            name = line.substr(7, line.find(' ', 7) - 7);
            all[name] = line.substr(line.rfind(' ') + 1);
        }
        if (line.starts_with("# HELP " + prefix)) CHECK_THAT(line, Contains(" [ALPHA] "));
        if (!line.starts_with(prefix)) continue;
        static const std::regex label{"([a-z_]+)=\"([^\"]*)\""};
        for (std::sregex_iterator at{line.begin(), line.end(), label}; at != std::sregex_iterator{};
             ++at) {
            if ((*at)[1] != "le") labels[name].insert((*at)[1]);
            else if (std::ranges::find(bounds[name], (*at)[2].str()) == bounds[name].end())
                bounds[name].push_back((*at)[2]);
        }
    }
    for (auto& [family, what] : all) {
        for (const auto& each : labels[family])
            what += ' ' + each;
        for (const auto& each : bounds[family])
            what += ' ' + each;
    }
    return all;
}

} // namespace

TEST_CASE("kube-proxy's metrics of ipvs mode have their types, labels and buckets, and there "
          "are no others",
          "[serve]") {
    Served served;
    serve_something(served);
    served.health("/healthz");
    served.health("/livez");
    const std::string of_sync = "histogram ip_family 0.001 0.002 0.004 0.008 0.016 0.032 0.064 "
                                "0.128 0.256 0.512 1.024 2.048 4.096 8.192 16.384 +Inf";
    std::string of_programming = "histogram ip_family 0.25 0.5";
    for (int bound = 1; bound <= 300; bound += bound < 60 ? 1 : bound < 120 ? 5 : 30)
        of_programming += ' ' + std::to_string(bound);
    const std::string sync = "kubeproxy_sync_proxy_rules_";
    CHECK(families_of(served.metrics(), "kubeproxy_") ==
          std::map<std::string, std::string>{
              {sync + "duration_seconds", of_sync},
              {sync + "last_queued_timestamp_seconds", "gauge ip_family"},
              {sync + "last_timestamp_seconds", "gauge ip_family"},
              {sync + "endpoint_changes_pending", "gauge"},
              {sync + "endpoint_changes_total", "counter"},
              {sync + "service_changes_pending", "gauge"},
              {sync + "service_changes_total", "counter"},
              {sync + "no_local_endpoints_total", "gauge ip_family traffic_policy"},
              {sync + "iptables_restore_failures_total", "counter ip_family"},
              {"kubeproxy_proxy_healthz_total", "counter code"},
              {"kubeproxy_proxy_livez_total", "counter code"},
              {"kubeproxy_network_programming_duration_seconds", of_programming + " +Inf"},
              {"kubeproxy_conntrack_reconciler_sync_duration_seconds", of_sync},
              {"kubeproxy_conntrack_reconciler_deleted_entries_total", "counter ip_family"},
          });
}

TEST_CASE("What the dashboard Kubernetes / Proxy of kubernetes-mixin asks for is there",
          "[serve]") {
    Served served;
    serve_something(served);
    auto& requests = served.serving.client_observer();
    requests.exchanged({"GET", "h:6443", 200, milliseconds{20}, 0});
    requests.exchanged({"POST", "h:6443", 201, milliseconds{20}, 300});
    const auto text = served.metrics();
    for (const auto* line : {
             "kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family=\"IPv4\"} ",
             "kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0.001\"} ",
             "kubeproxy_network_programming_duration_seconds_count{ip_family=\"IPv4\"} ",
             "kubeproxy_network_programming_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0.25\"}"
             " ",
             "rest_client_requests_total{code=\"200\",host=\"h:6443\",method=\"GET\"} ",
             "rest_client_request_duration_seconds_bucket{host=\"h:6443\",verb=\"GET\",le=\"0."
             "005\"} ",
             "rest_client_request_duration_seconds_bucket{host=\"h:6443\",verb=\"POST\",le=\"0."
             "005\"} ",
             "process_resident_memory_bytes ",
             "process_cpu_seconds_total ",
         })
        CHECK_THAT(text, Contains(std::string{"\n"} + line));
}

TEST_CASE("The process is told as Prometheus' clients tell it, in every life as of its start",
          "[serve]") {
    const auto value = [](const std::string& text, const std::string& name) {
        const auto at = text.find('\n' + name + ' ');
        REQUIRE(at != std::string::npos);
        return std::stod(text.substr(at + name.size() + 2));
    };
    Served first;
    Served second;
    const auto text = first.metrics();
    const auto now = static_cast<double>(std::time(nullptr));
    const auto start = value(text, "process_start_time_seconds");
    CHECK(start <= now + 1);
    CHECK(start > now - 86400); // this test program's
    CHECK(value(second.metrics(), "process_start_time_seconds") == start);
    CHECK(value(text, "process_open_fds") >= 3);
    CHECK(value(text, "process_max_fds") >= value(text, "process_open_fds"));
    CHECK(value(text, "process_resident_memory_bytes") > 1e6);
    CHECK(value(text, "process_virtual_memory_bytes") >
          value(text, "process_resident_memory_bytes"));
    CHECK(value(text, "process_cpu_seconds_total") > 0);
}

TEST_CASE("X-019 The loop's doings are counted, a Service's change once a family", "[serve]") {
    Served served;
    serve_something(served);
    served.loop.queued();
    const auto text = served.metrics();
    for (const auto* line : {
             "kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family=\"IPv4\"} 1",
             "kubeproxy_network_programming_duration_seconds_count{ip_family=\"IPv4\"} 1",
             "kubeproxy_network_programming_duration_seconds_count{ip_family=\"IPv6\"} 0",
             "kubeproxy_sync_proxy_rules_endpoint_changes_total 1",
             "kubeproxy_sync_proxy_rules_endpoint_changes_pending 0",
             "kubeproxy_sync_proxy_rules_service_changes_total 2", // once a family
             "ipvsproxy_objects{kind=\"virtual_servers\"} 1",
             "ipvsproxy_objects{kind=\"real_servers\"} 1",
             "ipvsproxy_netlink_requests_total 3",
             "ipvsproxy_netlink_request_bytes_total 400",
             "ipvsproxy_api_relists_total 2",
             "ipvsproxy_ipset_entries{set=\"KUBE-CLUSTER-IP\"} 1",
             "ipvsproxy_drift_healed_total{table=\"real_servers\"} 0",
             "kubernetes_feature_enabled{name=\"AllAlpha\",stage=\"ALPHA\"} 0",
         })
        CHECK_THAT(text, Contains(std::string{"\n"} + line + "\n"));
    CHECK_THAT(text, !Contains("ipvsproxy_first_vip_seconds 0\n"));
    CHECK_THAT(text, Contains("kubernetes_build_info{"));
    CHECK_THAT(text, Contains("process_resident_memory_bytes ") &&
                         !Contains("process_resident_memory_bytes 0\n"));
    CHECK_THAT(text, Contains("registered_metrics_total{deprecated_version=\"\","
                              "stability_level=\"BETA\"} 3\n"));
}

TEST_CASE("Drift and refusals are counted by table, refusals by errno too", "[serve]") {
    Served served;
    served.loop.drifted(sync::Part::sets, {{}, {}});
    sync::Report report;
    const auto error = std::make_error_code(std::errc::no_space_on_device);
    report.refused = {{"ipset entry", "full", "", sync::Part::sets, error}};
    report.rules_refused.v6 = true;
    report.flows.v4 = sync::Forgetting{7, milliseconds{2}};
    served.loop.settled({}, report, {});
    served.loop.unreadable(sync::Part::rules, "no");
    const auto text = served.metrics();
    for (const auto* line :
         {"ipvsproxy_drift_healed_total{table=\"ipsets\"} 2",
          "ipvsproxy_refused_changes_total{errno=\"ENOSPC\",table=\"ipsets\"} 1",
          "ipvsproxy_read_failures_total{table=\"rules\"} 1",
          "kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family=\"IPv6\"} 1",
          "kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family=\"IPv4\"} 0",
          "kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family=\"IPv4\"} 7",
          "kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family=\"IPv4\"} 1"})
        CHECK_THAT(text, Contains(std::string{"\n"} + line + "\n"));
}

TEST_CASE("Requests to the API server are counted under client-go's names", "[serve]") {
    Served served;
    auto& client = served.serving.client_observer();
    client.rate_limited("GET", "h:6443", milliseconds{0});
    client.exchanged({"GET", "h:6443", 200, milliseconds{20}, 0});
    client.exchanged({"POST", "h:6443", 0, milliseconds{20}, 70});
    client.read_whole("GET", "h:6443", 5000);
    client.retried("GET", "h:6443", 429);
    client.plugin_called(1, "plugin_execution_error");
    const auto text = served.metrics();
    for (const auto* line : {
             "rest_client_requests_total{code=\"200\",host=\"h:6443\",method=\"GET\"} 1",
             "rest_client_requests_total{code=\"<error>\",host=\"h:6443\",method=\"POST\"} 1",
             "rest_client_request_duration_seconds_bucket{host=\"h:6443\",verb=\"GET\",le=\"0."
             "025\"}"
             " 1",
             "rest_client_request_size_bytes_bucket{host=\"h:6443\",verb=\"POST\",le=\"256\"} 1",
             "rest_client_response_size_bytes_sum{host=\"h:6443\",verb=\"GET\"} 5000",
             "rest_client_request_retries_total{code=\"429\",host=\"h:6443\",verb=\"GET\"} 1",
             "rest_client_rate_limiter_duration_seconds_count{host=\"h:6443\",verb=\"GET\"} 1",
         })
        CHECK_THAT(text, Contains(std::string{"\n"} + line + "\n"));
}

TEST_CASE("promtool finds nothing to say but what kube-proxy's names ask for", "[serve]") {
    Served served;
    serve_something(served);
    served.health("/healthz");
    served.serving.client_observer().exchanged({"GET", "h:6443", 200, milliseconds{20}, 1});
    const auto result =
        kernel_test::run_command({"promtool", "check", "metrics"}, served.metrics());
    CAPTURE(result);
    // A gauge that ends in _total: the name is kube-proxy's.
    const std::string known = "kubeproxy_sync_proxy_rules_no_local_endpoints_total";
    for (const auto& line : lines(result.out + result.err))
        CHECK((line.empty() || line.starts_with(known)));
    CHECK((result.status == 0 || result.status == 3)); // 3: there was something to say
    const auto broken = kernel_test::run_command({"promtool", "check", "metrics"}, "a{ 1\n");
    CHECK(broken.status == 1);
}

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
