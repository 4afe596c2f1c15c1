// ipvsproxy_*: what kube-proxy has no name for.
#pragma once

#include <functional>

#include "proxy/serve/exposition.h"
#include "proxy/serve/health.h"
#include "proxy/sync/daemon.h"
#include "proxy/sync/real_kernel.h"

namespace ipvsproxy::serve {

class OwnMetrics final : public sync::Observer {
public:
    using Cost = std::function<sync::KernelCost()>;

    /// @param cost is asked between two turns of the loop; one thread may be reading meanwhile
    OwnMetrics(prometheus::Registry& registry, Instant started, Cost cost);
    /// The loop's cluster, as soon as there is one; it outlives the loop.
    void attach(sync::Cluster& cluster) { cluster_ = &cluster; }

    void drifted(sync::Part part, const std::vector<plan::Line>& healing) override;
    void contested(const plan::Contest& contest) override;
    void settled(const sync::Round& round, const sync::Report& report,
                 std::chrono::nanoseconds duration) override;
    void reached(const PerFamily<bool>& families) override;
    void unreadable(sync::Part part, const std::string& reason) override;
    void audited(std::chrono::nanoseconds work) override;

    /// Brings what is read off the cluster up to date; before each scrape.
    void refresh();
    /// Lists of the API server after the first, over all collections.
    void relists(std::uint64_t total);

private:
    bool first_vip_works() const;
    void note_first_vip();

    Instant started_;
    Cost cost_;
    sync::Cluster* cluster_{};
    bool working_{};
    prometheus::Family<prometheus::Counter>&healed_, &refused_, &unreadable_;
    prometheus::Family<prometheus::Gauge>&objects_, &set_entries_, &set_fill_;
    prometheus::Gauge &draining_, &first_vip_, &held_;
    prometheus::Counter &contests_, &changes_, &requests_, &bytes_, &system_calls_, &relists_;
    prometheus::Histogram& audit_;
};

/// The label that stands for a part: `addresses`, `virtual_servers`, `real_servers`, `ipsets`,
/// `rules`, `conntrack`.
std::string_view table_label(sync::Part part) noexcept;

} // namespace ipvsproxy::serve
