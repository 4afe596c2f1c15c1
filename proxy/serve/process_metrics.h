// What every Kubernetes component exposes of itself: build, feature gates, the process.
#pragma once

#include "proxy/config/feature_gates.h"
#include "proxy/serve/exposition.h"
#include "proxy/serve/health.h"

namespace ipvsproxy::serve {

/// kubernetes_build_info, kubernetes_feature_enabled, registered_metrics_total and its like, and
/// process_* from /proc/self.
class ProcessMetrics {
public:
    ProcessMetrics(prometheus::Registry& registry, const config::FeatureGates& gates,
                   Instant started);
    /// Reads /proc/self; what cannot be read keeps its value.
    void refresh();
    /// Counts the families of the registry by the stability their help begins with; once all are
    /// there.
    void count(const prometheus::Registry& registry);

private:
    prometheus::Counter &cpu_, &received_, &sent_;
    prometheus::Gauge &open_fds_, &max_fds_, &resident_, &virtual_, &virtual_max_;
    prometheus::Family<prometheus::Counter>& registered_;
};

} // namespace ipvsproxy::serve
