#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "proxy/iptables/rule_text.h"
#include "proxy/iptables/rule_words.h"

namespace ipvsproxy::iptables {

namespace {

// Limits of the kernel's structures, without their closing zero.
constexpr std::size_t longest_comment = 255;  // XT_MAX_COMMENT_LEN
constexpr std::size_t longest_set = 31;       // IPSET_MAXNAMELEN
constexpr std::size_t longest_interface = 15; // IFNAMSIZ
constexpr std::size_t longest_chain = 28;     // XT_EXTENSION_MAXNAMELEN
constexpr std::size_t most_sides = 6;         // IPSET_DIM_MAX

using Words = std::vector<std::string>;
using Refused = RuleProblem;
template <class T> using Parsed = boost::system::result<T, RuleProblem>;

/// Splits at spaces; inside double quotes, and after a backslash, a character stands for itself.
Parsed<Words> split_words(std::string_view text) {
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
        return Refused{"", "holds a control character"};
    Words words;
    bool in_word = false;
    bool in_quotes = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        char c = text[at];
        if (c == ' ' && !in_quotes) {
            in_word = false;
            continue;
        }
        if (!std::exchange(in_word, true)) words.emplace_back();
        if (c == '"') {
            in_quotes = !in_quotes;
            continue;
        }
        if (c == '\\' && in_quotes) {
            if (++at == text.size()) break;
            c = text[at];
        }
        words.back() += c;
    }
    if (in_quotes) return Refused{words.back(), "has no closing quote"};
    return words;
}

std::optional<Prefix> parse_network(std::string_view word) {
    if (word.find('/') != std::string_view::npos) return Prefix::parse(word);
    if (const auto address = Address::parse(word)) return Prefix(*address);
    return std::nullopt;
}

bool is_name(std::string_view word, std::size_t longest) {
    return word.size() <= longest && is_plain_name(word);
}

/// Reads one rule's words from left to right. The first problem ends it.
class Parser {
public:
    explicit Parser(Words words) : words_(std::move(words)) {}

    Parsed<ParsedRule> parse() {
        while (at_ < words_.size() && !problem_)
            clause();
        if (problem_) return *std::move(problem_);
        return std::move(rule_);
    }

private:
    using Step = void (Parser::*)();
    struct Named {
        std::string_view name;
        Step step;
    };

    void clause() {
        static constexpr std::array<Named, 8> clauses{{{"-s", &Parser::source},
                                                       {"-d", &Parser::destination},
                                                       {"-i", &Parser::in},
                                                       {"-o", &Parser::out},
                                                       {"-p", &Parser::protocol},
                                                       {"-m", &Parser::match},
                                                       {"-j", &Parser::jump},
                                                       {"-g", &Parser::go_to}}};
        negated_ = take_negation();
        choose(clauses, "is not an option we know");
    }
    void match() {
        static constexpr std::array<Named, 9> matches{{{"comment", &Parser::comment},
                                                       {"set", &Parser::set},
                                                       {"mark", &Parser::mark},
                                                       {"addrtype", &Parser::addrtype},
                                                       {"physdev", &Parser::physdev},
                                                       {"conntrack", &Parser::conntrack},
                                                       {"ipvs", &Parser::ipvs},
                                                       {"icmp", &Parser::icmp},
                                                       {"icmp6", &Parser::icmp6}}};
        if (negated_) return refuse("-m", "cannot be negated");
        choose(matches, "is not a match we write");
    }
    void jump() {
        static constexpr std::array<Named, 3> targets{{{"REJECT", &Parser::reject},
                                                       {"MASQUERADE", &Parser::masquerade},
                                                       {"MARK", &Parser::set_mark}}};
        if (!may_have_target()) return;
        const auto known = std::ranges::find(targets, peek(), &Named::name);
        if (known == targets.end()) return jump_to(false);
        ++at_;
        (this->*known->step)();
    }

    void choose(std::span<const Named> steps, std::string_view otherwise) {
        const std::string word = take();
        const auto known = std::ranges::find(steps, word, &Named::name);
        if (known == steps.end()) return refuse(word, otherwise);
        (this->*known->step)();
    }

    void source() { network(rule_.source); }
    void destination() { network(rule_.destination); }
    void in() { interface(rule_.in); }
    void out() { interface(rule_.out); }

    void network(std::optional<Condition<Prefix>>& to) {
        const std::string word = take();
        const auto prefix = parse_network(word);
        if (!prefix) return refuse(word, "is not an address or network");
        // Everything is what the kernel holds for "not asked", and prints as nothing.
        if (prefix->length() > 0 || negated_) to = {*prefix, negated_};
    }
    void interface(std::optional<Condition<std::string>>& to) {
        std::string word = take();
        if (!is_name(word, longest_interface) || word == "+")
            return refuse(word, "is not an interface name");
        to = {std::move(word), negated_};
    }
    void protocol() {
        const std::string word = take();
        const auto number = parse_protocol_word(word);
        if (!number) return refuse(word, "is not a protocol we know");
        rule_.protocol = {*number, negated_};
    }

    void comment() {
        if (!expect("--comment")) return;
        std::string text = take();
        if (text.empty() || text.size() > longest_comment)
            return refuse(text, "is not a comment of 1 to 255 bytes");
        rule_.matches.emplace_back(CommentMatch{std::move(text)});
    }
    void set() {
        SetMatch match{.set = {}, .negated = take_negation()};
        if (!expect("--match-set")) return;
        match.set = take();
        if (!is_name(match.set, longest_set)) return refuse(match.set, "is not a set's name");
        const std::string sides = take();
        for (std::string_view rest = sides; !rest.empty();) {
            const auto side = rest.substr(0, rest.find(','));
            if (side != "src" && side != "dst") return refuse(sides, "is not a list of src, dst");
            match.sides.push_back(side == "src" ? Side::src : Side::dst);
            rest.remove_prefix(std::min(rest.size(), side.size() + 1));
        }
        if (match.sides.empty() || match.sides.size() > most_sides)
            return refuse(sides, "is not a list of 1 to 6 sides");
        rule_.matches.emplace_back(std::move(match));
    }
    void mark() {
        MarkMatch match{.negated = take_negation()};
        if (expect("--mark") && masked(match.value, match.mask)) rule_.matches.emplace_back(match);
    }
    void addrtype() {
        AddrtypeMatch match;
        for (;;) {
            const bool negated = take_negation("--");
            const std::string word(peek());
            if (word != "--src-type" && word != "--dst-type") break;
            ++at_;
            const std::string types = take();
            const auto bits = parse_addrtype_words(types);
            if (!bits) return refuse(types, "is not an address type");
            (word == "--src-type" ? match.source : match.destination) = {*bits, negated};
        }
        if (!match.source && !match.destination)
            return refuse(peek(), "is not --src-type or --dst-type");
        rule_.matches.emplace_back(match);
    }
    void physdev() {
        const bool negated = take_negation();
        if (expect("--physdev-is-in")) rule_.matches.emplace_back(PhysdevMatch{negated});
    }
    void conntrack() {
        const bool negated = take_negation();
        if (!expect("--ctstate")) return;
        const std::string words = take();
        const auto states = parse_state_words(words);
        if (!states) return refuse(words, "is not a list of connection states");
        rule_.matches.emplace_back(ConntrackMatch{*states, negated});
    }
    void ipvs() {
        IpvsMatch match;
        while (peek().starts_with("--v") && !problem_)
            ipvs_option(match);
        if (match == IpvsMatch{}) return refuse(peek(), "is not --vproto, --vaddr or --vport");
        rule_.matches.emplace_back(match);
    }
    void ipvs_option(IpvsMatch& match) {
        const std::string option = take();
        const std::string word = take();
        if (option == "--vproto") match.protocol = parse_protocol_word(word);
        else if (option == "--vaddr") match.address = Address::parse(word);
        else if (const auto port = parse_number(word, 65535); option == "--vport" && port)
            match.port = Port{static_cast<std::uint16_t>(*port)};
        else return refuse(option, "is not an option of ipvs we write");
        if ((option == "--vproto" && !match.protocol) || (option == "--vaddr" && !match.address))
            refuse(word, "is not what " + option + " takes");
    }
    void icmp() { icmp_type(Family::v4, "--icmp-type"); }
    void icmp6() { icmp_type(Family::v6, "--icmpv6-type"); }
    void icmp_type(Family family, std::string_view option) {
        IcmpMatch match{.family = family, .negated = take_negation()};
        if (!expect(option)) return;
        const std::string word = take();
        const auto slash = word.find('/');
        const auto type = parse_number(std::string_view(word).substr(0, slash), 255);
        if (!type) return refuse(word, "is not a type number");
        match.type = static_cast<std::uint8_t>(*type);
        if (slash != std::string::npos) {
            const auto code = parse_number(std::string_view(word).substr(slash + 1), 255);
            if (!code) return refuse(word, "is not type/code");
            match.code = static_cast<std::uint8_t>(*code);
        }
        rule_.matches.emplace_back(match);
    }

    void go_to() {
        if (may_have_target()) jump_to(true);
    }
    bool may_have_target() {
        if (negated_) refuse("-j", "cannot be negated");
        else if (!std::holds_alternative<NoTarget>(rule_.target)) refuse("-j", "stands twice");
        return !problem_;
    }
    void jump_to(bool go_to) {
        std::string chain = take();
        if (!is_name(chain, longest_chain)) return refuse(chain, "is not a chain's name");
        rule_.target = Jump{std::move(chain), go_to};
    }
    void reject() {
        if (!expect("--reject-with")) return;
        std::string with = take();
        if (!parse_reject_word(Family::v4, with) && !parse_reject_word(Family::v6, with))
            return refuse(with, "is not an answer REJECT knows");
        rule_.target = Reject{std::move(with)};
    }
    void masquerade() {
        const bool random_fully = peek() == "--random-fully";
        if (random_fully) ++at_;
        rule_.target = Masquerade{random_fully};
    }
    void set_mark() {
        SetMark mark;
        if (expect("--set-xmark") && masked(mark.value, mark.mask)) rule_.target = mark;
    }

    /// "0x4000/0x4000", or a value alone, whose mask is all ones.
    bool masked(std::uint32_t& value, std::uint32_t& mask) {
        const std::string word = take();
        const auto slash = word.find('/');
        const auto left = parse_c_number(std::string_view(word).substr(0, slash));
        auto right = std::optional<std::uint32_t>{0xffffffff};
        if (slash != std::string::npos)
            right = parse_c_number(std::string_view(word).substr(slash + 1));
        if (!left || !right) {
            refuse(word, "is not a mark");
            return false;
        }
        value = *left;
        mask = *right;
        return true;
    }

    std::string_view peek(std::size_t ahead = 0) const {
        return at_ + ahead < words_.size() ? std::string_view(words_[at_ + ahead])
                                           : std::string_view();
    }
    std::string take() {
        if (at_ < words_.size()) return std::move(words_[at_++]);
        refuse("", "ends too early");
        return {};
    }
    /// Takes a "!" if the word after it begins with `before`.
    bool take_negation(std::string_view before = "-") {
        if (peek() != "!" || !peek(1).starts_with(before)) return false;
        ++at_;
        return true;
    }
    bool expect(std::string_view option) {
        const std::string word = take();
        if (word != option) refuse(word, "stands where " + std::string(option) + " should");
        return !problem_;
    }
    void refuse(std::string_view word, std::string_view reason) {
        if (!problem_) problem_ = Refused{std::string(word), std::string(reason)};
    }

    Words words_;
    std::size_t at_{};
    bool negated_{};
    ParsedRule rule_;
    std::optional<Refused> problem_;
};

} // namespace

boost::system::result<ParsedRule, RuleProblem> parse_rule(std::string_view text) {
    auto words = split_words(text);
    if (!words) return words.error();
    return Parser(*std::move(words)).parse();
}

} // namespace ipvsproxy::iptables
