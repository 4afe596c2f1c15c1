#include <array>
#include <charconv>
#include <string>

#include "proxy/iptables/rule_text.h"
#include "proxy/iptables/rule_words.h"

namespace ipvsproxy::iptables {

namespace {

std::string hexadecimal(std::uint32_t number) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    return "0x" + std::string(digits.data(), end);
}

/// A word that the parser of iptables-restore takes as one: quoted when it must be.
std::string quoted(std::string_view text) {
    constexpr std::string_view plain = "_-0123456789abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos)
        return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

class Printer {
public:
    void option(bool negated, std::string_view name, std::string_view value) {
        if (negated) word("!");
        word(name);
        word(value);
    }
    void word(std::string_view text) {
        if (!out_.empty()) out_ += ' ';
        out_ += text;
    }
    std::string take() { return std::move(out_); }

    void operator()(const CommentMatch& match) {
        word("-m comment --comment");
        word(quoted(match.text));
    }
    void operator()(const SetMatch& match) {
        word("-m set");
        option(match.negated, "--match-set", match.set);
        std::string sides;
        for (const Side side : match.sides) {
            if (!sides.empty()) sides += ',';
            sides += side == Side::src ? "src" : "dst";
        }
        word(sides);
    }
    void operator()(const MarkMatch& match) {
        std::string value = hexadecimal(match.value);
        if (match.mask != 0xffffffff) value += '/' + hexadecimal(match.mask);
        word("-m mark");
        option(match.negated, "--mark", value);
    }
    void operator()(const AddrtypeMatch& match) {
        word("-m addrtype");
        if (match.source)
            option(match.source->negated, "--src-type",
                   addrtype_words(match.source->value).value_or(""));
        if (match.destination)
            option(match.destination->negated, "--dst-type",
                   addrtype_words(match.destination->value).value_or(""));
    }
    void operator()(const PhysdevMatch& match) {
        word(match.negated ? "-m physdev ! --physdev-is-in" : "-m physdev --physdev-is-in");
    }
    void operator()(const ConntrackMatch& match) {
        word("-m conntrack");
        option(match.negated, "--ctstate", state_words(match.states).value_or(""));
    }
    void operator()(const IpvsMatch& match) {
        word("-m ipvs");
        if (match.protocol) option(false, "--vproto", std::to_string(*match.protocol));
        if (match.address) option(false, "--vaddr", match.address->text());
        if (match.port) option(false, "--vport", std::to_string(match.port->value));
    }
    void operator()(const IcmpMatch& match) {
        std::string value = std::to_string(match.type);
        if (match.code) value += '/' + std::to_string(*match.code);
        const bool v4 = match.family == Family::v4;
        word(v4 ? "-m icmp" : "-m icmp6");
        option(match.negated, v4 ? "--icmp-type" : "--icmpv6-type", value);
    }
    void operator()(const ForeignMatch& match) { word(match.text); }

    void operator()(const NoTarget& /*none*/) {}
    void operator()(const Jump& jump) { option(false, jump.go_to ? "-g" : "-j", jump.to); }
    void operator()(const Reject& reject) {
        word("-j REJECT --reject-with");
        word(reject.with);
    }
    void operator()(const Masquerade& masquerade) {
        word(masquerade.random_fully ? "-j MASQUERADE --random-fully" : "-j MASQUERADE");
    }
    void operator()(const SetMark& mark) {
        word("-j MARK --set-xmark");
        word(hexadecimal(mark.value) + '/' + hexadecimal(mark.mask));
    }
    void operator()(const ForeignTarget& target) { word(target.text); }

private:
    std::string out_;
};

} // namespace

std::string print_rule(const ParsedRule& rule) {
    Printer out;
    if (rule.source) out.option(rule.source->negated, "-s", rule.source->value.text());
    if (rule.destination)
        out.option(rule.destination->negated, "-d", rule.destination->value.text());
    if (rule.in) out.option(rule.in->negated, "-i", rule.in->value);
    if (rule.out) out.option(rule.out->negated, "-o", rule.out->value);
    if (rule.protocol)
        out.option(rule.protocol->negated, "-p", protocol_word(rule.protocol->value));
    for (const Match& match : rule.matches)
        std::visit(out, match);
    std::visit(out, rule.target);
    return out.take();
}

std::string canonical(std::string_view text) {
    const auto rule = parse_rule(text);
    return rule ? print_rule(*rule) : std::string(text);
}

} // namespace ipvsproxy::iptables
