#include <array>
#include <cassert>
#include <string>
#include <utility>
#include <variant>

#include "proxy/iptables/legacy_bytes.h"
#include "proxy/iptables/legacy_codec.h"
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

template <std::size_t Size>
void copy_text(char (&to)[Size], std::string_view from) { // NOLINT(modernize-avoid-c-arrays) UAPI
    std::memcpy(static_cast<char*>(to), from.data(), std::min(from.size(), Size - 1));
}

void copy_address(void* to, const Address& address) {
    std::memcpy(to, address.bytes().data(), address.bytes().size());
}

/// `length` ones, then zeros: 4 or 16 bytes.
void copy_mask(void* to, const Prefix& prefix) {
    std::array<std::uint8_t, 16> mask{};
    for (std::size_t bit = 0; bit < prefix.length(); ++bit)
        mask.at(bit / 8) = static_cast<std::uint8_t>(mask.at(bit / 8) | (0x80U >> (bit % 8)));
    std::memcpy(to, mask.data(), prefix.address().bytes().size());
}

/// The mask says which characters count: with "cni+" three, with "eth0" its closing zero too.
void copy_interface(char* name, unsigned char* mask, std::string_view from) {
    assert(!from.empty() && from.size() < IFNAMSIZ);
    const bool any_tail = from.ends_with('+');
    std::memcpy(name, from.data(), from.size());
    std::memset(mask, 0xff, any_tail ? from.size() - 1 : from.size() + 1);
}

class Encoder {
public:
    Encoder(Family family, SetNames& sets) : family_(family), sets_(sets) {}

    void header(const ParsedRule& rule) {
        if (family_ == Family::v4) head<EntryHead4>(rule);
        else head<EntryHead6>(rule);
    }
    /// Writes the two offsets the kernel walks by, which are known only now.
    boost::system::result<std::vector<std::byte>, RuleProblem> finish() {
        if (out_.size() > 0xffff) refuse("", "has more matches than an entry can hold");
        if (problem_) return *std::move(problem_);
        if (family_ == Family::v4) set_offsets<EntryHead4>();
        else set_offsets<EntryHead6>();
        return std::move(out_);
    }
    void begin_target() { target_offset_ = out_.size(); }

    void operator()(const CommentMatch& match) {
        xt_comment_info data;
        clear(data);
        copy_text(data.comment, match.text);
        part("comment", 0, data);
    }
    void operator()(const SetMatch& match) {
        const auto index = sets_.index(match.set);
        if (!index)
            return refuse(match.set, "is not a set of this IP family",
                          std::errc::no_such_file_or_directory);
        xt_set_info_match_v4 data;
        clear(data);
        data.match_set.index = *index;
        data.match_set.dim = static_cast<std::uint8_t>(match.sides.size());
        unsigned flags = match.negated ? IPSET_INV_MATCH : 0;
        for (std::size_t i = 0; i < match.sides.size(); ++i)
            if (match.sides[i] == Side::src) flags |= 1U << (i + 1);
        data.match_set.flags = static_cast<std::uint8_t>(flags);
        part("set", 4, data);
    }
    void operator()(const MarkMatch& match) {
        xt_mark_mtinfo1 data;
        clear(data);
        data.mark = match.value;
        data.mask = match.mask;
        data.invert = match.negated ? 1 : 0;
        part("mark", 1, data);
    }
    void operator()(const AddrtypeMatch& match) {
        xt_addrtype_info_v1 data;
        clear(data);
        if (match.source) {
            data.source = match.source->value;
            if (match.source->negated) data.flags |= XT_ADDRTYPE_INVERT_SOURCE;
        }
        if (match.destination) {
            data.dest = match.destination->value;
            if (match.destination->negated) data.flags |= XT_ADDRTYPE_INVERT_DEST;
        }
        part("addrtype", 1, data);
    }
    void operator()(const PhysdevMatch& match) {
        xt_physdev_info data;
        clear(data);
        data.bitmask = XT_PHYSDEV_OP_ISIN;
        data.invert = match.negated ? XT_PHYSDEV_OP_ISIN : 0;
        part("physdev", 0, data);
    }
    void operator()(const ConntrackMatch& match) {
        xt_conntrack_mtinfo3 data;
        clear(data);
        data.match_flags = XT_CONNTRACK_STATE;
        data.invert_flags = match.negated ? XT_CONNTRACK_STATE : 0;
        data.state_mask = match.states;
        part("conntrack", 3, data);
    }
    void operator()(const IpvsMatch& match) {
        xt_ipvs_mtinfo data;
        clear(data);
        data.bitmask = XT_IPVS_IPVS_PROPERTY;
        if (match.protocol) {
            data.l4proto = *match.protocol;
            data.bitmask |= XT_IPVS_PROTO;
        }
        if (match.address) {
            if (!of_our_family(*match.address)) return;
            copy_address(&data.vaddr, *match.address);
            std::memset(&data.vmask, 0xff, sizeof(data.vmask)); // IPv4: the rest does not count
            data.bitmask |= XT_IPVS_VADDR;
        }
        if (match.port) {
            data.vport = htons(match.port->value);
            data.bitmask |= XT_IPVS_VPORT;
        }
        part("ipvs", 0, data);
    }
    void operator()(const IcmpMatch& match) {
        if (match.family != family_) return refuse("-m", "icmp goes with IPv4, icmp6 with IPv6");
        static_assert(sizeof(ipt_icmp) == sizeof(ip6t_icmp)); // and alike
        ipt_icmp data;
        clear(data);
        data.type = match.type;
        data.code[0] = match.code.value_or(0);
        data.code[1] = match.code.value_or(255);
        data.invflags = match.negated ? IPT_ICMP_INV : 0;
        part(family_ == Family::v4 ? "icmp" : "icmp6", 0, data);
    }
    void operator()(const ForeignMatch& match) { refuse(match.text, "is not a match we write"); }

    void operator()(const NoTarget& /*none*/) { standard(""); }
    void operator()(const Jump& jump) { standard(jump.to); }
    void operator()(const Reject& reject) {
        const auto with = parse_reject_word(family_, reject.with);
        if (!with) return refuse(reject.with, "is not an answer of this IP family");
        static_assert(sizeof(ipt_reject_info) == sizeof(ip6t_reject_info)); // one 32-bit number
        ip6t_reject_info data;
        clear(data);
        data.with = *with;
        part("REJECT", 0, data);
    }
    void operator()(const Masquerade& masquerade) {
        const unsigned flags = masquerade.random_fully ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0U;
        if (family_ == Family::v4) {
            nf_nat_ipv4_multi_range_compat data;
            clear(data);
            data.rangesize = 1;
            data.range[0].flags = flags;
            part("MASQUERADE", 0, data);
        } else {
            nf_nat_range data;
            clear(data);
            data.flags = flags;
            part("MASQUERADE", 0, data);
        }
    }
    void operator()(const SetMark& mark) {
        xt_mark_tginfo2 data;
        clear(data);
        data.mark = mark.value;
        data.mask = mark.mask;
        part("MARK", 2, data);
    }
    void operator()(const ForeignTarget& target) {
        refuse(target.text, "is not a target we write");
    }

private:
    template <class Entry> void head(const ParsedRule& rule) {
        Entry entry;
        clear(entry);
        auto& ip = entry.ip;
        if (rule.source) network(*rule.source, &ip.src, &ip.smsk, ip.invflags, IPT_INV_SRCIP);
        if (rule.destination)
            network(*rule.destination, &ip.dst, &ip.dmsk, ip.invflags, IPT_INV_DSTIP);
        if (rule.in) {
            copy_interface(ip.iniface, ip.iniface_mask, rule.in->value);
            if (rule.in->negated) ip.invflags |= IPT_INV_VIA_IN;
        }
        if (rule.out) {
            copy_interface(ip.outiface, ip.outiface_mask, rule.out->value);
            if (rule.out->negated) ip.invflags |= IPT_INV_VIA_OUT;
        }
        if (rule.protocol) {
            ip.proto = rule.protocol->value;
            if (family_ == Family::v6) ip.flags |= IP6T_F_PROTO;
            if (rule.protocol->negated) ip.invflags |= XT_INV_PROTO;
        }
        const Jump* const jump = std::get_if<Jump>(&rule.target);
        if (jump != nullptr && jump->go_to)
            ip.flags |= family_ == Family::v4 ? IPT_F_GOTO : IP6T_F_GOTO;
        append(entry);
    }

    void network(const Condition<Prefix>& condition, void* address, void* mask,
                 std::uint8_t& invflags, std::uint8_t inverted) {
        if (!of_our_family(condition.value.address())) return;
        copy_address(address, condition.value.address());
        copy_mask(mask, condition.value);
        if (condition.negated) invflags |= inverted;
    }
    bool of_our_family(const Address& address) {
        if (address.family() == family_) return true;
        refuse(address.text(), "is of the other IP family");
        return false;
    }
    /// The kernel's verdict is filled in by libiptc, which finds the name in the head.
    void standard(std::string_view to) { part(to, 0, int{0}); }

    template <class T> void part(std::string_view name, std::uint8_t revision, const T& data) {
        PartHead head;
        clear(head);
        head.size = static_cast<std::uint16_t>(sizeof(head) + aligned(sizeof(T)));
        copy_text(head.name, name);
        head.revision = revision;
        append(head);
        append(data);
        out_.resize(aligned(out_.size()));
    }
    template <class T> void append(const T& value) {
        const auto* const bytes = reinterpret_cast<const std::byte*>(&value);
        out_.insert(out_.end(), bytes, bytes + sizeof(T));
    }
    template <class Entry> void set_offsets() {
        Entry entry;
        std::memcpy(&entry, out_.data(), sizeof(entry));
        entry.target_offset = static_cast<std::uint16_t>(target_offset_);
        entry.next_offset = static_cast<std::uint16_t>(out_.size());
        std::memcpy(out_.data(), &entry, sizeof(entry));
    }
    void refuse(std::string_view word, std::string_view reason,
                std::errc error = std::errc::invalid_argument) {
        if (!problem_) problem_ = RuleProblem{std::string(word), std::string(reason), error};
    }

    Family family_;
    SetNames& sets_;
    std::vector<std::byte> out_;
    std::size_t target_offset_{};
    std::optional<RuleProblem> problem_;
};

} // namespace

boost::system::result<std::vector<std::byte>, RuleProblem>
encode_entry(Family family, const ParsedRule& rule, SetNames& sets) {
    Encoder encoder(family, sets);
    encoder.header(rule);
    for (const Match& match : rule.matches)
        std::visit(encoder, match);
    encoder.begin_target();
    std::visit(encoder, rule.target);
    return encoder.finish();
}

} // namespace ipvsproxy::iptables
