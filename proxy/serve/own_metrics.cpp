#include "proxy/serve/own_metrics.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace ipvsproxy::serve {
namespace {

constexpr std::array parts{sync::Part::device, sync::Part::services, sync::Part::destinations,
                           sync::Part::sets,   sync::Part::rules,    sync::Part::flows};

/// Whole reads of a node: from a millisecond on an empty one to a minute.
Buckets audit_buckets() {
    return exponential(0.001, 2, 16);
}

/// `ENOENT`, as errno(3) names it; numbers it has no name for as they are.
std::string errno_label(const std::error_code& error) {
    const char* name = strerrorname_np(error.value());
    return error && name != nullptr ? name : std::to_string(error.value());
}

prometheus::Labels of_table(sync::Part part) {
    return {{"table", std::string{table_label(part)}}};
}

} // namespace

std::string_view table_label(sync::Part part) noexcept {
    switch (part) {
    case sync::Part::device:
        return "addresses";
    case sync::Part::services:
        return "virtual_servers";
    case sync::Part::destinations:
        return "real_servers";
    case sync::Part::sets:
        return "ipsets";
    case sync::Part::rules:
        return "rules";
    case sync::Part::flows:
        return "conntrack";
    }
    return "?";
}

OwnMetrics::OwnMetrics(prometheus::Registry& registry, Instant started, Cost cost)
    : started_{started}, cost_{std::move(cost)},
      healed_{counters(registry, "ipvsproxy_drift_healed_total",
                       "Objects found otherwise than they were left, and put right, by table")},
      refused_{counters(registry, "ipvsproxy_refused_changes_total",
                        "Changes that the kernel refused, by table and errno")},
      unreadable_{counters(registry, "ipvsproxy_read_failures_total",
                           "Reads of a table that failed, by table")},
      objects_{gauges(registry, "ipvsproxy_objects",
                      "Objects that the Services ask this node for, by kind")},
      set_entries_{gauges(registry, "ipvsproxy_ipset_entries", "Entries of an ipset")},
      set_fill_{gauges(registry, "ipvsproxy_ipset_fill_ratio",
                       "Entries of an ipset as a part of the most it may hold")},
      draining_{gauges(registry, "ipvsproxy_draining_real_servers",
                       "Real servers that have left but keep their connections, at weight 0")
                    .Add({})},
      first_vip_{gauges(registry, "ipvsproxy_first_vip_seconds",
                        "From the start of the process until the first virtual server worked; 0 "
                        "until then")
                     .Add({})},
      held_{gauges(registry, "ipvsproxy_changes_held",
                   "1 while a refused change waits for its next try")
                .Add({})},
      contests_{counters(registry, "ipvsproxy_contested_virtual_servers_total",
                         "Times a Service asked for the virtual server of another")
                    .Add({})},
      changes_{
          counters(registry, "ipvsproxy_changes_total", "Objects written to the kernel").Add({})},
      requests_{counters(registry, "ipvsproxy_netlink_requests_total",
                         "Requests sent to the kernel by netlink")
                    .Add({})},
      bytes_{counters(registry, "ipvsproxy_netlink_request_bytes_total",
                      "Bytes of the requests sent to the kernel by netlink")
                 .Add({})},
      system_calls_{counters(registry, "ipvsproxy_netlink_system_calls_total",
                             "System calls that sent or received netlink messages")
                        .Add({})},
      relists_{counters(registry, "ipvsproxy_api_relists_total",
                        "Lists of the API server after the first of each collection")
                   .Add({})},
      audit_{histograms(registry, "ipvsproxy_audit_duration_seconds",
                        "Time spent reading the kernel's state, over a whole audit")
                 .Add({}, audit_buckets())} {
    for (const auto part : parts) {
        healed_.Add(of_table(part));
        unreadable_.Add(of_table(part));
    }
}

void OwnMetrics::drifted(sync::Part part, const std::vector<plan::Line>& healing) {
    healed_.Add(of_table(part)).Increment(static_cast<double>(healing.size()));
}

void OwnMetrics::contested(const plan::Contest& /*contest*/) {
    contests_.Increment();
}

void OwnMetrics::settled(const sync::Round& /*round*/, const sync::Report& report,
                         std::chrono::nanoseconds /*duration*/) {
    changes_.Increment(static_cast<double>(report.changes));
    held_.Set(report.held ? 1 : 0);
    for (const auto& refused : report.refused) {
        auto labels = of_table(refused.part);
        labels.emplace("errno", errno_label(refused.error));
        refused_.Add(labels).Increment();
    }
    note_first_vip(); // which a bare node's head start brings, before all is reached
}

/// A virtual server stands, and its address is bound.
bool OwnMetrics::first_vip_works() const {
    auto& state = cluster_->state();
    return std::ranges::any_of(state.services().wanted(), [&](const auto& entry) {
        const auto& address = entry.first.address;
        return state.services().believed_present(entry.first) &&
               state.addresses().believed_present({address, address.bits()});
    });
}

void OwnMetrics::reached(const PerFamily<bool>& /*families*/) {
    const auto cost = cost_();
    raise(requests_, cost.messages);
    raise(bytes_, cost.bytes);
    raise(system_calls_, cost.system_calls);
    note_first_vip();
}

void OwnMetrics::note_first_vip() {
    if (working_ || cluster_ == nullptr || !first_vip_works()) return;
    working_ = true;
    first_vip_.Set(seconds(std::chrono::steady_clock::now() - started_.steady));
}

void OwnMetrics::unreadable(sync::Part part, const std::string& /*reason*/) {
    unreadable_.Add(of_table(part)).Increment();
}

void OwnMetrics::audited(std::chrono::nanoseconds work) {
    audit_.Observe(seconds(work));
}

void OwnMetrics::relists(std::uint64_t total) {
    raise(relists_, total);
}

void OwnMetrics::refresh() {
    if (cluster_ == nullptr) return;
    auto& state = cluster_->state();
    const auto set = [this](const char* kind, std::size_t count) {
        objects_.Add({{"kind", kind}}).Set(static_cast<double>(count));
    };
    set("services", cluster_->store().services().size());
    set("addresses", state.addresses().wanted().size());
    set("virtual_servers", state.services().wanted().size());
    set("real_servers", state.destinations().wanted().size());
    draining_.Set(static_cast<double>(cluster_->draining()));
    std::size_t entries = 0;
    for (std::size_t i = 0; i < plan::set_count; ++i) {
        const auto id = plan::SetId::at(i);
        const auto size = state.set(id).wanted().size();
        entries += size;
        const auto& kernel = state.set_in_kernel(id);
        if (!kernel || kernel->max_entries == 0) continue;
        const prometheus::Labels labels{{"set", plan::set_name(id)}};
        set_entries_.Add(labels).Set(static_cast<double>(size));
        set_fill_.Add(labels).Set(static_cast<double>(size) / kernel->max_entries);
    }
    set("ipset_entries", entries);
}

} // namespace ipvsproxy::serve
