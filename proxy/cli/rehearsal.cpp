#include "proxy/cli/rehearsal.h"

#include <cerrno>
#include <exception>
#include <memory>
#include <sched.h>
#include <sys/mman.h>
#include <system_error>
#include <thread>

#include "ipset/kernel_table.h"
#include "ipvs/kernel_table.h"
#include "netlink/handle.h"
#include "netlink/kernel_conntrack.h"
#include "netlink/kernel_device.h"
#include "proxy/cli/kernel_signs.h"
#include "proxy/iptables/legacy_tables.h"
#include "proxy/iptables/nft_tables.h"
#include "proxy/plan/node_state.h"

namespace ipvsproxy::cli {
namespace {

constexpr Port port{80};

/// Of documentation (RFC 5737, RFC 3849).
Address sample_address(Family family) {
    return *Address::parse(family == Family::v4 ? "198.51.100.10" : "2001:db8::10");
}

ipset::Entry sample_entry(plan::SetId id) {
    const auto address = sample_address(id.family);
    switch (plan::set_spec(id).type) {
    case ipset::Type::hash_ip:
        return {address, {}, {}, {}};
    case ipset::Type::hash_ip_port:
        return {address, Protocol::tcp, port, {}};
    case ipset::Type::hash_ip_port_ip:
    case ipset::Type::hash_ip_port_net:
        return {address, Protocol::tcp, port, Prefix{address}};
    case ipset::Type::bitmap_port:
        return {{}, Protocol::tcp, port, {}};
    }
    return {};
}

/// The rules about external addresses match bridge ports.
bool matches_bridge_ports(plan::SetRole role) {
    return role == plan::SetRole::external_ip || role == plan::SetRole::external_ip_local;
}

plan::Contribution sample(Family family, const std::string& scheduler, bool bridge_ports) {
    plan::Contribution all;
    const auto address = sample_address(family);
    const ipvs::ServiceSpec spec{.scheduler = scheduler, .persistence_prefix = address.bits()};
    all.virtual_servers = {{{address, port, Protocol::tcp}, spec, {}}};
    all.guarded = {{address, Protocol::tcp, port}};
    for (std::size_t i = 0; i < plan::set_count; ++i) {
        const auto id = plan::SetId::at(i);
        if (id.family == family && (bridge_ports || !matches_bridge_ports(id.role)))
            all.entries.emplace_back(id, sample_entry(id));
    }
    return all;
}

/// A lock file that is nobody else's: the rules of a namespace that nobody else has need no lock.
class OwnLock {
public:
    OwnLock() : file_{::memfd_create("xtables.lock", MFD_CLOEXEC)} {}
    std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

private:
    FileDescriptor file_;
};

/// Writes to the namespace of this thread, and notes what came of it.
class Rehearsing {
public:
    explicit Rehearsing(std::string scheduler) : scheduler_{std::move(scheduler)} {}

    void write(const plan::NodeChanges& changes, const PerFamily<bool>& enabled,
               iptables::Backend backend) {
        const bool has_device =
            attempt("dummy device", "modprobe dummy on the node", [&] { device_.create(); });
        write_sets(changes.sets);
        for (const auto family : families)
            if (enabled[family]) write_rules(family, backend, changes.rules[family]);
        write_servers(changes.ipvs);
        if (has_device) write_addresses(changes.addresses);
        forget_flows();
    }
    std::vector<Trial> take() { return std::move(trials_); }

private:
    void note(std::string subject, std::string refusal, std::string remedy) {
        if (refusal.empty()) remedy.clear();
        trials_.push_back({std::move(subject), std::move(refusal), std::move(remedy)});
    }
    template <class Work>
    bool attempt(const std::string& subject, const std::string& remedy, const Work& work) {
        std::string refusal;
        try {
            work();
        } catch (const std::exception& error) {
            refusal = error.what();
        }
        note(subject, refusal, remedy);
        return refusal.empty();
    }

    void write_sets(const ipset::TableChanges& changes) {
        std::map<std::string, std::string> by_type; // subject, what was refused first
        std::string trouble;
        ipset::Outcome outcome;
        try {
            outcome = ipset::KernelTable{}.apply(changes);
        } catch (const std::exception& error) {
            trouble = error.what();
        }
        const auto subject = [](const std::string& set, const ipset::SetSpec& spec) {
            const auto id = plan::find_set(set);
            std::string text = "ipset " + std::string{ipset::name(spec.type)};
            if (spec.type == ipset::Type::bitmap_port || !id) return text;
            return text + ' ' + std::string{name(id->family)};
        };
        for (const auto& [set, change] : changes.sets)
            by_type.emplace(subject(set, change.spec), trouble);
        for (const auto& refusal : outcome.refused) {
            auto& text = by_type[subject(refusal.key.set, changes.sets.at(refusal.key.set).spec)];
            if (text.empty()) text = refusal.error.message();
        }
        for (const auto& [type, refusal] : by_type)
            note(type, refusal,
                 "load the module of the type on the node (modprobe ip_set_hash_ipport, "
                 "ip_set_bitmap_port …)");
    }

    void write_rules(Family family, iptables::Backend backend,
                     const iptables::TableChanges& changes) {
        const std::string tool = family == Family::v4 ? "iptables" : "ip6tables";
        const std::string subject = tool + " rules (" + std::string{iptables::name(backend)} + ')';
        attempt(subject,
                "load the modules on the node (modprobe iptable_nat iptable_filter xt_set "
                "xt_MASQUERADE …), or choose the other variant with --iptables-backend",
                [&] {
                    const auto refused = open_tables(family, backend)->apply(changes);
                    if (!refused.empty()) throw std::runtime_error{refused.front().reason};
                });
    }
    std::unique_ptr<iptables::Tables> open_tables(Family family, iptables::Backend backend) {
        if (backend == iptables::Backend::nft) return std::make_unique<iptables::NftTables>(family);
        return std::make_unique<iptables::LegacyTables>(family, lock_.path());
    }

    void write_servers(const ipvs::TableChanges& changes) {
        attempt("IPVS scheduler " + scheduler_,
                "modprobe ip_vs_" + scheduler_ + " on the node, or set ipvs.scheduler to another",
                [&] {
                    const auto outcome = ipvs::KernelTable{}.apply(changes);
                    if (outcome.services.empty()) return;
                    const auto& error = outcome.services.front().error;
                    throw std::runtime_error{error == std::errc::no_such_file_or_directory
                                                 ? "the kernel has no such scheduler"
                                                 : error.message()};
                });
    }

    void write_addresses(const DeviceAddressChanges& changes) {
        attempt("addresses of a dummy device", {}, [&] {
            const auto outcome = device_.apply(changes);
            if (outcome.refused.empty()) return;
            const auto& first = outcome.refused.front();
            throw std::system_error{first.error, first.key.address.text()};
        });
    }

    void forget_flows() {
        attempt("conntrack", "modprobe nf_conntrack_netlink on the node", [] {
            const StaleFlows stale{{sample_address(Family::v4), port}, {}};
            KernelFlows{}.forget({&stale, 1});
        });
    }

    std::string scheduler_;
    OwnLock lock_;
    KernelDevice device_{"kube-ipvs0"};
    std::vector<Trial> trials_;
};

/// What one Service of every kind asks for, on an empty node.
plan::NodeChanges wishes(const PerFamily<bool>& enabled, const std::string& scheduler,
                         bool bridge_ports) {
    plan::Settings settings;
    settings.enabled = enabled;
    settings.scheduler = scheduler;
    plan::NodeState state{settings};
    for (const auto family : families)
        if (enabled[family])
            state.replace({"ipvsproxy", "check-" + std::string{name(family)}},
                          sample(family, scheduler, bridge_ports));
    return state.changes();
}

} // namespace

Rehearsal rehearse(const PerFamily<bool>& enabled, iptables::Backend backend,
                   const std::string& scheduler) {
    Rehearsal result;
    const bool bridge_ports = is_writable("/proc/sys/net/bridge/bridge-nf-call-iptables");
    const auto changes = wishes(enabled, scheduler, bridge_ports);
    // A namespace ends with the last thread in it, and all that was written there with it.
    std::thread{[&] {
        try {
            if (::unshare(CLONE_NEWNET) != 0)
                throw std::system_error{errno, std::generic_category(),
                                        "no network namespace to try things in"};
            Rehearsing rehearsing{scheduler};
            rehearsing.write(changes, enabled, backend);
            result.trials = rehearsing.take();
        } catch (const std::exception& error) {
            result.error = error.what();
        }
    }}.join();
    return result;
}

} // namespace ipvsproxy::cli
