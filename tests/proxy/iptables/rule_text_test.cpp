#include <catch2/catch.hpp>

#include "proxy/iptables/rule_text.h"
#include "tests/proxy/iptables/recorded_rules.h"

namespace ipvsproxy::iptables {
namespace {

RuleProblem problem_of(std::string_view text) {
    const auto rule = parse_rule(text);
    REQUIRE(rule.has_error());
    return rule.error();
}

TEST_CASE("every rule kube-proxy was seen to write is read and printed to the letter",
          "[iptables]") {
    const Family family = GENERATE(Family::v4, Family::v6);
    for (const PlacedRule& placed : all_rules(family)) {
        const auto rule = parse_rule(placed.rule);
        INFO(placed.rule);
        REQUIRE(rule.has_value());
        CHECK(print_rule(*rule) == placed.rule);
    }
}

TEST_CASE("options in another order or spelling come out as iptables-save prints them",
          "[iptables]") {
    CHECK(canonical("-j DROP -p 6 -s 10.0.0.1") == "-s 10.0.0.1/32 -p tcp -j DROP");
    CHECK(canonical("  -d 10.1.2.3/8   -j ACCEPT ") == "-d 10.0.0.0/8 -j ACCEPT");
    CHECK(canonical("-s 0.0.0.0/0 -j ACCEPT") == "-j ACCEPT");
    CHECK(canonical("! -s ::/0 -j DROP") == "! -s ::/0 -j DROP");
    CHECK(canonical("-s 2001:DB8:0::1 -j ACCEPT") == "-s 2001:db8::1/128 -j ACCEPT");
    CHECK(canonical("-m mark --mark 16384/0x4000 -j ACCEPT") ==
          "-m mark --mark 0x4000/0x4000 -j ACCEPT");
    CHECK(canonical("-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT") ==
          "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    CHECK(canonical("-m ipvs --vport 80 --vaddr 10.0.0.1 --vproto tcp -j DROP") ==
          "-m ipvs --vproto 6 --vaddr 10.0.0.1 --vport 80 -j DROP");
    CHECK(canonical("-p icmpv6 -m icmp6 --icmpv6-type 128") ==
          "-p ipv6-icmp -m icmp6 --icmpv6-type 128");
    CHECK(canonical("-m comment --comment \"word\" -j RETURN") ==
          "-m comment --comment word -j RETURN");
    CHECK(canonical("-m comment --comment \"it's\" -j RETURN") ==
          "-m comment --comment \"it\\'s\" -j RETURN");
    CHECK(canonical("").empty());
}

TEST_CASE("a rule outside the vocabulary keeps its own spelling", "[iptables]") {
    const std::string foreign = "-p tcp -m tcp --dport 22 -j LOG --log-prefix \"in: \"";
    CHECK(canonical(foreign) == foreign);
}

TEST_CASE("a refused rule names the word and what is wrong with it", "[iptables]") {
    CHECK(problem_of("-x 1").text() == "\"-x\" is not an option we know");
    CHECK(problem_of("-m tcp --dport 80").text() == "\"tcp\" is not a match we write");
    CHECK(problem_of("-s 10.0.0.256").text() == "\"10.0.0.256\" is not an address or network");
    CHECK(problem_of("-j REJECT").text() == "\"\" ends too early");
    CHECK(problem_of("-j REJECT --reject-with no").text() ==
          "\"no\" is not an answer REJECT knows");
    CHECK(problem_of("-j A -j B").text() == "\"-j\" stands twice");
    CHECK(problem_of("-m comment --comment \"open").text() == "\"open\" has no closing quote");
    CHECK(problem_of("-m set --match-set A dst,up").text() ==
          "\"dst,up\" is not a list of src, dst");
    CHECK(problem_of("-m ipvs --vport 65536").word == "--vport");
    CHECK(problem_of("-m ipvs").reason == "is not --vproto, --vaddr or --vport");
}

TEST_CASE("words that would not fit the kernel's structures are refused", "[iptables]") {
    const std::string long_name(32, 'x');
    CHECK(parse_rule("-i " + long_name.substr(0, 16)).has_error());
    CHECK(parse_rule("-i " + long_name.substr(0, 15)).has_value());
    CHECK(parse_rule("-i +").has_error());
    CHECK(parse_rule("-j " + long_name.substr(0, 29)).has_error());
    CHECK(parse_rule("-j " + long_name.substr(0, 28)).has_value());
    CHECK(parse_rule("-m set --match-set " + long_name + " src").has_error());
    CHECK(parse_rule("-m set --match-set a src,src,src,src,src,src,src").has_error());
    CHECK(parse_rule("-m comment --comment \"" + std::string(256, 'x') + "\"").has_error());
    CHECK(parse_rule("-m comment --comment \"" + std::string(255, 'x') + "\"").has_value());
}

TEST_CASE("a rule cannot smuggle a second line into iptables-restore", "[iptables]") {
    CHECK(parse_rule("-m comment --comment \"a\nCOMMIT\"").has_error());
    CHECK(parse_rule("-m comment --comment \"a\\\nCOMMIT\"").has_error());
    CHECK(parse_rule("-j DROP\n-A INPUT -j ACCEPT").has_error());
    CHECK(parse_rule(std::string("-j DROP\0", 8)).has_error());
}

TEST_CASE("nothing but matches and targets can go without a value", "[iptables]") {
    for (const char* text : {"-s",
                             "-d",
                             "-i",
                             "-o",
                             "-p",
                             "-m",
                             "-j",
                             "-g",
                             "!",
                             "-m set",
                             "-m mark --mark",
                             "-m set --match-set A",
                             "-m addrtype",
                             "-m addrtype --src-type",
                             "-m physdev",
                             "-m conntrack --ctstate",
                             "-m ipvs --vaddr",
                             "-m icmp --icmp-type",
                             "-j MARK",
                             "-j MARK --set-xmark",
                             "-m comment",
                             "-m comment --comment \"\""}) {
        INFO(text);
        CHECK(parse_rule(text).has_error());
    }
}

} // namespace
} // namespace ipvsproxy::iptables
