#include "proxy/serve/sync_metrics.h"

namespace ipvsproxy::serve {
namespace {

/// 1 ms to 16 s, as kube-proxy measures what a sync takes.
Buckets sync_buckets() {
    return exponential(0.001, 2, 15);
}

/// From a quarter of a second to five minutes, close where the objective lies.
Buckets programming_buckets() {
    Buckets bounds{0.25, 0.5};
    for (int second = 1; second < 60; ++second)
        bounds.push_back(second);
    for (int second = 60; second < 120; second += 5)
        bounds.push_back(second);
    for (int second = 120; second <= 300; second += 30)
        bounds.push_back(second);
    return bounds;
}

PerFamily<prometheus::Gauge*> no_local(prometheus::Family<prometheus::Gauge>& gauge,
                                       const PerFamily<bool>& enabled, const char* policy) {
    PerFamily<prometheus::Gauge*> all;
    for (const auto family : families)
        if (enabled[family])
            all[family] =
                &gauge.Add({{"ip_family", std::string{name(family)}}, {"traffic_policy", policy}});
    return all;
}

} // namespace

SyncMetrics::SyncMetrics(prometheus::Registry& registry, const PerFamily<bool>& enabled,
                         Instant started)
    : enabled_{enabled}, started_{started},
      sync_{by_family(histograms(registry, "kubeproxy_sync_proxy_rules_duration_seconds",
                                 alpha("SyncProxyRules latency in seconds")),
                      enabled, sync_buckets())},
      programming_{by_family(histograms(registry, "kubeproxy_network_programming_duration_seconds",
                                        alpha("In Cluster Network Programming Latency in seconds")),
                             enabled, programming_buckets())},
      conntrack_{
          by_family(histograms(registry, "kubeproxy_conntrack_reconciler_sync_duration_seconds",
                               alpha("ReconcileConntrackFlowsLatency latency in seconds")),
                    enabled, sync_buckets())},
      queued_{by_family(gauges(registry, "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
                               alpha("The last time a sync of proxy rules was queued")),
                        enabled)},
      last_{by_family(gauges(registry, "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
                             alpha("The last time proxy rules were successfully synced")),
                      enabled)},
      restore_failures_{
          by_family(counters(registry, "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
                             alpha("Cumulative proxy iptables restore failures")),
                    enabled)},
      conntrack_deleted_{
          by_family(counters(registry, "kubeproxy_conntrack_reconciler_deleted_entries_total",
                             alpha("Cumulative conntrack flows deleted by conntrack reconciler")),
                    enabled)},
      slices_pending_{gauges(registry, "kubeproxy_sync_proxy_rules_endpoint_changes_pending",
                             alpha("Pending proxy rules Endpoint changes"))
                          .Add({})},
      services_pending_{gauges(registry, "kubeproxy_sync_proxy_rules_service_changes_pending",
                               alpha("Pending proxy rules Service changes"))
                            .Add({})},
      slices_{counters(registry, "kubeproxy_sync_proxy_rules_endpoint_changes_total",
                       alpha("Cumulative proxy rules Endpoint changes"))
                  .Add({})},
      services_{counters(registry, "kubeproxy_sync_proxy_rules_service_changes_total",
                         alpha("Cumulative proxy rules Service changes"))
                    .Add({})},
      healthz_{counters(registry, "kubeproxy_proxy_healthz_total",
                        alpha("Cumulative proxy healthz HTTP status"))},
      livez_{counters(registry, "kubeproxy_proxy_livez_total",
                      alpha("Cumulative proxy livez HTTP status"))} {
    auto& gauge = gauges(registry, "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
                         alpha("Number of services with a Local traffic policy and no endpoints"));
    no_local_internal_ = no_local(gauge, enabled, "internal");
    no_local_external_ = no_local(gauge, enabled, "external");
    queued(); // the loop begins
}

void SyncMetrics::queued() {
    for (const auto family : families)
        if (enabled_[family]) queued_[family]->SetToCurrentTime();
}

void SyncMetrics::settled(const sync::Round& /*round*/, const sync::Report& report,
                          std::chrono::nanoseconds duration) {
    for (const auto family : families) {
        if (!enabled_[family]) continue;
        sync_[family]->Observe(seconds(duration));
        if (report.rules_refused[family]) restore_failures_[family]->Increment();
        if (const auto& flows = report.flows[family]) {
            conntrack_[family]->Observe(seconds(flows->took));
            conntrack_deleted_[family]->Increment(static_cast<double>(flows->deleted));
        }
    }
}

void SyncMetrics::reached(const PerFamily<bool>& families_reached) {
    for (const auto family : families)
        if (enabled_[family] && families_reached[family]) last_[family]->SetToCurrentTime();
}

void SyncMetrics::programmed(Family family, std::chrono::system_clock::time_point triggered) {
    if (!enabled_[family] || triggered <= started_.wall) return;
    programming_[family]->Observe(seconds(std::chrono::system_clock::now() - triggered));
}

void SyncMetrics::refresh(const sync::Cluster& cluster, const model::Store& store) {
    const auto& changed = store.changed();
    const auto& taken = cluster.derived();
    const std::uint64_t families_served = (enabled_.v4 ? 1U : 0U) + (enabled_.v6 ? 1U : 0U);
    raise(slices_, changed.slices);
    raise(services_, changed.services * families_served); // kube-proxy counts once a family
    slices_pending_.Set(static_cast<double>(changed.slices - taken.slices));
    services_pending_.Set(static_cast<double>(changed.services - taken.services));
    const auto count = cluster.services_without_local_endpoints();
    for (const auto family : families) {
        if (!enabled_[family]) continue;
        no_local_internal_[family]->Set(static_cast<double>(count.internal[family]));
        no_local_external_[family]->Set(static_cast<double>(count.external[family]));
    }
}

prometheus::Counter& SyncMetrics::healthz(unsigned status) {
    return healthz_.Add({{"code", std::to_string(status)}});
}

prometheus::Counter& SyncMetrics::livez(unsigned status) {
    return livez_.Add({{"code", std::to_string(status)}});
}

} // namespace ipvsproxy::serve
