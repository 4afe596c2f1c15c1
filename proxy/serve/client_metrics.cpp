#include "proxy/serve/client_metrics.h"

namespace ipvsproxy::serve {
namespace {

/// client-go's bounds for requests and for waiting on the rate limiter.
const Buckets latency{0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};
/// 64 bytes to 16 MiB, client-go's.
const Buckets sizes{64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216};

/// client-go says `<error>` where no answer came.
std::string code(unsigned status) {
    return status == 0 ? "<error>" : std::to_string(status);
}

prometheus::Labels by(std::string_view verb, std::string_view host) {
    return {{"verb", std::string{verb}}, {"host", std::string{host}}};
}

} // namespace

ClientMetrics::ClientMetrics(prometheus::Registry& registry)
    : requests_{counters(
          registry, "rest_client_requests_total",
          alpha("Number of HTTP requests, partitioned by status code, method, and host."))},
      retries_{counters(registry, "rest_client_request_retries_total",
                        alpha("Number of request retries, partitioned by status code, verb, and "
                              "host."))},
      plugin_calls_{counters(registry, "rest_client_exec_plugin_call_total",
                             alpha("Number of calls to an exec plugin, partitioned by the type of "
                                   "event encountered (no_error, plugin_execution_error, "
                                   "plugin_not_found_error, client_internal_error) and an optional "
                                   "exit code."))},
      duration_{histograms(registry, "rest_client_request_duration_seconds",
                           alpha("Request latency in seconds. Broken down by verb, and host."))},
      limiter_{histograms(registry, "rest_client_rate_limiter_duration_seconds",
                          alpha("Client side rate limiter latency in seconds. Broken down by verb, "
                                "and host."))},
      request_size_{histograms(registry, "rest_client_request_size_bytes",
                               alpha("Request size in bytes. Broken down by verb and host."))},
      response_size_{histograms(registry, "rest_client_response_size_bytes",
                                alpha("Response size in bytes. Broken down by verb and host."))} {}

void ClientMetrics::rate_limited(std::string_view method, std::string_view host,
                                 std::chrono::nanoseconds waited) {
    limiter_.Add(by(method, host), latency).Observe(seconds(waited));
}

void ClientMetrics::exchanged(const api::Exchange& exchange) {
    requests_
        .Add({{"code", code(exchange.status)},
              {"method", std::string{exchange.method}},
              {"host", std::string{exchange.host}}})
        .Increment();
    const auto labels = by(exchange.method, exchange.host);
    duration_.Add(labels, latency).Observe(seconds(exchange.took));
    if (exchange.request_bytes > 0)
        request_size_.Add(labels, sizes).Observe(static_cast<double>(exchange.request_bytes));
}

void ClientMetrics::read_whole(std::string_view method, std::string_view host, std::size_t bytes) {
    response_size_.Add(by(method, host), sizes).Observe(static_cast<double>(bytes));
}

void ClientMetrics::retried(std::string_view method, std::string_view host, unsigned status) {
    auto labels = by(method, host);
    labels.emplace("code", code(status));
    retries_.Add(labels).Increment();
}

void ClientMetrics::plugin_called(int exit_code, std::string_view call_status) {
    plugin_calls_
        .Add({{"code", std::to_string(exit_code)}, {"call_status", std::string{call_status}}})
        .Increment();
}

} // namespace ipvsproxy::serve
