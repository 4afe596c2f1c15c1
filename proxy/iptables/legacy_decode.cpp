#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "proxy/iptables/legacy_bytes.h"
#include "proxy/iptables/legacy_codec.h"
#include "proxy/iptables/legacy_foreign.h"
#include "proxy/iptables/rule_words.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_ipvs.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_physdev.h>
#include <linux/netfilter/xt_set.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>

namespace ipvsproxy::iptables {

namespace {

template <class T> Bytes bytes_of(const T& value) {
    return std::as_bytes(std::span<const T, 1>(&value, 1));
}

/// Where the parts of an entry begin. The offsets come from outside: they are checked.
struct Layout {
    Bytes matches, target;
};

template <class Entry> std::optional<Layout> layout(const Entry& entry, Bytes bytes) {
    const std::size_t target = entry.target_offset;
    const std::size_t end = entry.next_offset;
    if (target < sizeof(Entry) || end < target || end > bytes.size()) return std::nullopt;
    return Layout{bytes.subspan(sizeof(Entry), target - sizeof(Entry)),
                  bytes.subspan(target, end - target)};
}

/// Cuts the first match or target off `rest`.
std::optional<Part> next_part(Bytes& rest) {
    const auto head = read<PartHead>(rest);
    if (!head) return std::nullopt;
    const std::size_t size = head->size;
    if (size < sizeof(PartHead) || size > rest.size()) return std::nullopt;
    const auto length = text_in(head->name);
    if (!length) return std::nullopt;
    constexpr std::size_t name_at = offsetof(PartHead, name);
    const auto* const name = reinterpret_cast<const char*>(rest.subspan(name_at).data());
    const Part part{{name, length->size()},
                    head->revision,
                    rest.subspan(sizeof(PartHead), size - sizeof(PartHead))};
    rest = rest.subspan(size);
    return part;
}

/// The number of leading ones, if nothing but zeros follows them.
std::optional<std::uint8_t> prefix_length(Bytes mask) {
    std::uint8_t ones = 0;
    bool ended = false;
    for (const std::byte byte : mask) {
        for (unsigned bit = 0x80; bit != 0; bit >>= 1U) {
            const bool one = (std::to_integer<unsigned>(byte) & bit) != 0;
            if (one && ended) return std::nullopt;
            if (one) ++ones;
            else ended = true;
        }
    }
    return ones;
}

std::optional<Address> address_in(Family family, Bytes bytes) {
    const Bytes own = bytes.first(family == Family::v4 ? 4 : 16);
    const auto address =
        Address::from_bytes({reinterpret_cast<const std::uint8_t*>(own.data()), own.size()});
    if (!address || address->family() != family) return std::nullopt; // IPv4-mapped
    return address;
}

// The readers below return false for what has no words; what is not asked for stays empty.

bool read_network(Family family, Bytes address, Bytes mask, bool negated,
                  std::optional<Condition<Prefix>>& to) {
    if (all_zero(mask) && all_zero(address) && !negated) return true;
    const auto base = address_in(family, address);
    const auto length = prefix_length(mask);
    if (!base || !length) return false;
    const Prefix prefix(*base, *length);
    to = {prefix, negated};
    return prefix.address() == *base;
}

bool read_interface(std::span<const char, IFNAMSIZ> name, Bytes mask, bool negated,
                    std::optional<Condition<std::string>>& to) {
    if (all_zero(mask)) return !negated;
    const auto ones = prefix_length(mask);
    if (!ones || *ones % 8 != 0) return false;
    const std::size_t counted = *ones / 8;
    const std::string_view text(name.data(), strnlen(name.data(), name.size()));
    const bool exact = text.size() < counted;
    if (text.empty() || (exact && text.size() + 1 != counted)) return false;
    std::string word(text.substr(0, counted));
    if (!is_plain_name(word)) return false;
    to = {exact ? std::move(word) : std::move(word) + '+', negated};
    return true;
}

/// ipt_ip and ip6t_ip6 have the same members, of other sizes.
template <class Ip>
bool read_header(Family family, const Ip& ip, unsigned proto_flags, ParsedRule& rule) {
    constexpr unsigned known_invflags =
        IPT_INV_VIA_IN | IPT_INV_VIA_OUT | IPT_INV_SRCIP | IPT_INV_DSTIP | XT_INV_PROTO;
    if ((ip.invflags & ~known_invflags) != 0 || proto_flags != 0) return false;
    const auto inverted = [&](unsigned flag) { return (ip.invflags & flag) != 0; };
    if (ip.proto > 255 || (ip.proto == 0 && inverted(XT_INV_PROTO))) return false;
    if (ip.proto != 0)
        rule.protocol = {static_cast<std::uint8_t>(ip.proto), inverted(XT_INV_PROTO)};
    return read_network(family, bytes_of(ip.src), bytes_of(ip.smsk), inverted(IPT_INV_SRCIP),
                        rule.source) &&
           read_network(family, bytes_of(ip.dst), bytes_of(ip.dmsk), inverted(IPT_INV_DSTIP),
                        rule.destination) &&
           read_interface(ip.iniface, bytes_of(ip.iniface_mask), inverted(IPT_INV_VIA_IN),
                          rule.in) &&
           read_interface(ip.outiface, bytes_of(ip.outiface_mask), inverted(IPT_INV_VIA_OUT),
                          rule.out);
}

std::optional<Match> read_comment(Bytes data) {
    const auto comment = read<xt_comment_info>(data);
    if (!comment) return std::nullopt;
    const auto text = text_in(comment->comment);
    if (!text || text->empty()) return std::nullopt;
    if (std::ranges::any_of(*text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
        return std::nullopt;
    return CommentMatch{std::string(*text)};
}

/// Revisions 1 to 4 begin alike and grow conditions on counters, which stay zero here.
std::optional<Match> read_set(Bytes data, SetNames& sets) {
    const auto info = read<xt_set_info>(data);
    if (!info || !all_zero(data.subspan(sizeof(xt_set_info)))) return std::nullopt;
    if (info->dim == 0 || info->dim > IPSET_DIM_MAX) return std::nullopt;
    const auto name = sets.name(info->index);
    if (!name || !is_plain_name(*name)) return std::nullopt;
    SetMatch match{.set = *name, .negated = (info->flags & IPSET_INV_MATCH) != 0};
    unsigned left = info->flags & ~static_cast<unsigned>(IPSET_INV_MATCH);
    for (unsigned i = 1; i <= info->dim; ++i) {
        match.sides.push_back((left & (1U << i)) != 0 ? Side::src : Side::dst);
        left &= ~(1U << i);
    }
    if (left != 0) return std::nullopt;
    return match;
}

std::optional<Match> read_mark(Bytes data) {
    const auto mark = read<xt_mark_mtinfo1>(data);
    if (!mark) return std::nullopt;
    return MarkMatch{mark->mark, mark->mask, mark->invert != 0};
}

std::optional<Match> read_addrtype(Bytes data) {
    const auto types = read<xt_addrtype_info_v1>(data);
    constexpr unsigned known = XT_ADDRTYPE_INVERT_SOURCE | XT_ADDRTYPE_INVERT_DEST;
    if (!types || (types->flags & ~known) != 0) return std::nullopt;
    if (types->source == 0 && types->dest == 0) return std::nullopt;
    if ((types->source != 0 && !addrtype_words(types->source)) ||
        (types->dest != 0 && !addrtype_words(types->dest)))
        return std::nullopt;
    AddrtypeMatch match;
    if (types->source != 0)
        match.source = {types->source, (types->flags & XT_ADDRTYPE_INVERT_SOURCE) != 0};
    if (types->dest != 0)
        match.destination = {types->dest, (types->flags & XT_ADDRTYPE_INVERT_DEST) != 0};
    return match;
}

std::optional<Match> read_physdev(Bytes data) {
    const auto device = read<xt_physdev_info>(data);
    if (!device || device->bitmask != XT_PHYSDEV_OP_ISIN) return std::nullopt;
    if ((device->invert & ~XT_PHYSDEV_OP_ISIN) != 0) return std::nullopt;
    return PhysdevMatch{device->invert != 0};
}

std::optional<Match> read_conntrack(Bytes data) {
    const auto tracked = read<xt_conntrack_mtinfo3>(data);
    if (!tracked || tracked->match_flags != XT_CONNTRACK_STATE) return std::nullopt;
    if ((tracked->invert_flags & ~XT_CONNTRACK_STATE) != 0 || !state_words(tracked->state_mask))
        return std::nullopt;
    return ConntrackMatch{tracked->state_mask, tracked->invert_flags != 0};
}

std::optional<Match> read_ipvs(Family family, Bytes data) {
    const auto ipvs = read<xt_ipvs_mtinfo>(data);
    constexpr unsigned asked = XT_IPVS_PROTO | XT_IPVS_VADDR | XT_IPVS_VPORT;
    constexpr unsigned known = asked | XT_IPVS_IPVS_PROPERTY; // which each of the others implies
    if (!ipvs || ipvs->invert != 0) return std::nullopt;
    if ((ipvs->bitmask & asked) == 0 || (ipvs->bitmask & ~known) != 0) return std::nullopt;
    IpvsMatch match;
    if ((ipvs->bitmask & XT_IPVS_PROTO) != 0) {
        if (ipvs->l4proto == 0) return std::nullopt;
        match.protocol = ipvs->l4proto;
    }
    if ((ipvs->bitmask & XT_IPVS_VADDR) != 0) {
        match.address = address_in(family, bytes_of(ipvs->vaddr));
        const Bytes mask = bytes_of(ipvs->vmask).first(family == Family::v4 ? 4 : 16);
        if (!match.address || prefix_length(mask) != match.address->bits()) return std::nullopt;
    }
    if ((ipvs->bitmask & XT_IPVS_VPORT) != 0) match.port = Port{ntohs(ipvs->vport)};
    return match;
}

std::optional<Match> read_icmp(Family family, Bytes data) {
    const auto icmp = read<ipt_icmp>(data);
    if (!icmp || (icmp->invflags & ~IPT_ICMP_INV) != 0) return std::nullopt;
    IcmpMatch match{.family = family, .type = icmp->type, .negated = icmp->invflags != 0};
    const bool any_code = icmp->code[0] == 0 && icmp->code[1] == 255;
    if (!any_code && icmp->code[0] != icmp->code[1]) return std::nullopt;
    if (family == Family::v4 && icmp->type == 255) return std::nullopt; // "any"
    if (!any_code) match.code = icmp->code[0];
    return match;
}

std::optional<Match> read_match(Family family, const Part& part, SetNames& sets) {
    const auto is = [&](std::string_view name, unsigned revision) {
        return part.name == name && part.revision == revision;
    };
    std::optional<Match> match;
    if (is("comment", 0)) match = read_comment(part.data);
    else if (part.name == "set" && part.revision >= 1 && part.revision <= 4)
        match = read_set(part.data, sets);
    else if (is("mark", 1)) match = read_mark(part.data);
    else if (is("addrtype", 1)) match = read_addrtype(part.data);
    else if (is("physdev", 0)) match = read_physdev(part.data);
    else if (is("conntrack", 3)) match = read_conntrack(part.data);
    else if (is("ipvs", 0)) match = read_ipvs(family, part.data);
    else if (is(family == Family::v4 ? "icmp" : "icmp6", 0)) match = read_icmp(family, part.data);
    if (match) return match;
    if (auto text = foreign_match(part)) return ForeignMatch{*std::move(text)};
    return std::nullopt;
}

std::optional<Target> read_masquerade(Family family, Bytes data) {
    unsigned flags = 0;
    if (family == Family::v4) {
        const auto range = read<nf_nat_ipv4_multi_range_compat>(data);
        if (!range || range->rangesize != 1) return std::nullopt;
        flags = range->range[0].flags;
    } else {
        const auto range = read<nf_nat_range>(data);
        if (!range) return std::nullopt;
        flags = range->flags;
    }
    if ((flags & ~static_cast<unsigned>(NF_NAT_RANGE_PROTO_RANDOM_FULLY)) != 0) return std::nullopt;
    return Masquerade{flags != 0};
}

std::optional<Target> read_target(Family family, const Part& part, std::string_view jump,
                                  bool go_to) {
    if (part.name.empty()) {
        if (jump.empty()) return NoTarget{};
        if (!is_plain_name(jump)) return std::nullopt;
        return Jump{std::string(jump), go_to};
    }
    if (part.name == "REJECT" && part.revision == 0) {
        const auto reject = read<ip6t_reject_info>(part.data);
        const auto word = reject ? reject_word(family, reject->with) : std::nullopt;
        if (!word) return std::nullopt;
        return Reject{std::string(*word)};
    }
    if (part.name == "MASQUERADE" && part.revision == 0) return read_masquerade(family, part.data);
    if (part.name == "MARK" && part.revision == 2) {
        const auto mark = read<xt_mark_tginfo2>(part.data);
        if (!mark) return std::nullopt;
        return SetMark{mark->mark, mark->mask};
    }
    return std::nullopt;
}

std::optional<ParsedRule> read_parts(Family family, ParsedRule rule, Layout parts,
                                     std::string_view jump, bool go_to, SetNames& sets) {
    while (!parts.matches.empty()) {
        const auto part = next_part(parts.matches);
        auto match = part ? read_match(family, *part, sets) : std::nullopt;
        if (!match) return std::nullopt;
        rule.matches.push_back(*std::move(match));
    }
    const auto part = next_part(parts.target);
    auto target = part ? read_target(family, *part, jump, go_to) : std::nullopt;
    if (!target) return std::nullopt;
    rule.target = *std::move(target);
    return rule;
}

/// FNV-1a, 64 bit: to tell rules apart, not to guard against anyone.
class Digest {
public:
    void add(Bytes bytes) {
        for (const std::byte byte : bytes) {
            value_ ^= std::to_integer<std::uint64_t>(byte);
            value_ *= 0x100000001b3U;
        }
    }
    std::string text() const {
        std::array<char, 16> digits{};
        const auto end =
            std::to_chars(digits.data(), digits.data() + digits.size(), value_, 16).ptr;
        return {digits.data(), end};
    }

private:
    std::uint64_t value_{0xcbf29ce484222325U};
};

/// Of a name only its text counts: behind it stands what happened to be in libiptc's memory.
void add_parts(Digest& digest, Bytes rest) {
    while (const auto part = next_part(rest)) {
        digest.add(std::as_bytes(std::span(part->name)));
        digest.add(bytes_of(part->revision));
        if (!part->name.empty()) digest.add(part->data); // a standard target's is an offset
    }
    digest.add(rest);
}

template <class Head> std::string digest(Bytes entry, std::string_view jump) {
    Digest digest;
    const auto head = read<Head>(entry);
    if (const auto parts = head ? layout(*head, entry) : std::nullopt) {
        digest.add(bytes_of(head->ip));
        add_parts(digest, parts->matches);
        add_parts(digest, parts->target);
    } else {
        digest.add(entry);
    }
    digest.add(std::as_bytes(std::span(jump)));
    return digest.text();
}

} // namespace

std::optional<ParsedRule> decode_entry(Family family, std::span<const std::byte> entry,
                                       std::string_view jump, SetNames& sets) {
    ParsedRule rule;
    if (family == Family::v4) {
        const auto head = read<EntryHead4>(entry);
        const auto parts = head ? layout(*head, entry) : std::nullopt;
        if (!parts || !read_header(family, head->ip, head->ip.flags & ~unsigned{IPT_F_GOTO}, rule))
            return std::nullopt;
        return read_parts(family, std::move(rule), *parts, jump, (head->ip.flags & IPT_F_GOTO) != 0,
                          sets);
    }
    const auto head = read<EntryHead6>(entry);
    const auto parts = head ? layout(*head, entry) : std::nullopt;
    if (!parts) return std::nullopt;
    const unsigned proto_flag = head->ip.proto != 0 ? IP6T_F_PROTO : 0;
    const unsigned others = (head->ip.flags & ~unsigned{IP6T_F_GOTO}) ^ proto_flag;
    if (!read_header(family, head->ip, others, rule)) return std::nullopt;
    return read_parts(family, std::move(rule), *parts, jump, (head->ip.flags & IP6T_F_GOTO) != 0,
                      sets);
}

std::string entry_text(Family family, std::span<const std::byte> entry, std::string_view jump,
                       SetNames& sets) {
    if (const auto rule = decode_entry(family, entry, jump, sets)) return print_rule(*rule);
    const std::string name =
        family == Family::v4 ? digest<EntryHead4>(entry, jump) : digest<EntryHead6>(entry, jump);
    return "(unknown rule of " + std::to_string(entry.size()) + " bytes, digest " + name + ")";
}

} // namespace ipvsproxy::iptables
