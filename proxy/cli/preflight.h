// Whether a node can run ipvsproxy: what was found out about it, and what follows. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proxy/config/sysctls.h"
#include "proxy/iptables/choose.h"
#include "proxy/plan/changes.h"

namespace ipvsproxy::cli {

/// linux/capability.h
enum class Capability : std::uint8_t { net_admin = 12, net_raw = 13, sys_module = 16 };

/// A kernel switch as it stands. `wanted.name` is below /proc/sys, or a whole path.
struct SwitchFact {
    config::Sysctl wanted;
    std::optional<std::string> seen{}; ///< nothing: it cannot be read
    bool writable{};
    friend bool operator==(const SwitchFact&, const SwitchFact&) = default;
};

/// Something that the kernel was asked to do, mostly in a namespace of its own.
struct Trial {
    std::string subject; ///< "ipset hash:ip,port IPv4"
    std::string refusal; ///< with the kernel's reason; empty: it did it
    std::string remedy{};
    friend bool operator==(const Trial&, const Trial&) = default;
};

struct Process {
    int pid{};
    std::string name; ///< "kube-proxy", "ipvsproxy"
    friend auto operator<=>(const Process&, const Process&) = default;
};

/// A bridge that has ports.
struct Bridge {
    std::string name;
    std::vector<Address> addresses{};
    friend bool operator==(const Bridge&, const Bridge&) = default;
};

/// What was found out. Each `*_error` says why a part of it could not be.
struct NodeFindings {
    std::uint64_t capabilities{}; ///< CapEff of /proc/self/status
    PerFamily<bool> families{true, true};
    std::string scheduler{"rr"};
    std::vector<Prefix> exclude_cidrs{}, cluster_cidrs{};

    iptables::Choice backend{};
    std::string device_error{}, ipvs_error{}, sets_error{};
    PerFamily<std::string> rules_error{};
    plan::NodeSnapshot seen{};                  ///< of this namespace, by the chosen variant
    PerFamily<iptables::Chains> other_chains{}; ///< those of the variant that is not chosen
    std::vector<std::string> nft_tables{};      ///< "ip kube-proxy", as `nft list tables` has them

    std::vector<Trial> trials{};
    std::string trials_error{}; ///< why nothing could be tried; empty: all was

    std::vector<SwitchFact> switches{};
    std::optional<std::string> bridge_calls_iptables{}; ///< net.bridge.bridge-nf-call-iptables
    std::vector<Bridge> bridges{};
    std::vector<std::string> links{}; ///< the names of the interfaces
    bool device_managed{};            ///< NetworkManager says that it manages kube-ipvs0
    std::vector<Process> proxies{};   ///< other ones, in this network namespace
};

enum class Verdict : std::uint8_t { ok, warn, fail };
std::string_view name(Verdict verdict) noexcept;

struct Finding {
    Verdict verdict{};
    std::string subject, finding;
    std::string remedy{}; ///< empty for what is in order
    friend bool operator==(const Finding&, const Finding&) = default;
};

/// Every finding, in the order in which things would have to be put right.
std::vector<Finding> judge(const NodeFindings& node);

/// As columns; a remedy stands on a line of its own below its finding.
/// @param colour of the verdicts, for terminals
std::string text(const std::vector<Finding>& findings, bool colour);

/// `KUBE-IPVS-FILTER` …: chains, of ipvs mode or iptables mode, that a proxy made.
std::vector<std::string> proxy_chains(const iptables::Chains& chains);

} // namespace ipvsproxy::cli
