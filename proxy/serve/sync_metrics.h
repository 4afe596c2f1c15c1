// kubeproxy_*: what the loop does, under kube-proxy's names.
#pragma once

#include "proxy/serve/exposition.h"
#include "proxy/serve/health.h"
#include "proxy/sync/daemon.h"

namespace ipvsproxy::serve {

/// Names, labels, buckets and help as kube-proxy 1.36 exposes them in ipvs mode. One round here
/// serves both families, so it counts as a sync of each that is enabled.
class SyncMetrics final : public sync::Observer {
public:
    /// @param started triggers from before it are of no latency of ours
    SyncMetrics(prometheus::Registry& registry, const PerFamily<bool>& enabled, Instant started);

    void queued() override;
    void settled(const sync::Round& round, const sync::Report& report,
                 std::chrono::nanoseconds duration) override;
    void reached(const PerFamily<bool>& families) override;
    void programmed(Family family, std::chrono::system_clock::time_point triggered) override;

    /// Brings the gauges and totals that are read off the cluster up to date; before each scrape.
    void refresh(const sync::Cluster& cluster, const model::Store& store);

    prometheus::Counter& healthz(unsigned status);
    prometheus::Counter& livez(unsigned status);

private:
    using Timestamps = PerFamily<prometheus::Gauge*>;
    using Durations = PerFamily<prometheus::Histogram*>;

    PerFamily<bool> enabled_;
    Instant started_;
    Durations sync_, programming_, conntrack_;
    Timestamps queued_, last_;
    PerFamily<prometheus::Counter*> restore_failures_, conntrack_deleted_;
    prometheus::Gauge &slices_pending_, &services_pending_;
    prometheus::Counter &slices_, &services_;
    PerFamily<prometheus::Gauge*> no_local_internal_, no_local_external_;
    prometheus::Family<prometheus::Counter>&healthz_, &livez_;
};

} // namespace ipvsproxy::serve
