#include "proxy/plan/contribution.h"

#include <algorithm>
#include <set>

#include "proxy/plan/endpoints.h"

namespace ipvsproxy::plan {
namespace {

using model::Service;
using model::ServicePort;
using model::ServiceType;

constexpr ipvs::Name maglev{"mh"};

bool is_proxied(const Service& service) {
    return !service.headless && !service.other_proxy && service.type != ServiceType::external_name;
}

/// externalTrafficPolicy: Local, on services that outside traffic can reach by their type.
bool external_policy_local(const Service& service) {
    return service.external_local &&
           (service.type != ServiceType::cluster_ip || !service.external_ips.empty());
}

std::vector<Address> of_family(const std::vector<Address>& all, Family family) {
    std::vector<Address> some;
    for (const auto& address : all)
        if (address.family() == family) some.push_back(address);
    return some;
}

/// The ranges that restrict this family; a range that holds every address restricts nothing.
std::vector<Prefix> effective_ranges(const Service& service, Family family) {
    std::vector<Prefix> some;
    for (const auto& range : service.source_ranges) {
        if (range.family() != family) continue;
        if (range.length() == 0) return {};
        some.push_back(range);
    }
    return some;
}

ipvs::ServiceSpec server_spec(const Service& service, Family family, const Settings& settings) {
    ipvs::ServiceSpec spec;
    spec.scheduler = settings.scheduler;
    spec.persistence_prefix = family == Family::v4 ? 32 : 128;
    if (spec.scheduler == maglev) spec.flags |= ipvs::flag_scheduler_2;
    if (service.client_ip_affinity) {
        spec.flags |= ipvs::flag_persistent;
        spec.timeout_seconds = static_cast<std::uint32_t>(service.client_ip_affinity->count());
    }
    return spec;
}

/// Derives one family of one service, port by port; each member adds one kind of object.
class FamilyDerivation {
public:
    FamilyDerivation(const Service& service, const model::Store::Slices& slices, Family family,
                     const NodeFacts& node, const Settings& settings, Contribution& out)
        : service_{service}, slices_{slices}, node_{node}, settings_{settings}, out_{out},
          family_{family}, cluster_ip_{*service.cluster_ip[family]},
          external_ips_{of_family(service.external_ips, family)},
          ingress_vips_{of_family(service.ingress_vips, family)},
          ranges_{effective_ranges(service, family)}, spec_{
                                                          server_spec(service, family, settings)} {
        // A range that holds the node's address lets the node in. Without one it is shut out.
        node_admitted_ = std::ranges::any_of(
            ranges_, [&](const Prefix& range) { return range.contains(node_.ip[family_]); });
    }

    void derive() {
        const auto most = service_.ports.size() * (1 + external_ips_.size() + ingress_vips_.size());
        out_.virtual_servers.reserve(out_.virtual_servers.size() + most);
        out_.entries.reserve(out_.entries.size() + 2 * most);
        for (const auto& port : service_.ports)
            derive_port(port);
        add_health_check();
    }

private:
    void derive_port(const ServicePort& port) {
        const auto all = merge_endpoints(slices_, family_, port.name, port.protocol);
        scope_ = {.internal_local = service_.internal_local,
                  .external_local = external_policy_local(service_),
                  .external = port.node_port || !ingress_vips_.empty() || !external_ips_.empty()};
        groups_ = group_endpoints(all, scope_, node_);
        fell_back_ = false;
        add_hairpin(port, all);
        add_cluster_ip(port);
        if (settings_.external_ips)
            for (const auto& ip : external_ips_)
                add_external_ip(ip, port);
        for (const auto& ip : ingress_vips_)
            add_ingress(ip, port);
        if (port.node_port) add_node_port(*port.node_port, port);
        add_udp_flows(port, all);
        count_local_endpoints(all);
    }

    void add_hairpin(const ServicePort& port, const Candidates& all) {
        for (const auto& [endpoint, number] : all)
            if (is_local(*endpoint, node_))
                add_entry(SetRole::loop_back,
                          {endpoint->address, port.protocol, number, Prefix{endpoint->address}});
    }

    void add_cluster_ip(const ServicePort& port) {
        add_entry(SetRole::cluster_ip, {cluster_ip_, port.protocol, port.port, {}});
        add_server(cluster_ip_, port.port, port.protocol, scope_.internal_local);
        bind(cluster_ip_);
    }

    void add_external_ip(const Address& ip, const ServicePort& port) {
        const auto role = scope_.external_local ? SetRole::external_ip_local : SetRole::external_ip;
        add_entry(role, {ip, port.protocol, port.port, {}});
        add_server(ip, port.port, port.protocol, scope_.external_local);
        if (!node_.elsewhere.contains(ip)) bind(ip);
    }

    void add_ingress(const Address& ip, const ServicePort& port) {
        const ipset::Entry entry{ip, port.protocol, port.port, {}};
        add_entry(SetRole::load_balancer, entry);
        if (scope_.external_local) add_entry(SetRole::load_balancer_local, entry);
        if (!ranges_.empty()) add_source_ranges(entry);
        add_server(ip, port.port, port.protocol, scope_.external_local);
        if (!node_.elsewhere.contains(ip)) bind(ip);
    }

    void add_source_ranges(const ipset::Entry& portal) {
        add_entry(SetRole::load_balancer_fw, portal);
        for (const auto& range : ranges_) {
            auto entry = portal;
            entry.second = range;
            add_entry(SetRole::load_balancer_source_cidr, entry);
        }
        if (node_admitted_) { // the node reaches a VIP of its own from that same address
            auto entry = portal;
            entry.second = Prefix{portal.address};
            add_entry(SetRole::load_balancer_source_ip, entry);
        } else {
            out_.guarded.push_back({portal.address, portal.protocol, portal.port});
        }
    }

    void add_node_port(Port node_port, const ServicePort& port) {
        const auto& at = node_.port_addresses[family_];
        if (at.empty()) return;
        add_node_port_entries(node_port, port.protocol);
        for (const auto& address : at)
            add_server(address, node_port, port.protocol, scope_.external_local);
    }

    void add_node_port_entries(Port node_port, Protocol protocol) {
        const auto [every, local] = [&]() -> std::pair<SetRole, SetRole> {
            switch (protocol) {
            case Protocol::tcp:
                return {SetRole::node_port_tcp, SetRole::node_port_local_tcp};
            case Protocol::udp:
                return {SetRole::node_port_udp, SetRole::node_port_local_udp};
            case Protocol::sctp:
                return {SetRole::node_port_sctp, SetRole::node_port_local_sctp};
            }
            return {};
        }();
        std::vector<ipset::Entry> entries;
        if (protocol == Protocol::sctp)
            for (const auto& address : node_.port_addresses[family_])
                entries.push_back({address, protocol, node_port, {}});
        else entries.push_back({{}, Protocol::tcp, node_port, {}});
        for (const auto& entry : entries) {
            add_entry(every, entry);
            if (scope_.external_local) add_entry(local, entry);
        }
    }

    /// Flows that a serving endpoint no longer answers for are stale; without any, nothing is.
    void add_udp_flows(const ServicePort& port, const Candidates& all) {
        if (port.protocol != Protocol::udp) return;
        std::set<AddressPort> serving;
        for (const auto& candidate : all)
            if (candidate.endpoint->serving) serving.insert(serving.end(), candidate.at());
        if (serving.empty()) return;
        const auto add = [&](const Address& address, Port number) {
            out_.udp_flows.push_back({{address, number}, serving});
        };
        add(cluster_ip_, port.port);
        for (const auto& ip : ingress_vips_)
            add(ip, port.port);
        if (settings_.external_ips)
            for (const auto& ip : external_ips_)
                add(ip, port.port);
        if (port.node_port)
            for (const auto& ip : node_.port_addresses[family_])
                add(ip, *port.node_port);
    }

    void count_local_endpoints(const Candidates& all) {
        if (is_health_checked())
            for (const auto& [endpoint, number] : all)
                if (endpoint->ready && is_local(*endpoint, node_))
                    ready_local_.insert(endpoint->address);
        if (!fell_back_ || !groups_.any) return;
        if (scope_.internal_local) out_.no_local_internal[family_] = true;
        if (scope_.external_local) out_.no_local_external[family_] = true;
    }

    bool is_health_checked() const {
        return service_.type == ServiceType::load_balancer && external_policy_local(service_) &&
               service_.health_check_node_port && !service_.ports.empty();
    }

    void add_health_check() {
        if (!is_health_checked()) return;
        const auto port = *service_.health_check_node_port;
        add_entry(SetRole::health_check_node_port, {{}, Protocol::tcp, port, {}});
        if (!out_.health_check) out_.health_check = HealthCheck{port};
        out_.health_check->local_endpoints[family_] =
            static_cast<std::uint32_t>(ready_local_.size());
    }

    void add_entry(SetRole role, const ipset::Entry& entry) {
        out_.entries.emplace_back(SetId{role, family_}, entry);
    }

    void add_server(const Address& address, Port port, Protocol protocol, bool local_only) {
        fell_back_ = fell_back_ || (local_only && groups_.local.empty());
        // Of most services the cluster IP's is the only one.
        out_.virtual_servers.push_back(
            {{address, port, protocol},
             spec_,
             scope_.external ? groups_.choose(local_only) : groups_.take(local_only)});
    }

    void bind(const Address& address) { out_.entries.push_back(binding(address)); }

    const Service& service_;
    const model::Store::Slices& slices_;
    const NodeFacts& node_;
    const Settings& settings_;
    Contribution& out_;
    Family family_;
    Address cluster_ip_;
    std::vector<Address> external_ips_, ingress_vips_;
    std::vector<Prefix> ranges_;
    ipvs::ServiceSpec spec_;
    bool node_admitted_{};
    TrafficScope scope_;            // of the port being derived
    EndpointGroups groups_;         // of the port being derived
    bool fell_back_{};              // one of its virtual servers wanted local endpoints in vain
    std::set<Address> ready_local_; // over all ports
};

/// What is kept by the ten thousand takes no more memory than it needs.
template <class List> void shrink(List& values) {
    // What has room of its own for a few is not moved out of there.
    static const auto own_room = List{}.capacity();
    if (values.capacity() > own_room) values.shrink_to_fit();
}

template <class List> void sort_once(List& values) {
    const auto out_of_order = [](const auto& one, const auto& next) { return !(one < next); };
    if (std::ranges::adjacent_find(values, out_of_order) == values.end()) return shrink(values);
    std::ranges::sort(values);
    values.erase(std::unique(values.begin(), values.end()), values.end());
    shrink(values);
}

/// Orders the virtual servers and keeps each once. Where one service asks for one twice (an
/// external IP that is its cluster IP too), the last wish stands: kube-proxy writes them in the
/// order in which they are derived here.
template <class List> void keep_last_of_each(List& servers) {
    if (servers.size() < 2) return shrink(servers);
    std::ranges::stable_sort(servers, {}, &VirtualServer::key);
    const auto same = [](const auto& one, const auto& other) { return one.key == other.key; };
    const auto first_kept = std::unique(servers.rbegin(), servers.rend(), same).base();
    servers.erase(servers.begin(), first_kept);
    shrink(servers);
}

/// Orders the lists and keeps each object once.
void make_canonical(Contribution& all) {
    keep_last_of_each(all.virtual_servers);
    sort_once(all.entries);
    sort_once(all.guarded);
    if (all.udp_flows.empty()) return;
    // One address and port may be reached by two ways (a VIP that is a node address): one wish.
    std::ranges::stable_sort(all.udp_flows, {}, &StaleFlows::destination);
    std::vector<StaleFlows> flows;
    for (auto& flow : all.udp_flows)
        if (flows.empty() || flows.back().destination != flow.destination)
            flows.push_back(std::move(flow));
        else flows.back().answered_by.merge(flow.answered_by);
    all.udp_flows = std::move(flows);
}

} // namespace

Contribution contribution(const Service& service, const model::Store::Slices& slices,
                          const NodeFacts& node, const Settings& settings) {
    Contribution all;
    all.created = service.created;
    if (!is_proxied(service)) return all;
    for (const auto family : families) {
        if (!settings.enabled[family] || !service.cluster_ip[family]) continue;
        FamilyDerivation{service, slices, family, node, settings, all}.derive();
    }
    make_canonical(all);
    return all;
}

} // namespace ipvsproxy::plan
