#include "proxy/plan/sets.h"

#include <ostream>

namespace ipvsproxy::plan {
namespace {

using ipset::Type;

struct RoleFacts {
    std::string_view name; // without "KUBE-" or "KUBE-6-"
    Type type;
    std::string_view comment;
};

constexpr std::array<RoleFacts, set_roles> roles{{
    {"LOOP-BACK", Type::hash_ip_port_ip,
     "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"},
    {"CLUSTER-IP", Type::hash_ip_port,
     "Kubernetes service cluster ip + port for masquerade purpose"},
    {"EXTERNAL-IP", Type::hash_ip_port,
     "Kubernetes service external ip + port for masquerade and filter purpose"},
    {"EXTERNAL-IP-LOCAL", Type::hash_ip_port,
     "Kubernetes service external ip + port with externalTrafficPolicy=local"},
    {"LOAD-BALANCER", Type::hash_ip_port, "Kubernetes service lb portal"},
    {"LOAD-BALANCER-FW", Type::hash_ip_port,
     "Kubernetes service load balancer ip + port for load balancer with sourceRange"},
    {"LOAD-BALANCER-LOCAL", Type::hash_ip_port,
     "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"},
    {"LOAD-BALANCER-SOURCE-IP", Type::hash_ip_port_ip,
     "Kubernetes service load balancer ip + port + source IP for packet filter purpose"},
    {"LOAD-BALANCER-SOURCE-CIDR", Type::hash_ip_port_net,
     "Kubernetes service load balancer ip + port + source cidr for packet filter purpose"},
    {"NODE-PORT-TCP", Type::bitmap_port, "Kubernetes nodeport TCP port for masquerade purpose"},
    {"NODE-PORT-LOCAL-TCP", Type::bitmap_port,
     "Kubernetes nodeport TCP port with externalTrafficPolicy=local"},
    {"NODE-PORT-UDP", Type::bitmap_port, "Kubernetes nodeport UDP port for masquerade purpose"},
    {"NODE-PORT-LOCAL-UDP", Type::bitmap_port,
     "Kubernetes nodeport UDP port with externalTrafficPolicy=local"},
    {"NODE-PORT-SCTP-HASH", Type::hash_ip_port,
     "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"},
    {"NODE-PORT-LOCAL-SCTP-HASH", Type::hash_ip_port,
     "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'"},
    {"HEALTH-CHECK-NODE-PORT", Type::bitmap_port, "Kubernetes health check node port"},
    {"IPVS-IPS", Type::hash_ip, "Addresses on the ipvs interface"},
}};

constexpr std::size_t longest_name = 31; // IPSET_MAXNAMELEN - 1, linux/netfilter/ipset/ip_set.h

const RoleFacts& facts(SetRole role) noexcept {
    return roles.at(static_cast<std::size_t>(role));
}

} // namespace

std::string set_name(SetId id) {
    std::string name{id.family == Family::v4 ? "KUBE-" : "KUBE-6-"};
    name += facts(id.role).name;
    return name.substr(0, longest_name);
}

std::optional<SetId> find_set(std::string_view name) {
    for (std::size_t i = 0; i < set_count; ++i)
        if (set_name(SetId::at(i)) == name) return SetId::at(i);
    return std::nullopt;
}

ipset::SetSpec set_spec(SetId id) noexcept {
    const auto type = facts(id.role).type;
    return {type, type == Type::bitmap_port ? Family::v4 : id.family, ipset::default_max_entries};
}

std::string_view set_comment(SetRole role) noexcept {
    return facts(role).comment;
}

std::ostream& operator<<(std::ostream& out, SetId id) {
    return out << set_name(id);
}

} // namespace ipvsproxy::plan
