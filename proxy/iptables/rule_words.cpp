#include "proxy/iptables/rule_words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>

// The UAPI headers of the matches want these before them.
#include <netinet/in.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>

namespace ipvsproxy::iptables {

namespace {

struct Word {
    std::string_view text;
    std::uint32_t number;
};

// The first name of a number is the one that is printed.
constexpr std::array protocols = {
    Word{"tcp", IPPROTO_TCP},          Word{"udp", IPPROTO_UDP},
    Word{"sctp", IPPROTO_SCTP},        Word{"icmp", IPPROTO_ICMP},
    Word{"ipv6-icmp", IPPROTO_ICMPV6}, Word{"icmpv6", IPPROTO_ICMPV6},
    Word{"esp", IPPROTO_ESP},          Word{"ah", IPPROTO_AH},
    Word{"gre", IPPROTO_GRE},          Word{"udplite", IPPROTO_UDPLITE},
};

constexpr std::array address_types = {
    Word{"UNSPEC", XT_ADDRTYPE_UNSPEC},
    Word{"UNICAST", XT_ADDRTYPE_UNICAST},
    Word{"LOCAL", XT_ADDRTYPE_LOCAL},
    Word{"BROADCAST", XT_ADDRTYPE_BROADCAST},
    Word{"ANYCAST", XT_ADDRTYPE_ANYCAST},
    Word{"MULTICAST", XT_ADDRTYPE_MULTICAST},
    Word{"BLACKHOLE", XT_ADDRTYPE_BLACKHOLE},
    Word{"UNREACHABLE", XT_ADDRTYPE_UNREACHABLE},
    Word{"PROHIBIT", XT_ADDRTYPE_PROHIBIT},
    Word{"THROW", XT_ADDRTYPE_THROW},
    Word{"NAT", XT_ADDRTYPE_NAT},
    Word{"XRESOLVE", XT_ADDRTYPE_XRESOLVE},
};

constexpr std::uint32_t state_bit(ip_conntrack_info state) {
    return 1U << (static_cast<unsigned>(state) % IP_CT_IS_REPLY + 1U); // XT_CONNTRACK_STATE_BIT
}

// In iptables-save's order, which is not that of the bits.
constexpr std::array states = {
    Word{"INVALID", XT_CONNTRACK_STATE_INVALID},
    Word{"NEW", state_bit(IP_CT_NEW)},
    Word{"RELATED", state_bit(IP_CT_RELATED)},
    Word{"ESTABLISHED", state_bit(IP_CT_ESTABLISHED)},
    Word{"UNTRACKED", XT_CONNTRACK_STATE_UNTRACKED},
    Word{"SNAT", XT_CONNTRACK_STATE_SNAT},
    Word{"DNAT", XT_CONNTRACK_STATE_DNAT},
};

constexpr std::array rejects_v4 = {
    Word{"icmp-net-unreachable", IPT_ICMP_NET_UNREACHABLE},
    Word{"icmp-host-unreachable", IPT_ICMP_HOST_UNREACHABLE},
    Word{"icmp-proto-unreachable", IPT_ICMP_PROT_UNREACHABLE},
    Word{"icmp-port-unreachable", IPT_ICMP_PORT_UNREACHABLE},
    Word{"icmp-net-prohibited", IPT_ICMP_NET_PROHIBITED},
    Word{"icmp-host-prohibited", IPT_ICMP_HOST_PROHIBITED},
    Word{"tcp-reset", IPT_TCP_RESET},
    Word{"icmp-admin-prohibited", IPT_ICMP_ADMIN_PROHIBITED},
};

constexpr std::array rejects_v6 = {
    Word{"icmp6-no-route", IP6T_ICMP6_NO_ROUTE},
    Word{"icmp6-adm-prohibited", IP6T_ICMP6_ADM_PROHIBITED},
    Word{"icmp6-addr-unreachable", IP6T_ICMP6_ADDR_UNREACH},
    Word{"icmp6-port-unreachable", IP6T_ICMP6_PORT_UNREACH},
    Word{"tcp-reset", IP6T_TCP_RESET},
    Word{"icmp6-policy-fail", IP6T_ICMP6_POLICY_FAIL},
    Word{"icmp6-reject-route", IP6T_ICMP6_REJECT_ROUTE},
};

std::optional<std::uint32_t> number_of(std::span<const Word> words, std::string_view text) {
    const auto found = std::ranges::find(words, text, &Word::text);
    if (found == words.end()) return std::nullopt;
    return found->number;
}

std::optional<std::string_view> text_of(std::span<const Word> words, std::uint32_t number) {
    const auto found = std::ranges::find(words, number, &Word::number);
    if (found == words.end()) return std::nullopt;
    return found->text;
}

std::optional<std::string> joined(std::span<const Word> words, std::uint32_t bits) {
    std::string text;
    for (const Word& word : words) {
        if ((bits & word.number) == 0) continue;
        if (!text.empty()) text += ',';
        text += word.text;
        bits &= ~word.number;
    }
    if (bits != 0 || text.empty()) return std::nullopt;
    return text;
}

std::optional<std::uint16_t> split(std::span<const Word> words, std::string_view text) {
    std::uint32_t bits = 0;
    for (;;) {
        const auto comma = text.find(',');
        const auto bit = number_of(words, text.substr(0, comma));
        if (!bit) return std::nullopt;
        bits |= *bit;
        if (comma == std::string_view::npos) return static_cast<std::uint16_t>(bits);
        text.remove_prefix(comma + 1);
    }
}

std::span<const Word> rejects(Family family) {
    if (family == Family::v4) return rejects_v4;
    return rejects_v6;
}

std::optional<std::uint32_t> convert(std::string_view word, int base) {
    std::uint32_t number = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, number, base);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return number;
}

} // namespace

std::string protocol_word(std::uint8_t protocol) {
    if (const auto text = text_of(protocols, protocol)) return std::string(*text);
    return std::to_string(protocol);
}

std::optional<std::uint8_t> parse_protocol_word(std::string_view word) {
    auto number = number_of(protocols, word);
    if (!number) number = parse_number(word, 255);
    if (!number || *number == 0) return std::nullopt;
    return static_cast<std::uint8_t>(*number);
}

std::optional<std::string> addrtype_words(std::uint16_t bits) {
    return joined(address_types, bits);
}

std::optional<std::uint16_t> parse_addrtype_words(std::string_view words) {
    return split(address_types, words);
}

std::optional<std::string> state_words(std::uint16_t bits) {
    return joined(states, bits);
}

std::optional<std::uint16_t> parse_state_words(std::string_view words) {
    return split(states, words);
}

std::optional<std::string_view> reject_word(Family family, std::uint32_t with) {
    return text_of(rejects(family), with);
}

std::optional<std::uint32_t> parse_reject_word(Family family, std::string_view word) {
    return number_of(rejects(family), word);
}

bool is_plain_name(std::string_view word) noexcept {
    return !word.empty() && word.front() != '-' && std::ranges::none_of(word, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 ||
               std::string_view("\"'\\!").find(c) != std::string_view::npos;
    });
}

std::optional<std::uint32_t> parse_number(std::string_view word, std::uint32_t most) {
    const auto number = convert(word, 10);
    if (!number || *number > most) return std::nullopt;
    return number;
}

std::optional<std::uint32_t> parse_c_number(std::string_view word) {
    if (word.starts_with("0x")) return convert(word.substr(2), 16);
    return convert(word, 10);
}

} // namespace ipvsproxy::iptables
