#include "proxy/sync/startup.h"

#include <algorithm>
#include <arpa/inet.h>
#include <fstream>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipvs/probe.h"
#include "proxy/config/node_ips.h"
#include "proxy/config/start_checks.h"
#include "proxy/log/log.h"

namespace ipvsproxy::sync {
namespace {

constexpr auto hash_size_file = "/sys/module/nf_conntrack/parameters/hashsize";

/// The source address that the routes would choose for the way out: connect(2) on a datagram socket
/// asks the routing table and sends nothing.
std::optional<Address> outbound_address(Family family) {
    const int domain = family == Family::v4 ? AF_INET : AF_INET6;
    const int socket = ::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return std::nullopt;
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    std::optional<Address> found;
    if (family == Family::v4) {
        sockaddr_in out{
            .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {}, .sin_zero = {}};
        inet_pton(AF_INET, "192.0.2.1", &out.sin_addr); // TEST-NET-1, RFC 5737
        sockaddr_in own{};
        size = sizeof own;
        if (connect(socket, reinterpret_cast<const sockaddr*>(&out), sizeof out) == 0 &&
            getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0)
            found = Address::from_bytes(
                {reinterpret_cast<const std::uint8_t*>(&own.sin_addr), sizeof own.sin_addr});
    } else {
        sockaddr_in6 out{};
        out.sin6_family = AF_INET6;
        out.sin6_port = htons(9);
        inet_pton(AF_INET6, "2001:db8::1", &out.sin6_addr); // RFC 3849
        sockaddr_in6 own{};
        size = sizeof own;
        if (connect(socket, reinterpret_cast<const sockaddr*>(&out), sizeof out) == 0 &&
            getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0)
            found = Address::from_bytes(
                {reinterpret_cast<const std::uint8_t*>(&own.sin6_addr), sizeof own.sin6_addr});
    }
    close(socket);
    if (found && (found->is_unspecified() || found->is_ipv6_link_local())) return std::nullopt;
    return found;
}

/// The Node's addresses; without a Node the outbound ones.
std::vector<Address> known_addresses(const model::Node* node) {
    if (node != nullptr) return config::raw_node_ips(*node);
    std::vector<Address> all;
    for (const auto family : families)
        if (const auto address = outbound_address(family)) all.push_back(*address);
    return all;
}

std::string dotted(std::string name) {
    std::ranges::replace(name, '/', '.');
    return name;
}

std::vector<config::Sysctl> conntrack_sysctls(const config::Options& options) {
    return config::conntrack_sysctls(options.configuration.conntrack, config::online_cpus());
}

std::vector<config::Sysctl> ipvs_sysctls(RealKernel& kernel, const config::Options& options) {
    const auto release = kernel.sysctls().read("kernel/osrelease").value_or("");
    const auto version = config::parse_kernel_version(release);
    if (!version)
        throw std::runtime_error{"kernel release \"" + release +
                                 "\" (/proc/sys/kernel/osrelease) does not begin with a version"};
    return config::ipvs_sysctls(options.configuration.ipvs.strict_arp, *version);
}

ipvs::Timeouts wanted_timeouts(const config::Options& options) {
    const auto seconds = [](config::Duration duration) {
        return std::chrono::duration_cast<std::chrono::seconds>(duration);
    };
    const auto& ipvs = options.configuration.ipvs;
    return {seconds(ipvs.tcp_timeout), seconds(ipvs.tcp_fin_timeout), seconds(ipvs.udp_timeout)};
}

/// Whether setting these would change anything; zero leaves a value as it is.
bool differs(const ipvs::Timeouts& wanted, const ipvs::Timeouts& seen) {
    const auto one = [](std::chrono::seconds want, std::chrono::seconds have) {
        return want.count() != 0 && want != have;
    };
    return one(wanted.tcp, seen.tcp) || one(wanted.tcp_fin, seen.tcp_fin) ||
           one(wanted.udp, seen.udp);
}

std::string shown(const ipvs::Timeouts& timeouts) {
    return std::to_string(timeouts.tcp.count()) + ' ' + std::to_string(timeouts.tcp_fin.count()) +
           ' ' + std::to_string(timeouts.udp.count());
}

std::string sysctl_refused(const config::SysctlChange& change) {
    return "sysctl " + dotted(change.sysctl.name) + " cannot be set to " + change.sysctl.value +
           ": " + change.error.message() + "; it is " + change.before.value_or("unreadable") +
           "; set it on the host, or give the process the right to";
}

void prepare_sysctls(RealKernel& kernel, std::span<const config::Sysctl> wanted,
                     std::size_t& written) {
    for (const auto& change : config::apply_sysctls(wanted, kernel.sysctls())) {
        if (!change.error) {
            ++written;
            log::info("Set sysctl", {{"name", dotted(change.sysctl.name)},
                                     {"value", change.sysctl.value},
                                     {"before", change.before.value_or("unreadable")}});
            continue;
        }
        const auto refusal = sysctl_refused(change);
        if (change.sysctl.required) throw std::runtime_error{refusal};
        log::warning(refusal);
    }
}

/// The table of connections is a hash of lists; a quarter of its limit keeps the lists short.
void prepare_conntrack_buckets(const config::Options& options, std::size_t& written) {
    const auto max = config::conntrack_max(options.configuration.conntrack, config::online_cpus());
    std::uint32_t observed = 0;
    if (max == 0 || !(std::ifstream{hash_size_file} >> observed)) return;
    const auto wanted = config::conntrack_buckets(max, observed);
    if (!wanted) return;
    std::ofstream out{hash_size_file};
    if (out << *wanted && out.flush()) {
        ++written;
        return;
    }
    log::warning(
        "nf_conntrack's hashsize is smaller than it should be and cannot be written; set it "
        "on the host, or conntrack.maxPerCore to 0",
        {{"file", hash_size_file}, {"is", observed}, {"should be", *wanted}});
}

void prepare_timeouts(RealKernel& kernel, const config::Options& options, std::size_t& written) {
    auto& table = kernel.tables().ipvs;
    const auto wanted = wanted_timeouts(options);
    try {
        if (!differs(wanted, table.timeouts())) return;
        table.set_timeouts(wanted);
        ++written;
    } catch (const std::system_error& error) {
        log::warning("IPVS timeouts cannot be set",
                     {{"timeouts", shown(wanted)}, {"err", error.what()}});
    }
}

void complain(const std::string& complaint, Complaints how) {
    constexpr auto message = "Kube-proxy configuration may be incomplete or incorrect";
    if (how == Complaints::errors) log::error(message, {{"err", complaint}});
    else log::verbose(1, message, {{"err", complaint}});
}

std::vector<std::string> texts(std::span<const Address> addresses) {
    std::vector<std::string> all;
    for (const auto& address : addresses)
        all.push_back(address.text());
    return all;
}

/// What the node was found to be, in the words that kube-proxy's log has for it.
void tell_node(const config::Options& options, std::span<const Address> known,
               const config::NodeIps& ips, const plan::Settings& settings) {
    const auto primary = ips.primary == Family::v4 ? "IPv4" : "IPv6";
    if (!known.empty()) log::info("Successfully retrieved NodeIPs", {{"NodeIPs", texts(known)}});
    if (ips.ip[ips.primary].is_loopback())
        log::info("Node IPs could not be determined; set bindAddress (--bind-address) to the "
                  "node's own address",
                  {{"IPv4", ips.ip.v4}, {"IPv6", ips.ip.v6}});
    log::verbose(2, "Node IPs", {{"IPv4", ips.ip.v4}, {"IPv6", ips.ip.v6}});
    const bool dual = settings.enabled.v4 && settings.enabled.v6;
    log::info(dual ? "kube-proxy running in dual-stack mode"
                   : "kube-proxy running in single-stack mode",
              {{"primary ipFamily", primary}});
    const auto mode = options.parsed.local_mode;
    const bool by_cidr =
        mode == config::LocalMode::cluster_cidr || mode == config::LocalMode::node_cidr;
    if (by_cidr && !settings.local[ips.primary].cidr)
        log::info(
            "Detect-local-mode is by CIDR, but none of the primary IP family is known: no "
            "traffic counts as local",
            {{"detectLocalMode", options.configuration.detect_local_mode}, {"ipFamily", primary}});
    log::info("Using ipvs Proxier");
    if (options.configuration.ipvs.scheduler.empty())
        log::info("IPVS scheduler not specified, use rr by default");
}

/// FNV-1a: the same on every machine and in every release.
std::uint64_t salt(std::string_view node_name) {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : node_name)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return hash;
}

} // namespace

std::unique_ptr<Cluster> make_cluster(const config::Options& options, model::Store& store,
                                      const PerFamily<bool>& enabled,
                                      const PerFamily<bool>& random_fully,
                                      std::span<const InterfaceAddress> elsewhere,
                                      Complaints complaints) {
    const auto* node = store.node(options.node_name);
    const auto known = known_addresses(node);
    const auto ips = config::detect_node_ips(options.parsed.bind_address, known);
    const auto pod_cidrs = node == nullptr ? std::vector<Prefix>{} : node->pod_cidrs;
    const auto checks = config::start_checks(options, ips, enabled, pod_cidrs);
    for (const auto& complaint : checks.complaints)
        complain(complaint, complaints);
    if (checks.fatal) throw std::runtime_error{*checks.fatal};
    if (node == nullptr)
        log::info("No Node object of this name: going by hostname and interfaces",
                  {{"node", options.node_name}, {"IPv4", ips.ip.v4}, {"IPv6", ips.ip.v6}});

    auto settings = config::plan_settings(options, ips, pod_cidrs, enabled);
    settings.random_fully = random_fully;
    if (complaints == Complaints::errors) tell_node(options, known, ips, settings);
    plan::NodeFacts facts;
    facts.name = model::Symbol{options.node_name};
    if (node != nullptr) facts.zone = node->zone;
    facts.ip = ips.ip;
    plan::take_interfaces(facts, settings, elsewhere);
    return std::make_unique<Cluster>(store, std::move(settings), std::move(facts));
}

std::unique_ptr<Cluster> make_cluster(const config::Options& options, model::Store& store,
                                      RealKernel* kernel,
                                      std::span<const InterfaceAddress> elsewhere,
                                      Complaints complaints) {
    PerFamily<bool> enabled{true, true}, random_fully{true, true};
    if (kernel != nullptr)
        for (const auto family : families) {
            const auto* tables = kernel->tables().rules[family];
            enabled[family] = tables != nullptr;
            random_fully[family] = tables != nullptr && tables->random_fully();
        }
    auto cluster = make_cluster(options, store, enabled, random_fully, elsewhere, complaints);
    cluster->derive();
    return cluster;
}

std::unique_ptr<Cluster> make_cluster(const config::Options& options, model::Store& store,
                                      const PerFamily<bool>& enabled,
                                      std::span<const InterfaceAddress> elsewhere) {
    auto cluster =
        make_cluster(options, store, enabled, {true, true}, elsewhere, Complaints::verbose);
    cluster->derive();
    return cluster;
}

void require_pod_cidrs(const config::Options& options, const model::Store& store) {
    if (options.parsed.local_mode != config::LocalMode::node_cidr) return;
    const auto* node = store.node(options.node_name);
    if (node == nullptr || node->pod_cidrs.empty())
        throw std::runtime_error{"no podCIDRs of node \"" + options.node_name +
                                 "\" are known, which detectLocalMode NodeCIDR goes by: see that "
                                 "its Node object is there and has spec.podCIDRs"};
}

std::optional<iptables::Backend> wanted_backend(const config::Options& options) {
    switch (options.iptables_backend) {
    case config::IptablesBackend::automatic:
        return std::nullopt;
    case config::IptablesBackend::legacy:
        return iptables::Backend::legacy;
    case config::IptablesBackend::nft:
        return iptables::Backend::nft;
    }
    return std::nullopt;
}

std::unique_ptr<RealKernel> open_kernel(const config::Options& options) {
    return std::make_unique<RealKernel>(std::nullopt, wanted_backend(options),
                                        salt(options.node_name));
}

void take_node(Cluster& cluster, const config::Options& options, const model::Store& store) {
    const auto* node = store.node(options.node_name);
    if (node == nullptr) return; // its labels count on, as kube-proxy has it
    cluster.set_node(cluster.facts().name, node->zone, cluster.facts().ip);
}

std::vector<SwitchChange> switch_changes(RealKernel& kernel, const config::Options& options) {
    std::vector<SwitchChange> all;
    auto all_wanted = conntrack_sysctls(options);
    const auto of_ipvs = ipvs_sysctls(kernel, options);
    all_wanted.insert(all_wanted.end(), of_ipvs.begin(), of_ipvs.end());
    for (const auto& wanted : all_wanted) {
        const auto seen = kernel.sysctls().read(wanted.name);
        // One that this namespace makes read-only is no difference that apply could remove.
        const bool fixed = access(("/proc/sys/" + wanted.name).c_str(), W_OK) != 0;
        if (seen == wanted.value || (fixed && !wanted.required)) continue;
        all.push_back({"sysctl -w " + dotted(wanted.name) + '=' + wanted.value,
                       seen ? "is " + *seen : "cannot be read"});
    }
    const auto timeouts = wanted_timeouts(options);
    if (const auto seen = kernel.tables().ipvs.timeouts(); differs(timeouts, seen))
        all.push_back({"ipvsadm --set " + shown(timeouts), "are " + shown(seen)});
    return all;
}

std::size_t prepare(RealKernel& kernel, const config::Options& options) {
    std::size_t written = 0;
    if (kernel.tables().rules.v6 == nullptr)
        log::info("This node has no IPv6, or it is disabled: it is kept for IPv4 alone");
    prepare_sysctls(kernel, conntrack_sysctls(options), written);
    prepare_conntrack_buckets(options, written);
    ipvs::probe(kernel.tables().ipvs, options.configuration.ipvs.scheduler);
    prepare_sysctls(kernel, ipvs_sysctls(kernel, options), written);
    prepare_timeouts(kernel, options, written);
    return written;
}

} // namespace ipvsproxy::sync
