#include "proxy/config/node_ips.h"

#include <algorithm>

namespace ipvsproxy::config {
namespace {

std::optional<Prefix> first_of(Family family, std::span<const Prefix> prefixes) {
    const auto found = std::ranges::find(prefixes, family, &Prefix::family);
    return found == prefixes.end() ? std::nullopt : std::optional{*found};
}

} // namespace

std::vector<Address> raw_node_ips(const model::Node& node) {
    auto all = node.internal_ips;
    all.insert(all.end(), node.external_ips.begin(), node.external_ips.end());
    if (all.empty()) return {};
    std::vector<Address> ips{all.front()};
    const auto other = std::ranges::find_if(
        all, [&](const Address& each) { return each.family() != ips.front().family(); });
    if (other != all.end()) ips.push_back(*other);
    return ips;
}

NodeIps detect_node_ips(const Address& bind_address, std::span<const Address> raw) {
    NodeIps result;
    if (!raw.empty()) result.primary = raw.front().family();
    for (const auto& ip : raw)
        result.ip[ip.family()] = ip;
    if (!bind_address.is_unspecified()) {
        result.primary = bind_address.family();
        result.ip[result.primary] = bind_address;
    }
    return result;
}

PerFamily<plan::LocalDetector> local_detectors(const Options& options,
                                               std::span<const Prefix> pod_cidrs) {
    const auto& names = options.configuration.detect_local;
    PerFamily<plan::LocalDetector> detectors;
    for (const auto family : families) {
        switch (options.parsed.local_mode) {
        case LocalMode::cluster_cidr:
            detectors[family].cidr = first_of(family, options.parsed.cluster_cidrs);
            break;
        case LocalMode::node_cidr:
            detectors[family].cidr = first_of(family, pod_cidrs);
            break;
        case LocalMode::bridge_interface:
            detectors[family].interface = names.bridge_interface;
            break;
        case LocalMode::interface_name_prefix:
            detectors[family].interface = names.interface_name_prefix + '+';
            break;
        }
    }
    return detectors;
}

PerFamily<std::vector<Prefix>> node_port_cidrs(const Parsed& parsed, const NodeIps& ips) {
    PerFamily<std::vector<Prefix>> cidrs;
    for (const auto& prefix : parsed.node_port_cidrs)
        cidrs[prefix.family()].push_back(prefix);
    if (parsed.node_port_primary)
        for (const auto family : families)
            if (!ips.ip[family].is_loopback()) cidrs[family] = {Prefix{ips.ip[family]}};
    return cidrs;
}

plan::Settings plan_settings(const Options& options, const NodeIps& ips,
                             std::span<const Prefix> pod_cidrs, const PerFamily<bool>& enabled) {
    const auto& configuration = options.configuration;
    plan::Settings settings;
    settings.enabled = enabled;
    if (!configuration.ipvs.scheduler.empty()) settings.scheduler = configuration.ipvs.scheduler;
    settings.masquerade_all = configuration.iptables.masquerade_all;
    settings.masquerade_bit = static_cast<std::uint8_t>(configuration.iptables.masquerade_bit);
    settings.local = local_detectors(options, pod_cidrs);
    settings.external_ips = options.parsed.gates.enabled("AllowServiceExternalIPs");
    settings.node_port_cidrs = node_port_cidrs(options.parsed, ips);
    settings.exclude_cidrs = options.parsed.exclude_cidrs;
    settings.vip_binding = options.vip_binding;
    settings.drain_limit = options.drain_limit;
    return settings;
}

} // namespace ipvsproxy::config
