#include "proxy/config/start_checks.h"

#include <algorithm>

namespace ipvsproxy::config {
namespace {

bool any_of(std::span<const Prefix> prefixes, Family family) {
    return std::ranges::find(prefixes, family, &Prefix::family) != prefixes.end();
}

bool both_families(std::span<const Prefix> prefixes) {
    return any_of(prefixes, Family::v4) && any_of(prefixes, Family::v6);
}

bool all_of(std::span<const Prefix> prefixes, Family family) {
    return !prefixes.empty() && std::ranges::all_of(prefixes, [=](const Prefix& each) {
        return each.family() == family;
    });
}

/// An address that serves nothing on a node of the other family alone.
bool useless(const std::optional<AddressPort>& bound, Family wrong) {
    return bound && bound->address.family() == wrong && !bound->address.is_unspecified();
}

void check_node_ports(const Options& options, const NodeIps& ips, std::span<const Prefix> pod_cidrs,
                      std::vector<std::string>& complaints) {
    const auto& parsed = options.parsed;
    const auto& cidrs = parsed.node_port_cidrs;
    const Family other = ips.primary == Family::v4 ? Family::v6 : Family::v4;
    const auto open = [](Family family) {
        return "; NodePort connections will be accepted on all local " + std::string{name(family)} +
               " addresses";
    };
    if (parsed.node_port_primary) return;
    if (cidrs.empty()) {
        complaints.emplace_back(
            "nodePortAddresses is unset; NodePort connections will be accepted "
            "on all local addresses. Consider using `--nodeport-addresses primary`");
    } else if (all_of(cidrs, ips.primary)) {
        const bool dual_stack = both_families(parsed.cluster_cidrs) ||
                                both_families(parsed.exclude_cidrs) || both_families(pod_cidrs) ||
                                (!ips.ip.v4.is_loopback() && !ips.ip.v6.is_loopback());
        if (dual_stack)
            complaints.push_back(
                "cluster appears to be dual-stack but nodePortAddresses contains only " +
                std::string{name(ips.primary)} + " addresses" + open(other));
    } else if (all_of(cidrs, other)) {
        complaints.push_back("cluster appears to be " + std::string{name(ips.primary)} +
                             "-primary but nodePortAddresses contains only " +
                             std::string{name(other)} + " addresses" + open(ips.primary));
    }
}

/// Settings of one family on a node of the other. @return whether that is fatal.
bool check_families(const Options& options, Family wrong, bool dual_stack,
                    std::span<const Prefix> pod_cidrs, std::vector<std::string>& complaints) {
    const auto& parsed = options.parsed;
    const Family primary = wrong == Family::v4 ? Family::v6 : Family::v4;
    bool fatal = false;
    const auto complain = [&](const char* setting) {
        complaints.push_back("cluster is " + std::string{name(primary)} +
                             (dual_stack ? "-primary but " : "-only but ") + setting +
                             " has only addresses of " + std::string{name(wrong)});
    };
    if (all_of(parsed.cluster_cidrs, wrong)) {
        complain("clusterCIDR");
        fatal = parsed.local_mode == LocalMode::cluster_cidr && !dual_stack;
    }
    if (all_of(pod_cidrs, wrong)) {
        complain("node.spec.podCIDRs");
        fatal = fatal || parsed.local_mode == LocalMode::node_cidr;
    }
    const auto source_vip = Address::parse(options.configuration.winkernel.source_vip);
    if (source_vip && source_vip->family() == wrong) complain("winkernel.sourceVip");
    if (dual_stack) return fatal;
    if (all_of(parsed.exclude_cidrs, wrong)) complain("ipvs.excludeCIDRs");
    if (useless(parsed.healthz, wrong)) complain("healthzBindAddress");
    if (useless(parsed.metrics, wrong)) complain("metricsBindAddress");
    return fatal;
}

} // namespace

StartChecks start_checks(const Options& options, const NodeIps& ips, const PerFamily<bool>& enabled,
                         std::span<const Prefix> pod_cidrs) {
    StartChecks result;
    const Family wrong = ips.primary == Family::v4 ? Family::v6 : Family::v4;
    check_node_ports(options, ips, pod_cidrs, result.complaints);
    std::vector<std::string> of_families;
    const bool fatal =
        check_families(options, wrong, enabled.v4 && enabled.v6, pod_cidrs, of_families);
    if (fatal) {
        std::string all{"kube-proxy configuration is incorrect: "};
        for (const auto& each : of_families)
            all += (&each == of_families.data() ? "" : "; ") + each;
        result.fatal = std::move(all);
    } else {
        result.complaints.insert(result.complaints.end(), of_families.begin(), of_families.end());
    }
    return result;
}

} // namespace ipvsproxy::config
