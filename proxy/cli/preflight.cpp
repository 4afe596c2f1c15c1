#include "proxy/cli/preflight.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "proxy/plan/cleanup.h"
#include "proxy/plan/node_state.h"
#include "proxy/plan/sets.h"

namespace ipvsproxy::cli {
namespace {

constexpr std::string_view device = "kube-ipvs0";

/// `one, two, three and 5 more`
std::string listed(const std::vector<std::string>& all) {
    constexpr std::size_t shown = 3;
    std::string out;
    for (std::size_t i = 0; i < std::min(shown, all.size()); ++i)
        out += (i == 0 ? "" : ", ") + all[i];
    if (all.size() > shown) out += " and " + std::to_string(all.size() - shown) + " more";
    return out;
}

std::string dotted(std::string name) {
    if (!name.starts_with('/')) std::ranges::replace(name, '/', '.');
    return name;
}

class Judge {
public:
    explicit Judge(const NodeFindings& node) : node_{node} {}

    std::vector<Finding> run() {
        capabilities();
        families();
        tables();
        backend();
        trials();
        switches();
        bridges();
        device_itself();
        other_proxies();
        other_rules();
        virtual_servers();
        sets();
        return std::move(findings_);
    }

private:
    void ok(std::string subject, std::string finding) {
        findings_.push_back({Verdict::ok, std::move(subject), std::move(finding), {}});
    }
    void warn(std::string subject, std::string finding, std::string remedy) {
        findings_.push_back(
            {Verdict::warn, std::move(subject), std::move(finding), std::move(remedy)});
    }
    void fail(std::string subject, std::string finding, std::string remedy) {
        findings_.push_back(
            {Verdict::fail, std::move(subject), std::move(finding), std::move(remedy)});
    }

    bool holds(Capability capability) const {
        return (node_.capabilities >> static_cast<unsigned>(capability) & 1U) != 0;
    }

    void capabilities() {
        const std::string remedy =
            "run as root; in a container: securityContext.capabilities.add or privileged";
        std::string missing;
        if (!holds(Capability::net_admin)) missing = "CAP_NET_ADMIN";
        if (!holds(Capability::net_raw))
            missing += missing.empty() ? "CAP_NET_RAW" : ", CAP_NET_RAW";
        if (!missing.empty()) fail("capabilities", missing + " not held", remedy);
        else ok("capabilities", "CAP_NET_ADMIN, CAP_NET_RAW");
        if (holds(Capability::sys_module)) return;
        const bool tried = node_.trials_error.empty() && all_trials_went_well();
        if (tried)
            ok("capability CAP_SYS_MODULE", "not held, and not needed: no module is missing");
        else
            warn("capability CAP_SYS_MODULE",
                 "not held: modules of legacy iptables that are "
                 "missing cannot be loaded by the program",
                 "add it, or load ip_tables, iptable_nat and iptable_filter on the node");
    }

    bool all_trials_went_well() const {
        return std::ranges::all_of(node_.trials,
                                   [](const Trial& trial) { return trial.refusal.empty(); });
    }

    void families() {
        ok("IP families", node_.families.v6 ? "IPv4, IPv6"
                                            : "IPv4 only: this kernel has no IPv6, "
                                              "or net.ipv6.conf.all.disable_ipv6 "
                                              "is 1");
    }

    void tables() {
        const auto one = [&](const std::string& subject, const std::string& error) {
            if (error.empty()) ok(subject, "can be read");
            else fail(subject, error, "see the capabilities, and that the kernel has the module");
        };
        one("IPVS", node_.ipvs_error);
        one("ipset", node_.sets_error);
        one("interfaces", node_.device_error);
    }

    void backend() {
        const std::string kind{iptables::name(node_.backend.backend)};
        ok("iptables variant", kind + ": " + node_.backend.reason);
        for (const auto family : ipvsproxy::families) {
            if (!node_.families[family] || node_.rules_error[family].empty()) continue;
            fail(family == Family::v4 ? "iptables" : "ip6tables", node_.rules_error[family],
                 "install the package iptables, or choose the variant with --iptables-backend");
        }
    }

    void trials() {
        if (!node_.trials_error.empty())
            warn("rehearsal", "not done: " + node_.trials_error,
                 "run as root with CAP_SYS_ADMIN to have set types, rules and the scheduler tried "
                 "in a network namespace of their own");
        for (auto trial = node_.trials.begin(); trial != node_.trials.end(); ++trial) {
            if (trial->refusal.empty()) {
                ok(trial->subject, "works here");
                continue;
            }
            // A kernel without ipset refuses every set type in the same words: once is enough.
            std::vector<std::string> subjects{trial->subject};
            for (; std::next(trial) != node_.trials.end(); ++trial) {
                const auto& other = *std::next(trial);
                if (other.refusal != trial->refusal || other.remedy != trial->remedy) break;
                subjects.push_back(other.subject);
            }
            fail(listed(subjects), trial->refusal, trial->remedy);
        }
    }

    void switches() {
        std::size_t right = 0;
        for (const auto& fact : node_.switches) {
            if (fact.seen == fact.wanted.value) ++right;
            else judge_switch(fact);
        }
        if (right > 0)
            ok("kernel switches", std::to_string(right) + " of " +
                                      std::to_string(node_.switches.size()) + " as wanted");
    }

    void judge_switch(const SwitchFact& fact) {
        const auto subject = dotted(fact.wanted.name);
        const auto is = fact.seen ? "is " + *fact.seen : std::string{"cannot be read"};
        if (fact.writable) {
            ok(subject, is + "; run sets it to " + fact.wanted.value);
            return;
        }
        const auto finding =
            is + ", should be " + fact.wanted.value + ", and cannot be written here";
        const bool is_sysctl = !fact.wanted.name.starts_with('/');
        const auto command = is_sysctl ? "sysctl -w " + subject + '=' + fact.wanted.value
                                       : "echo " + fact.wanted.value + " > " + fact.wanted.name;
        const auto remedy = "set it on the host: " + command;
        if (fact.wanted.required) fail(subject, finding, remedy);
        else warn(subject, finding, remedy);
    }

    /// A pod that reaches another of its bridge by a virtual server gets the answer straight over
    /// the bridge, from an address it never spoke to, unless bridged packets pass iptables' hooks.
    void bridges() {
        if (node_.bridge_calls_iptables == "1") return;
        for (const auto& bridge : node_.bridges) {
            if (!may_hold_pods(bridge)) continue;
            warn("net.bridge.bridge-nf-call-iptables",
                 (node_.bridge_calls_iptables ? "is " + *node_.bridge_calls_iptables
                                              : std::string{"is not there (no br_netfilter)"}) +
                     ": pods on bridge " + bridge.name +
                     " do not reach a Service whose endpoint is on the same bridge",
                 "modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1");
        }
    }
    /// With clusterCIDR known, a bridge of another network is none of pods.
    bool may_hold_pods(const Bridge& bridge) const {
        if (node_.cluster_cidrs.empty()) return true;
        return std::ranges::any_of(bridge.addresses, [&](const Address& address) {
            return std::ranges::any_of(node_.cluster_cidrs,
                                       [&](const Prefix& cidr) { return cidr.contains(address); });
        });
    }

    void device_itself() {
        const auto& state = node_.seen.device;
        const std::string subject{device};
        if (!node_.device_error.empty()) return;
        if (!state.present) {
            ok(subject, "not there yet; run makes it");
            return;
        }
        if (state.kind != "dummy") {
            fail(subject, "is a link of kind \"" + state.kind + "\", not a dummy device",
                 "rename or delete that link: ip link del kube-ipvs0");
            return;
        }
        ok(subject, "dummy device with " + std::to_string(state.addresses.size()) + " addresses");
        if (state.up)
            warn(subject, "is administratively up; the proxy leaves it down",
                 "ip link set kube-ipvs0 down, and keep network managers off it");
        if (node_.device_managed)
            warn(subject, "is managed by NetworkManager, which may remove its addresses",
                 "in a file in /etc/NetworkManager/conf.d: [device-kube-ipvs0], "
                 "match-device=interface-name:kube-ipvs0, managed=0; then nmcli general reload");
    }

    void other_proxies() {
        for (const auto& process : node_.proxies) {
            const auto who = process.name + " (pid " + std::to_string(process.pid) + ')';
            if (process.name == "kube-proxy")
                warn("other proxies", who + " runs in this network namespace",
                     "stop it before ipvsproxy runs: both would write the same tables");
            else
                warn("other proxies", who + " runs here already",
                     "one is enough: a second one would write the same tables");
        }
        if (std::ranges::find(node_.links, "kube-dummy-if") != node_.links.end())
            warn("other proxies", "interface kube-dummy-if: kube-router's service proxy made it",
                 "run kube-router with --run-service-proxy=false and clean up after it: both "
                 "remove each other's virtual servers");
        for (const auto& table : node_.nft_tables)
            if (table == "ip kube-proxy" || table == "ip6 kube-proxy")
                warn(
                    "other proxies",
                    "nftables table " + table +
                        ": kube-proxy's nftables mode made it, and its "
                        "rules take part",
                    "stop that kube-proxy; run deletes the table once its own rules stand, or: nft "
                    "delete table " +
                        table);
    }

    void other_rules() {
        const auto other = node_.backend.backend == iptables::Backend::nft
                               ? iptables::Backend::legacy
                               : iptables::Backend::nft;
        for (const auto family : ipvsproxy::families) {
            const std::string tool = family == Family::v4 ? "iptables" : "ip6tables";
            const auto strange = proxy_chains(node_.other_chains[family]);
            if (!strange.empty())
                warn(tool,
                     "a proxy's chains are in " + std::string{iptables::name(other)} + " too (" +
                         listed(strange) + "): both kinds of rule act",
                     "run removes them once its own rules stand");
            std::vector<std::string> old;
            for (const auto& chain :
                 plan::leftovers(family, node_.seen.chains[family]).remove_chains)
                old.push_back(chain.name);
            if (!old.empty())
                warn(tool, "chains of kube-proxy's iptables mode (" + listed(old) + ')',
                     "stop that kube-proxy; run removes them once its own rules stand");
        }
    }

    /// What nobody's sets tell of, and what excludeCIDRs do not keep.
    void virtual_servers() {
        if (!node_.ipvs_error.empty()) return;
        plan::Settings settings;
        settings.enabled = node_.families;
        settings.exclude_cidrs = node_.exclude_cidrs;
        plan::NodeState nothing{settings};
        nothing.observe(node_.seen);
        const auto doomed = nothing.changes().ipvs.services.remove;
        const auto of_proxy = plan::cleanup(node_.seen).ipvs.services.remove;
        std::vector<std::string> foreign;
        for (const auto& key : doomed)
            if (!of_proxy.contains(key)) foreign.push_back(key.text());
        const auto count = std::to_string(node_.seen.services.size());
        if (foreign.empty()) {
            ok("virtual servers", count + ", none that would go for being nobody's");
            return;
        }
        warn("virtual servers",
             std::to_string(foreign.size()) + " of " + count +
                 " are not of a proxy's making and go unless a Service asks for them: " +
                 listed(foreign),
             "add their addresses to ipvs.excludeCIDRs (--ipvs-exclude-cidrs) to keep them");
    }

    void sets() {
        for (const auto& set : node_.seen.foreign_sets)
            warn("ipset " + set, "has another type, or options that the proxy does not use",
                 "ipset destroy " + set + " once no rule names it; run tries the same");
        for (const auto& [name, set] : node_.seen.sets)
            judge_set(name, set);
    }

    void judge_set(const std::string& name, const ipset::Set& set) {
        const auto id = plan::find_set(name);
        if (!id || plan::set_spec(*id).type == ipset::Type::bitmap_port) return;
        const auto entries = set.entries.size();
        const auto holds = "holds " + std::to_string(entries) + " entries, room for " +
                           std::to_string(set.spec.max_entries);
        if (set.spec.max_entries > ipset::default_max_entries)
            warn("ipset " + name,
                 holds + ": this node cannot be handed back to kube-proxy, which wants 65536",
                 entries <= ipset::default_max_entries
                     ? "to hand it back: stop ipvsproxy, then ipvsproxy cleanup"
                     : "kube-proxy cannot serve this many; have fewer Services first");
        else if (entries * 10 >= std::size_t{set.spec.max_entries} * 9)
            warn("ipset " + name,
                 holds + "; when it is full a larger one takes its place, and the node cannot be "
                         "handed back to kube-proxy any more",
                 "nothing to do, unless you mean to go back to kube-proxy");
    }

    const NodeFindings& node_;
    std::vector<Finding> findings_;
};

std::string_view colour_of(Verdict verdict) {
    switch (verdict) {
    case Verdict::ok:
        return "\x1b[32m";
    case Verdict::warn:
        return "\x1b[33m";
    case Verdict::fail:
        return "\x1b[31m";
    }
    return "";
}

} // namespace

std::string_view name(Verdict verdict) noexcept {
    switch (verdict) {
    case Verdict::ok:
        return "ok";
    case Verdict::warn:
        return "warn";
    case Verdict::fail:
        return "fail";
    }
    return "?";
}

std::vector<Finding> judge(const NodeFindings& node) {
    return Judge{node}.run();
}

std::vector<std::string> proxy_chains(const iptables::Chains& chains) {
    plan::NodeSnapshot seen;
    seen.chains.v4 = chains;
    std::vector<std::string> names;
    for (const auto& chain : plan::cleanup(seen).rules.v4.remove_chains)
        names.push_back(chain.name);
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

std::string text(const std::vector<Finding>& findings, bool colour) {
    std::size_t widest = 0;
    std::array<std::size_t, 3> counts{};
    for (const auto& finding : findings) {
        widest = std::max(widest, finding.subject.size());
        ++counts.at(static_cast<std::size_t>(finding.verdict));
    }
    std::string out;
    for (const auto& finding : findings) {
        std::string verdict{name(finding.verdict)};
        verdict.resize(4, ' ');
        if (colour) verdict.insert(0, colour_of(finding.verdict)).append("\x1b[0m");
        auto subject = finding.subject;
        subject.resize(widest, ' ');
        out.append(verdict).append("  ").append(subject).append("  ");
        out.append(finding.finding).append("\n");
        if (!finding.remedy.empty()) out += "      -> " + finding.remedy + '\n';
    }
    return out + std::to_string(counts[0]) + " ok, " + std::to_string(counts[1]) + " to look at, " +
           std::to_string(counts[2]) + " in the way\n";
}

} // namespace ipvsproxy::cli
