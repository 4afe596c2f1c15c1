// The text of a rule taken apart, and put together again in the one spelling iptables-save uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

#include <boost/system/result.hpp>

#include "netlink/ip.h"

namespace ipvsproxy::iptables {

/// One condition, or with `negated` its opposite ("! -s 10.244.0.0/16").
template <class T> struct Condition {
    T value{};
    bool negated{};
    friend bool operator==(const Condition&, const Condition&) = default;
};

/// `-m comment --comment "text"`; 1 to 255 bytes without control characters.
struct CommentMatch {
    std::string text;
    friend bool operator==(const CommentMatch&, const CommentMatch&) = default;
};

enum class Side : std::uint8_t { src, dst };

/// `-m set [!] --match-set NAME dst,dst,src`; one side for each dimension, 6 at most.
struct SetMatch {
    std::string set;
    std::vector<Side> sides{};
    bool negated{};
    friend bool operator==(const SetMatch&, const SetMatch&) = default;
};

/// `-m mark [!] --mark value/mask`
struct MarkMatch {
    std::uint32_t value{};
    std::uint32_t mask{0xffffffff};
    bool negated{};
    friend bool operator==(const MarkMatch&, const MarkMatch&) = default;
};

/// `-m addrtype [!] --src-type LOCAL [!] --dst-type LOCAL`; XT_ADDRTYPE_* bits.
struct AddrtypeMatch {
    std::optional<Condition<std::uint16_t>> source{}, destination{};
    friend bool operator==(const AddrtypeMatch&, const AddrtypeMatch&) = default;
};

/// `-m physdev [!] --physdev-is-in`
struct PhysdevMatch {
    bool negated{};
    friend bool operator==(const PhysdevMatch&, const PhysdevMatch&) = default;
};

/// `-m conntrack [!] --ctstate NEW,RELATED`; XT_CONNTRACK_STATE_* bits.
struct ConntrackMatch {
    std::uint16_t states{};
    bool negated{};
    friend bool operator==(const ConntrackMatch&, const ConntrackMatch&) = default;
};

/// `-m ipvs --vproto 6 --vaddr 10.0.0.1 --vport 80`
struct IpvsMatch {
    std::optional<std::uint8_t> protocol{}; ///< IANA number
    std::optional<Address> address{};
    std::optional<Port> port{};
    friend bool operator==(const IpvsMatch&, const IpvsMatch&) = default;
};

/// `-m icmp --icmp-type 8[/0]`, or for IPv6 `-m icmp6 --icmpv6-type 128[/0]`
struct IcmpMatch {
    Family family{};
    std::uint8_t type{};
    std::optional<std::uint8_t> code{};
    bool negated{};
    friend bool operator==(const IcmpMatch&, const IcmpMatch&) = default;
};

/// A match of somebody else's rule: it can be shown (`-m tcp --dport 80`), not written.
struct ForeignMatch {
    std::string text;
    friend bool operator==(const ForeignMatch&, const ForeignMatch&) = default;
};

using Match = std::variant<CommentMatch, SetMatch, MarkMatch, AddrtypeMatch, PhysdevMatch,
                           ConntrackMatch, IpvsMatch, IcmpMatch, ForeignMatch>;

/// No target: the rule only counts.
struct NoTarget {
    friend bool operator==(const NoTarget&, const NoTarget&) = default;
};

/// `-j CHAIN`, `-j ACCEPT`, `-j DROP`, `-j RETURN`, or `-g CHAIN`
struct Jump {
    std::string to;
    bool go_to{};
    friend bool operator==(const Jump&, const Jump&) = default;
};

/// `-j REJECT --reject-with icmp-port-unreachable`
struct Reject {
    std::string with;
    friend bool operator==(const Reject&, const Reject&) = default;
};

/// `-j MASQUERADE [--random-fully]`
struct Masquerade {
    bool random_fully{};
    friend bool operator==(const Masquerade&, const Masquerade&) = default;
};

/// `-j MARK --set-xmark value/mask`: mark = (mark & ~mask) ^ value
struct SetMark {
    std::uint32_t value{};
    std::uint32_t mask{0xffffffff};
    friend bool operator==(const SetMark&, const SetMark&) = default;
};

/// A target of somebody else's rule, only to be shown.
struct ForeignTarget {
    std::string text;
    friend bool operator==(const ForeignTarget&, const ForeignTarget&) = default;
};

using Target = std::variant<NoTarget, Jump, Reject, Masquerade, SetMark, ForeignTarget>;

struct ParsedRule {
    std::optional<Condition<Prefix>> source{}, destination{};
    std::optional<Condition<std::string>> in, out{}; ///< an interface, "cni+" for all that begin so
    std::optional<Condition<std::uint8_t>> protocol{}; ///< IANA number
    std::vector<Match> matches{};                      ///< in the order they are tried
    Target target{};
    friend bool operator==(const ParsedRule&, const ParsedRule&) = default;
};

/// Why a rule was refused: the word that is not understood, and what is wrong with it.
struct RuleProblem {
    std::string word, reason;
    std::errc error{std::errc::invalid_argument};
    std::string text() const { return "\"" + word + "\" " + reason; }
    friend bool operator==(const RuleProblem&, const RuleProblem&) = default;
};

/// Reads what print_rule() writes; options may stand in any order. Foreign matches and targets
/// are refused. No character below space is let through, so a rule is always one line.
boost::system::result<ParsedRule, RuleProblem> parse_rule(std::string_view text);

/// The text iptables-save 1.8.9 prints, without "-A CHAIN ".
std::string print_rule(const ParsedRule& rule);

/// print_rule(parse_rule(text)), or `text` itself when it is outside our vocabulary.
std::string canonical(std::string_view text);

} // namespace ipvsproxy::iptables
