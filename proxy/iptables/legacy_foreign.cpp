#include "proxy/iptables/legacy_foreign.h"

#include "proxy/iptables/rule_words.h"

#include <linux/netfilter.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>

namespace ipvsproxy::iptables {

namespace {

/// " --dport 80:90", or nothing for the whole range.
std::string ports(std::string_view option, std::uint16_t first, std::uint16_t last, bool negated) {
    if (first == 0 && last == 65535 && !negated) return {};
    std::string text = negated ? " ! " : " ";
    text.append(option).append(" ").append(std::to_string(first));
    if (first != last) text.append(":").append(std::to_string(last));
    return text;
}

std::optional<std::string> tcp(Bytes data) {
    const auto tcp = read<xt_tcp>(data);
    if (!tcp || tcp->option != 0 || tcp->flg_mask != 0) return std::nullopt;
    if ((tcp->invflags & (XT_TCP_INV_FLAGS | XT_TCP_INV_OPTION)) != 0) return std::nullopt;
    return "-m tcp" +
           ports("--sport", tcp->spts[0], tcp->spts[1], (tcp->invflags & XT_TCP_INV_SRCPT) != 0) +
           ports("--dport", tcp->dpts[0], tcp->dpts[1], (tcp->invflags & XT_TCP_INV_DSTPT) != 0);
}

std::optional<std::string> udp(Bytes data) {
    const auto udp = read<xt_udp>(data);
    if (!udp) return std::nullopt;
    return "-m udp" +
           ports("--sport", udp->spts[0], udp->spts[1], (udp->invflags & XT_UDP_INV_SRCPT) != 0) +
           ports("--dport", udp->dpts[0], udp->dpts[1], (udp->invflags & XT_UDP_INV_DSTPT) != 0);
}

std::optional<std::string> multiport(Bytes data) {
    const auto multi = read<xt_multiport_v1>(data);
    if (!multi || multi->count == 0 || multi->count > XT_MULTI_PORTS) return std::nullopt;
    std::string text = "-m multiport";
    if (multi->invert != 0) text += " !";
    switch (multi->flags) {
    case XT_MULTIPORT_SOURCE:
        text += " --sports ";
        break;
    case XT_MULTIPORT_DESTINATION:
        text += " --dports ";
        break;
    case XT_MULTIPORT_EITHER:
        text += " --ports ";
        break;
    default:
        return std::nullopt;
    }
    const std::span ports(multi->ports);
    const std::span begins_range(multi->pflags);
    for (std::size_t i = 0; i < multi->count; ++i) {
        if (i > 0) text += begins_range[i - 1] != 0 ? ':' : ',';
        text += std::to_string(ports[i]);
    }
    return text;
}

/// `-m state` is the match conntrack under its old name.
std::optional<std::string> state(Bytes data) {
    const auto tracked = read<xt_conntrack_mtinfo3>(data);
    if (!tracked) return std::nullopt;
    if (tracked->match_flags != (XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS))
        return std::nullopt;
    const auto words = state_words(tracked->state_mask);
    if (!words) return std::nullopt;
    const bool negated = (tracked->invert_flags & XT_CONNTRACK_STATE) != 0;
    return std::string(negated ? "-m state ! --state " : "-m state --state ") + *words;
}

} // namespace

std::optional<std::string> foreign_match(const Part& part) {
    if (part.name == "tcp" && part.revision == 0) return tcp(part.data);
    if (part.name == "udp" && part.revision == 0) return udp(part.data);
    if (part.name == "multiport" && part.revision == 1) return multiport(part.data);
    if (part.name == "conntrack" && part.revision == 3) return state(part.data);
    return std::nullopt;
}

} // namespace ipvsproxy::iptables
