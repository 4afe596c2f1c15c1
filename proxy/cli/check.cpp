// ipvsproxy check: can this node run it? Looks, and changes nothing.
#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iostream>

#include "ipset/kernel_table.h"
#include "ipvs/kernel_table.h"
#include "ipvs/probe.h"
#include "netlink/kernel_device.h"
#include "proxy/cli/command.h"
#include "proxy/cli/kernel_signs.h"
#include "proxy/cli/preflight.h"
#include "proxy/cli/rehearsal.h"
#include "proxy/cli/session.h"
#include "proxy/cli/terminal.h"
#include "proxy/iptables/nft_raw.h"
#include "proxy/plan/sets.h"

namespace ipvsproxy::cli {
namespace {

namespace json = boost::json;

constexpr auto hash_size_file = "/sys/module/nf_conntrack/parameters/hashsize";

/// Runs `look`. @return why it could not be done; empty: it was.
template <class Look> std::string attempt(const Look& look) {
    try {
        look();
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

void read_sets(plan::NodeSnapshot& seen) {
    ipset::KernelTable table;
    for (const auto& [name, header] : table.headers()) {
        if (!plan::find_set(name)) continue;
        if (!header.spec) seen.foreign_sets.insert(name);
        else if (auto entries = table.entries(name))
            seen.sets.insert_or_assign(name, ipset::Set{*header.spec, *std::move(entries)});
    }
}

void read_tables(NodeFindings& node, std::optional<iptables::Backend> wanted) {
    node.device_error = attempt(
        [&] { node.seen.device = KernelDevice{std::string{sync::device_name}}.snapshot(); });
    node.ipvs_error = attempt([&] { node.seen.services = ipvs::KernelTable{}.services(); });
    node.sets_error = attempt([&] { read_sets(node.seen); });
    node.backend = iptables::choose_backend(wanted);
    const auto other = node.backend.backend == iptables::Backend::legacy
                           ? iptables::Backend::nft
                           : iptables::Backend::legacy;
    for (const auto family : families) {
        node.rules_error[family] = attempt([&] {
            node.seen.chains[family] = sync::open_tables(node.backend.backend, family)->snapshot();
        });
        // A variant that this kernel does not have holds no rules.
        static_cast<void>(attempt(
            [&] { node.other_chains[family] = sync::open_tables(other, family)->snapshot(); }));
    }
}

void read_switches(NodeFindings& node, const config::Options& options) {
    KernelSysctls kernel;
    const auto& conntrack = options.configuration.conntrack;
    auto wanted = config::conntrack_sysctls(conntrack, config::online_cpus());
    const auto version = config::parse_kernel_version(kernel.read("kernel/osrelease").value_or(""));
    const auto ipvs = config::ipvs_sysctls(options.configuration.ipvs.strict_arp,
                                           version.value_or(config::KernelVersion{}));
    wanted.insert(wanted.end(), ipvs.begin(), ipvs.end());
    for (auto& sysctl : wanted) {
        auto seen = kernel.read(sysctl.name);
        const bool writable = is_writable("/proc/sys/" + sysctl.name);
        node.switches.push_back({std::move(sysctl), std::move(seen), writable});
    }
    std::uint32_t buckets = 0;
    if (!(std::ifstream{hash_size_file} >> buckets)) return;
    const auto max = config::conntrack_max(conntrack, config::online_cpus());
    if (const auto more = config::conntrack_buckets(max, buckets))
        node.switches.push_back({{hash_size_file, std::to_string(*more)},
                                 std::to_string(buckets),
                                 is_writable(hash_size_file)});
}

void read_surroundings(NodeFindings& node) {
    node.links = link_names();
    node.bridge_calls_iptables = KernelSysctls{}.read("net/bridge/bridge-nf-call-iptables");
    for (const auto& name : bridges_with_ports(node.links)) {
        Bridge bridge{name};
        for (const auto& owned : node.seen.device.elsewhere)
            if (owned.interface == name) bridge.addresses.push_back(owned.address);
        node.bridges.push_back(std::move(bridge));
    }
    node.device_managed = managed_by_network_manager(std::string{sync::device_name});
    node.proxies = running_proxies();
    // Without the right to ask, the capabilities have been complained of already.
    static_cast<void>(attempt([&] { node.nft_tables = iptables::nft_table_names(); }));
}

/// Without a namespace to try it in: a virtual server that no packet can reach comes and goes.
Trial probe_scheduler(const std::string& scheduler) {
    return {"IPVS scheduler " + scheduler, attempt([&] {
                ipvs::KernelTable table;
                ipvs::probe(table, scheduler);
            }),
            "load its module on the node, or set ipvs.scheduler to another"};
}

NodeFindings look(const config::Options& options) {
    NodeFindings node;
    KernelSysctls sysctls;
    node.capabilities = effective_capabilities();
    node.families = sync::supported_families(sysctls);
    const auto& scheduler = options.configuration.ipvs.scheduler;
    if (!scheduler.empty()) node.scheduler = scheduler;
    node.exclude_cidrs = options.parsed.exclude_cidrs;
    node.cluster_cidrs = options.parsed.cluster_cidrs;
    read_tables(node, sync::wanted_backend(options));
    auto rehearsal = rehearse(node.families, node.backend.backend, node.scheduler);
    node.trials = std::move(rehearsal.trials);
    node.trials_error = std::move(rehearsal.error);
    if (!node.trials_error.empty() && node.ipvs_error.empty())
        node.trials.push_back(probe_scheduler(node.scheduler));
    read_switches(node, options); // after IPVS was asked: its switches come with its module
    read_surroundings(node);
    return node;
}

void print_json(const std::vector<Finding>& findings) {
    json::array all;
    for (const auto& one : findings)
        all.push_back(json::object{{"verdict", name(one.verdict)},
                                   {"subject", one.subject},
                                   {"finding", one.finding},
                                   {"remedy", one.remedy}});
    std::cout << json_text(json::object{{"findings", std::move(all)}});
}

} // namespace

int check(const Invocation& call) {
    const auto findings = judge(look(complete_options(call)));
    if (call.output == Output::text) std::cout << text(findings, shows_colour());
    else print_json(findings);
    const bool fails = std::ranges::any_of(
        findings, [](const Finding& one) { return one.verdict == Verdict::fail; });
    return fails ? exit_failure : exit_success;
}

} // namespace ipvsproxy::cli
