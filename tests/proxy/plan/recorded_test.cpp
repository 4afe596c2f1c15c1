// What kube-proxy 1.36 left in the kernel for recorded inputs, against what we derive from them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "proxy/api/decode.h"
#include "proxy/plan/rules.h"
#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;

namespace {

const std::filesystem::path cases{"tests/parity/cases"}; // the test runs at the top of the tree

std::string read(const std::filesystem::path& file) {
    std::ifstream in{file};
    if (!in) throw std::runtime_error{"cannot read " + file.string()};
    return {std::istreambuf_iterator<char>{in}, {}};
}

Lines lines_of(const std::string& text) {
    Lines lines;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

/// The settings of a case's config.yaml, and the interfaces of its setup.sh.
struct Place {
    Settings settings;
    std::vector<InterfaceAddress> interfaces{{"eth0", ip("192.168.10.11")},
                                             {"eth0", ip("fd00:10::11")},
                                             {"eth0", ip("fe80::ff:fe00:11")},
                                             {"lo", ip("127.0.0.1")},
                                             {"lo", ip("::1")}};
};

Place place_of(const std::string& name) {
    Place place;
    auto& settings = place.settings;
    const auto own = [&](const char* interface, const char* address) {
        place.interfaces.push_back({interface, ip(address)});
    };
    if (name.starts_with("19-")) own("cni0", "10.244.1.1");
    if (name.starts_with("20-")) settings.masquerade_all = true;
    if (name.starts_with("21a-")) settings.local.v4.cidr = Prefix::parse("10.244.0.0/16");
    if (name.starts_with("21c-"))
        settings.local = {{.cidr = Prefix::parse("10.244.1.0/24")},
                          {.cidr = Prefix::parse("fd00:244:1::/64")}};
    if (name.starts_with("22-scheduler-")) settings.scheduler = name.substr(13);
    if (name.starts_with("24-"))
        settings.exclude_cidrs = {*Prefix::parse("172.20.0.0/16"), *Prefix::parse("fd00:99::/64")};
    if (name.starts_with("25")) {
        own("eth1", "172.16.5.11");
        own("eth1", "fd00:16::11");
    }
    if (name.starts_with("25b-")) settings.node_port_cidrs.v4 = {*Prefix::parse("172.16.0.0/16")};
    if (name.starts_with("30-")) own("lo", "10.244.1.10");
    if (name.starts_with("31-")) settings.masquerade_bit = 5;
    return place;
}

NodeState derive(const std::string& name, const std::filesystem::path& recording) {
    const auto [settings, interfaces] = place_of(name);
    NodeFacts node{.name = model::Symbol{"node-1"}, .ip = {ip("192.168.10.11"), ip("fd00:10::11")}};
    take_interfaces(node, settings, interfaces);
    model::Store store;
    const auto problem = api::decode_json(
        read(recording / "objects-server.json"),
        [&](api::Decoded&& decoded) {
            REQUIRE(decoded.object.has_value());
            if (auto* service = std::get_if<model::Service>(&*decoded.object)) store.put(*service);
            if (auto* some = std::get_if<model::EndpointSlice>(&*decoded.object)) store.put(*some);
            if (auto* itself = std::get_if<model::Node>(&*decoded.object)) node.zone = itself->zone;
        },
        api::Origin::server);
    CHECK_FALSE(problem.has_value());
    NodeState state{settings};
    for (const auto& [service, object] : store.services())
        state.replace(service, contribution(object, store.slices(service), node, settings));
    return state;
}

using Text = std::map<std::string, std::set<std::string>>; ///< heading → what stands under it

/// Lines of `ipvsadm -S -n`: real servers under their virtual server, the two in no order.
Text servers(const Lines& lines) {
    Text all;
    std::string last;
    for (const auto& line : lines)
        if (line.starts_with("-A -")) all[last = line];
        else if (line.starts_with("-a -")) all[last].insert(line);
    return all;
}

/// Without what `ipset save` tells of a set's present size.
std::set<std::string> sets(const Lines& lines) {
    std::set<std::string> all;
    for (auto line : lines) {
        if (!line.starts_with("create ") && !line.starts_with("add ")) continue;
        for (const std::string_view word : {" hashsize ", " bucketsize "})
            if (const auto at = line.find(word); at != std::string::npos)
                line.erase(at, line.find(' ', at + word.size()) - at);
        all.insert(line);
    }
    return all;
}

/// iptables-save's chains, without the counters' lines.
iptables::Chains recorded_chains(const Lines& lines) {
    iptables::Chains all;
    auto table = iptables::TableName::nat;
    for (const auto& line : lines) {
        if (line == "*nat") table = iptables::TableName::nat;
        if (line == "*filter") table = iptables::TableName::filter;
        if (line.starts_with(":KUBE")) all[{table, line.substr(1, line.find(' ') - 1)}];
        if (!line.starts_with("-A ")) continue;
        const auto end = line.find(' ', 3);
        all[{table, line.substr(3, end - 3)}].push_back(line.substr(end + 1));
    }
    return all;
}

/// Order means nothing among the rules of KUBE-IPVS-OUT-FILTER, and kube-proxy's is random.
iptables::Chains sorted_out_filter(iptables::Chains chains) {
    std::ranges::sort(chains[{iptables::TableName::filter, "KUBE-IPVS-OUT-FILTER"}]);
    return chains;
}

/// Ours, less the one rule that lets echo requests through (D-01).
iptables::Chains without_echo(iptables::Chains chains) {
    auto& filter = chains[{iptables::TableName::filter, "KUBE-IPVS-FILTER"}];
    CHECK(std::erase_if(filter, [](const auto& rule) {
              return rule == "-p icmp -m icmp --icmp-type 8 -j RETURN" ||
                     rule == "-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j RETURN";
          }) == 1);
    return chains;
}

Lines addresses(const NodeSnapshot& state) {
    Lines all;
    for (const auto& [key, spec] : state.device.addresses) {
        CHECK(spec.deprecated == (key.address.family() == Family::v6)); // D-22
        all.push_back(std::string{"kube-ipvs0 "} +
                      (key.address.family() == Family::v4 ? "inet " : "inet6 ") +
                      key.address.text() + '/' + std::to_string(key.prefix_length));
    }
    std::ranges::sort(all);
    return all;
}

Lines recorded_addresses(const Lines& lines) {
    Lines all;
    for (const auto& line : lines)
        all.push_back(line.substr(0, line.find(" scope")));
    std::ranges::sort(all);
    return all;
}

/// Virtual servers of others that the case's setup made and excludeCIDRs kept.
void forget_foreign(const std::string& name, Text& recorded) {
    if (!name.starts_with("24-")) return;
    std::erase_if(recorded, [](const auto& server) {
        return server.first.find("172.20.") != std::string::npos ||
               server.first.find("fd00:99:") != std::string::npos ||
               server.first.starts_with("-A -f ");
    });
}

/// Real servers that the recording shows on their way out.
void forget_leaving(Text& recorded) {
    for (auto& [server, all] : recorded)
        std::erase_if(all, [](const std::string& one) { return one.ends_with(" -w 0"); });
}

std::string joined(const Text& all) {
    std::string out;
    for (const auto& [heading, lines] : all) {
        out += heading + '\n';
        for (const auto& line : lines)
            out += line + '\n';
    }
    return out;
}

void compare(const std::string& name, const std::filesystem::path& recording) {
    INFO(recording);
    auto state = derive(name, recording);
    const auto desired = state.desired();
    const auto ours = lines_of(text(desired));
    auto recorded = servers(lines_of(read(recording / "ipvs.txt")));
    forget_foreign(name, recorded);
    forget_leaving(recorded);
    CHECK(joined(servers(ours)) == joined(recorded));
    CHECK(sets(ours) == sets(lines_of(read(recording / "ipset.txt"))));
    CHECK(addresses(desired) ==
          recorded_addresses(lines_of(read(recording / "kube-ipvs0-addr.txt"))));
    for (const auto family : families) {
        const auto* file = family == Family::v4 ? "iptables.txt" : "ip6tables.txt";
        const auto seen = recorded_chains(lines_of(read(recording / file)));
        CHECK(without_echo(sorted_out_filter(desired.chains[family])) == sorted_out_filter(seen));
        // Only the chain with the rule of our own is written on a node taken over from kube-proxy.
        const auto changes = rule_changes(seen, desired.chains[family]);
        CHECK(changes.insert.empty());
        CHECK(changes.replace.size() == 1);
    }
}

} // namespace

TEST_CASE("P-051 D-01 D-22 the desired state is the one kube-proxy left", "[plan][recorded]") {
    std::size_t compared = 0;
    for (const auto& folder : std::filesystem::directory_iterator{cases}) {
        ++compared;
        const auto name = folder.path().filename().string();
        DYNAMIC_SECTION(name) {
            compare(name, folder.path() / "out");
            const auto steps = folder.path() / "out" / "steps";
            if (!std::filesystem::exists(steps)) continue;
            for (const auto& step : std::filesystem::directory_iterator{steps})
                compare(name, step.path());
        }
    }
    CHECK(compared > 25);
}
