#include <catch2/catch.hpp>

#include <map>

#include "proxy/iptables/legacy_bytes.h"
#include "proxy/iptables/legacy_codec.h"
#include "tests/proxy/iptables/recorded_rules.h"

namespace ipvsproxy::iptables {
namespace {

/// Sets numbered from 3 in the order they are listed.
class ListedSets final : public SetNames {
public:
    explicit ListedSets(Family family) {
        for (const TestSet& set : test_sets(family))
            names_.push_back(set.name);
    }
    std::optional<std::uint16_t> index(std::string_view name) override {
        for (std::size_t i = 0; i < names_.size(); ++i)
            if (names_[i] == name) return static_cast<std::uint16_t>(i + 3);
        return std::nullopt;
    }
    std::optional<std::string> name(std::uint16_t index) override {
        if (index < 3 || index >= names_.size() + 3) return std::nullopt;
        return names_[index - 3U];
    }

private:
    std::vector<std::string> names_;
};

ParsedRule parsed(std::string_view text) {
    auto rule = parse_rule(text);
    REQUIRE(rule.has_value());
    return *std::move(rule);
}

std::vector<std::byte> encoded(Family family, std::string_view text, SetNames& sets) {
    auto entry = encode_entry(family, parsed(text), sets);
    INFO(text << ": " << (entry ? "" : entry.error().text()));
    REQUIRE(entry.has_value());
    return *std::move(entry);
}

/// What libiptc would say of a standard target. In the kernel its name is empty; here it still is
/// the chain's, so that the name is taken out of the entry first.
std::string take_jump(std::vector<std::byte>& entry, std::string_view text) {
    const Target target = parsed(text).target;
    if (!std::holds_alternative<Jump>(target)) return {};
    const auto at = static_cast<std::ptrdiff_t>(entry.size() - 40 + offsetof(PartHead, name));
    std::fill_n(entry.begin() + at, XT_EXTENSION_MAXNAMELEN, std::byte{});
    return std::get<Jump>(target).to;
}

std::vector<std::byte> bytes(std::initializer_list<unsigned> numbers) {
    std::vector<std::byte> out;
    for (const unsigned number : numbers)
        out.push_back(static_cast<std::byte>(number));
    return out;
}

TEST_CASE("every rule becomes an entry that is read as the same text", "[iptables]") {
    const Family family = GENERATE(Family::v4, Family::v6);
    ListedSets sets(family);
    for (const PlacedRule& placed : all_rules(family)) {
        auto entry = encoded(family, placed.rule, sets);
        const auto jump = take_jump(entry, placed.rule);
        CHECK(entry.size() % 8 == 0);
        CHECK(entry_text(family, entry, jump, sets) == placed.rule);
    }
}

TEST_CASE("an entry cut off anywhere is unknown, and so is one with a wrong length inside",
          "[iptables]") {
    const Family family = GENERATE(Family::v4, Family::v6);
    ListedSets sets(family);
    for (const PlacedRule& placed : all_rules(family)) {
        auto entry = encoded(family, placed.rule, sets);
        const auto jump = take_jump(entry, placed.rule);
        for (std::size_t size = 0; size < entry.size(); size += 7)
            REQUIRE_FALSE(decode_entry(family, std::span(entry).first(size), jump, sets));
        const std::size_t head = family == Family::v4 ? sizeof(EntryHead4) : sizeof(EntryHead6);
        entry.at(head) = std::byte{31}; // the first part's length: less than its own head
        entry.at(head + 1) = std::byte{0};
        REQUIRE_FALSE(decode_entry(family, entry, jump, sets));
    }
}

TEST_CASE("any flipped byte gives another text or the same, never a fault", "[iptables]") {
    ListedSets sets(Family::v4);
    const std::string text =
        "! -s 10.244.0.0/16 ! -i cni+ -p tcp -m comment --comment \"a b\" -m set "
        "--match-set KUBE-CLUSTER-IP src,dst -m mark ! --mark 0x1/0x2 -j MARK "
        "--set-xmark 0x4000/0x4000";
    const auto entry = encoded(Family::v4, text, sets);
    REQUIRE(entry_text(Family::v4, entry, "", sets) == text);
    int changed = 0;
    for (std::size_t i = 0; i < entry.size(); ++i) {
        auto other = entry;
        other[i] ^= std::byte{0x41};
        if (entry_text(Family::v4, other, "", sets) != text) ++changed;
    }
    CHECK(changed > 100);
}

TEST_CASE("a small rule has the bytes iptables-legacy writes", "[iptables]") {
    ListedSets sets(Family::v4);
    const auto entry =
        encoded(Family::v4, "! -s 10.0.0.0/8 -p tcp -m mark --mark 0x4000/0x4000", sets);
    // linux/netfilter_ipv4/ip_tables.h: struct ipt_ip
    CHECK(std::vector(entry.begin(), entry.begin() + 16) ==
          bytes({10, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0}));
    CHECK(std::vector(entry.begin() + 80, entry.begin() + 84) == bytes({6, 0, 0, IPT_INV_SRCIP}));
    // target_offset 112 + 48, next_offset + 40
    CHECK(std::vector(entry.begin() + 88, entry.begin() + 92) == bytes({160, 0, 200, 0}));
    CHECK(std::vector(entry.begin() + 112, entry.begin() + 120) ==
          bytes({48, 0, 'm', 'a', 'r', 'k', 0, 0}));
    CHECK(entry[143] == std::byte{1}); // revision
    CHECK(std::vector(entry.begin() + 144, entry.begin() + 156) ==
          bytes({0, 0x40, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0}));
    CHECK(entry.size() == 200);
}

TEST_CASE("what an entry cannot hold is refused by name", "[iptables]") {
    ListedSets sets(Family::v4);
    const auto refused = [&](std::string_view text) {
        return encode_entry(Family::v4, *parse_rule(text), sets).error();
    };
    CHECK(refused("-s ::1/128 -j RETURN").text() == "\"::1\" is of the other IP family");
    CHECK(refused("-m ipvs --vaddr ::1 -j RETURN").word == "::1");
    CHECK(refused("-m icmp6 --icmpv6-type 128 -j RETURN").error == std::errc::invalid_argument);
    CHECK(refused("-j REJECT --reject-with icmp6-no-route").word == "icmp6-no-route");
    CHECK(refused("-m set --match-set NONE dst -j RETURN") ==
          RuleProblem{"NONE", "is not a set of this IP family",
                      std::errc::no_such_file_or_directory});
}

TEST_CASE("an unknown rule keeps its digest while only counters and offsets change", "[iptables]") {
    ListedSets sets(Family::v4);
    auto entry = encoded(Family::v4, "-m mark --mark 0x1 -j RETURN", sets);
    take_jump(entry, "-j RETURN");
    entry.at(112 + 2) = std::byte{'M'}; // a match called "Mark"
    const auto text = entry_text(Family::v4, entry, "KUBE-X", sets);
    CHECK(text.starts_with("(unknown rule of 200 bytes, digest "));
    entry.at(96) = std::byte{9};               // packets
    entry.at(entry.size() - 8) = std::byte{9}; // the jump's offset
    CHECK(entry_text(Family::v4, entry, "KUBE-X", sets) == text);
    CHECK(entry_text(Family::v4, entry, "KUBE-Y", sets) != text);
    entry.at(145) = std::byte{9}; // the match's data
    CHECK(entry_text(Family::v4, entry, "KUBE-X", sets) != text);
}

} // namespace
} // namespace ipvsproxy::iptables
