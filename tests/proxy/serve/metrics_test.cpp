// Every metric, over a node on paper.
#include <algorithm>
#include <catch2/catch.hpp>
#include <ctime>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "tests/kernel/process.h"
#include "tests/proxy/serve/served.h"

using namespace ipvsproxy;
using namespace ipvsproxy::serve;
using Catch::Matchers::Contains;
using std::chrono::milliseconds;

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

TEST_CASE("docs/metrics.md names every metric that is served, with its type, and no other",
          "[serve]") {
    Served served;
    serve_something(served);
    served.health("/healthz");
    served.health("/livez");
    served.loop.drifted(sync::Part::sets, {{}, {}});
    sync::Report report;
    report.refused = {{"x", "", "", sync::Part::sets, std::make_error_code(std::errc::io_error)}};
    served.loop.settled({}, report, {});
    served.loop.unreadable(sync::Part::rules, "no");
    auto& client = served.serving.client_observer();
    client.rate_limited("GET", "h:6443", milliseconds{0});
    client.exchanged({"GET", "h:6443", 200, milliseconds{20}, 1});
    client.read_whole("GET", "h:6443", 5000);
    client.retried("GET", "h:6443", 429);
    client.plugin_called(1, "plugin_execution_error");
    std::map<std::string, std::string> types;
    for (const auto& line : lines(served.metrics()))
        if (line.starts_with("# TYPE "))
            types[line.substr(7, line.find(' ', 7) - 7)] = line.substr(line.rfind(' ') + 1);

    std::set<std::string> documented;
    std::map<std::string, std::string> documented_types; // those that stand in a table
    std::ifstream page{METRICS_PAGE};
    static const std::regex name{"`((kubeproxy|ipvsproxy|kubernetes|rest_client|process|registered|"
                                 "disabled|hidden)_[a-z_]*[a-z])`"};
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("| `/")) continue; // pages: /metrics/slis has metrics of its own
        std::smatch row;
        static const std::regex cells{R"(^\| (`.*`) \| ([a-z]+) \| .*)"};
        const bool is_row = std::regex_match(line, row, cells);
        for (std::sregex_iterator at{line.begin(), line.end(), name}; at != std::sregex_iterator{};
             ++at) {
            documented.insert((*at)[1]);
            if (is_row && at->position() < row.position(2)) documented_types[(*at)[1]] = row[2];
        }
    }
    std::set<std::string> exposed;
    for (const auto& [family, type] : types)
        exposed.insert(family);
    CHECK(documented == exposed);
    CHECK(documented_types.size() > 40);
    for (const auto& [family, type] : documented_types) {
        CAPTURE(family);
        CHECK(types[family] == type);
    }
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
                              "stability_level=\"BETA\"} 5\n"));
    CHECK_THAT(text,
               Contains("\ndisabled_metrics_total 0\n") && Contains("\nhidden_metrics_total 0\n"));
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
