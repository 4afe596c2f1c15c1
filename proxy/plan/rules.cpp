#include "proxy/plan/rules.h"

#include <algorithm>
#include <array>

namespace ipvsproxy::plan {
namespace {

using iptables::Chain;
using iptables::Chains;
using iptables::Rule;
using iptables::Rules;
using iptables::TableName;

/// `0x4000`
std::string hexadecimal(std::uint32_t value) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    do
        text.insert(text.begin(), digits[value & 0xfU]);
    while ((value >>= 4U) != 0);
    return "0x" + text;
}

/// As iptables-save writes it: quoted, with a backslash before quotes of either kind.
std::string comment(std::string_view text) {
    std::string out = "-m comment --comment \"";
    for (const char c : text) {
        if (c == '"' || c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\" ";
}

/// Writes the rules of one family, chain by chain.
class RuleWriter {
public:
    RuleWriter(Family family, const RuleInputs& inputs, const Settings& settings)
        : family_{family}, inputs_{inputs}, settings_{settings}, mark_{hexadecimal(
                                                                     std::uint32_t{1}
                                                                     << settings.masquerade_bit)} {}

    Chains write() const {
        Chains all;
        all[{TableName::nat, "KUBE-SERVICES"}] = services();
        all[{TableName::nat, "KUBE-POSTROUTING"}] = postrouting();
        all[{TableName::nat, "KUBE-NODE-PORT"}] = node_ports();
        all[{TableName::nat, "KUBE-LOAD-BALANCER"}] = load_balancer();
        all[{TableName::nat, "KUBE-MARK-MASQ"}] = {"-j MARK --set-xmark " + mark_ + '/' + mark_};
        all[{TableName::filter, "KUBE-FORWARD"}] = forward();
        all[{TableName::filter, "KUBE-NODE-PORT"}] = health_checks();
        all[{TableName::filter, "KUBE-PROXY-FIREWALL"}] = firewall();
        all[{TableName::filter, "KUBE-SOURCE-RANGES-FIREWALL"}] = source_ranges();
        all[{TableName::filter, "KUBE-IPVS-FILTER"}] = access();
        all[{TableName::filter, "KUBE-IPVS-OUT-FILTER"}] = out_filter();
        return all;
    }

private:
    bool filled(SetRole role) const { return inputs_.filled.test(SetId{role, family_}.index()); }
    std::string match(SetRole role, std::string_view words) const {
        return "-m set --match-set " + set_name({role, family_}) + ' ' + std::string{words} + ' ';
    }
    std::string said(SetRole role, std::string_view words = "dst,dst") const {
        return comment(set_comment(role)) + match(role, words);
    }

    Rules services() const {
        Rules rules;
        rules.emplace_back(family_ == Family::v4 ? "-s 127.0.0.0/8 -j RETURN"
                                                 : "-s ::1/128 -j RETURN");
        if (filled(SetRole::load_balancer))
            rules.push_back(said(SetRole::load_balancer) + "-j KUBE-LOAD-BALANCER");
        if (filled(SetRole::cluster_ip)) rules.push_back(cluster_ip_masquerade());
        if (filled(SetRole::external_ip)) {
            rules.push_back(said(SetRole::external_ip) + "-j KUBE-MARK-MASQ");
            accept_external(rules, SetRole::external_ip);
        }
        if (filled(SetRole::external_ip_local)) accept_external(rules, SetRole::external_ip_local);
        rules.emplace_back("-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT");
        for (const auto role : {SetRole::cluster_ip, SetRole::load_balancer})
            if (filled(role)) rules.push_back(match(role, "dst,dst") + "-j ACCEPT");
        return rules;
    }

    /// Masquerade everything; or what does not come from this node's pods; or, where pods cannot be
    /// told, what comes from a cluster IP itself (the node talking to its own VIP).
    Rule cluster_ip_masquerade() const {
        const auto& local = settings_.local[family_];
        std::string words = "dst,dst", outside;
        if (!settings_.masquerade_all) {
            if (local.cidr) outside = "! -s " + local.cidr->text() + ' ';
            else if (!local.interface.empty()) outside = "! -i " + local.interface + ' ';
            else words = "src,dst";
        }
        return outside + said(SetRole::cluster_ip, words) + "-j KUBE-MARK-MASQ";
    }

    void accept_external(Rules& rules, SetRole role) const {
        rules.push_back(said(role) + "-m physdev ! --physdev-is-in "
                                     "-m addrtype ! --src-type LOCAL -j ACCEPT");
        rules.push_back(said(role) + "-m addrtype --dst-type LOCAL -j ACCEPT");
    }

    Rules postrouting() const {
        Rules rules;
        if (filled(SetRole::loop_back))
            rules.push_back(said(SetRole::loop_back, "dst,dst,src") + "-j MASQUERADE");
        rules.push_back("-m mark ! --mark " + mark_ + '/' + mark_ + " -j RETURN");
        rules.push_back("-j MARK --set-xmark " + mark_ + "/0x0");
        rules.push_back(comment("kubernetes service traffic requiring SNAT") + "-j MASQUERADE" +
                        (settings_.random_fully[family_] ? " --random-fully" : ""));
        return rules;
    }

    Rules node_ports() const {
        struct Line {
            std::string_view protocol;
            SetRole role;
            std::string_view words, target;
        };
        static constexpr std::array<Line, 6> lines{{
            {"tcp", SetRole::node_port_local_tcp, "dst", "RETURN"},
            {"tcp", SetRole::node_port_tcp, "dst", "KUBE-MARK-MASQ"},
            {"udp", SetRole::node_port_local_udp, "dst", "RETURN"},
            {"udp", SetRole::node_port_udp, "dst", "KUBE-MARK-MASQ"},
            {"sctp", SetRole::node_port_local_sctp, "dst,dst", "RETURN"},
            {"sctp", SetRole::node_port_sctp, "dst,dst", "KUBE-MARK-MASQ"},
        }};
        Rules rules;
        for (const auto& line : lines)
            if (filled(line.role))
                rules.push_back("-p " + std::string{line.protocol} + ' ' +
                                said(line.role, line.words) + "-j " + std::string{line.target});
        return rules;
    }

    Rules load_balancer() const {
        Rules rules;
        if (filled(SetRole::load_balancer_local))
            rules.push_back(said(SetRole::load_balancer_local) + "-j RETURN");
        rules.emplace_back("-j KUBE-MARK-MASQ");
        return rules;
    }

    Rules forward() const {
        return {comment("kubernetes forwarding rules") + "-m mark --mark " + mark_ + '/' + mark_ +
                    " -j ACCEPT",
                comment("kubernetes forwarding conntrack rule") +
                    "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"};
    }

    Rules health_checks() const {
        return {said(SetRole::health_check_node_port, "dst") + "-j ACCEPT"};
    }

    Rules firewall() const {
        if (!filled(SetRole::load_balancer_fw)) return {};
        return {said(SetRole::load_balancer_fw) + "-j KUBE-SOURCE-RANGES-FIREWALL"};
    }

    Rules source_ranges() const {
        Rules rules;
        for (const auto role :
             {SetRole::load_balancer_source_cidr, SetRole::load_balancer_source_ip})
            if (filled(role)) rules.push_back(said(role, "dst,dst,src") + "-j RETURN");
        rules.emplace_back("-j DROP");
        return rules;
    }

    /// Lets service traffic through and refuses everything else that is new to a VIP. Pings are
    /// let through too (D-01): the VIP answers them like any address.
    Rules access() const {
        Rules rules;
        for (const auto role : {SetRole::load_balancer, SetRole::cluster_ip, SetRole::external_ip,
                                SetRole::external_ip_local})
            rules.push_back(match(role, "dst,dst") + "-j RETURN");
        rules.push_back(match(SetRole::health_check_node_port, "dst") + "-j RETURN");
        rules.emplace_back(family_ == Family::v4
                               ? "-p icmp -m icmp --icmp-type 8 -j RETURN"
                               : "-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j RETURN");
        rules.push_back(
            "-m conntrack --ctstate NEW " + match(SetRole::ipvs_ips, "dst") +
            "-j REJECT --reject-with " +
            (family_ == Family::v4 ? "icmp-port-unreachable" : "icmp6-port-unreachable"));
        return rules;
    }

    Rules out_filter() const {
        Rules rules;
        for (const auto& vip : inputs_.guarded) {
            const auto address = vip.address.text();
            rules.push_back("-s " + Prefix{vip.address}.text() + " -m ipvs --vproto " +
                            std::to_string(static_cast<int>(vip.protocol)) + " --vaddr " + address +
                            " --vport " + std::to_string(vip.port.value) + " -j DROP");
        }
        return rules;
    }

    Family family_;
    const RuleInputs& inputs_;
    const Settings& settings_;
    std::string mark_;
};

/// kube-proxy writes KUBE-IPVS-OUT-FILTER in random order, and order does not matter there: each
/// rule drops other packets. So a node taken over from it needs no rewrite.
bool same_rules(const Chain& chain, Rules one, Rules other) {
    if (chain.name == "KUBE-IPVS-OUT-FILTER") {
        std::ranges::sort(one);
        std::ranges::sort(other);
    }
    return one == other;
}

} // namespace

Chains chains(Family family, const RuleInputs& inputs, const Settings& settings) {
    return RuleWriter{family, inputs, settings}.write();
}

std::vector<iptables::PlacedRule> jumps() {
    const auto jump = [](TableName table, const char* from, const char* to, const char* why) {
        return iptables::PlacedRule{{table, from}, comment(why) + "-j " + to};
    };
    const auto nat = TableName::nat, filter = TableName::filter;
    return {
        jump(nat, "OUTPUT", "KUBE-SERVICES", "kubernetes service portals"),
        jump(nat, "PREROUTING", "KUBE-SERVICES", "kubernetes service portals"),
        jump(nat, "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
        jump(filter, "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
        jump(filter, "INPUT", "KUBE-NODE-PORT", "kubernetes health check rules"),
        jump(filter, "INPUT", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
        jump(filter, "FORWARD", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
        jump(filter, "INPUT", "KUBE-IPVS-FILTER", "kubernetes ipvs access filter"),
        jump(filter, "OUTPUT", "KUBE-IPVS-OUT-FILTER", "kubernetes ipvs access filter"),
    };
}

iptables::TableChanges rule_changes(const Chains& observed, const Chains& desired) {
    iptables::TableChanges changes;
    for (const auto& [chain, rules] : desired) {
        const auto found = observed.find(chain);
        if (found == observed.end() || !same_rules(chain, found->second, rules))
            changes.replace.emplace(chain, rules);
    }
    for (auto& jump : jumps()) {
        const auto found = observed.find(jump.chain);
        if (found == observed.end() ||
            std::ranges::find(found->second, jump.rule) == found->second.end())
            changes.insert.push_back(std::move(jump));
    }
    return changes;
}

} // namespace ipvsproxy::plan
