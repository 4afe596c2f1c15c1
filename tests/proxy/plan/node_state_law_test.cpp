// What holds for every sequence of changes.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "proxy/plan/order.h"
#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;

namespace {

Address numbered(int net, int host) {
    const std::array<std::uint8_t, 4> bytes{10, static_cast<std::uint8_t>(net),
                                            static_cast<std::uint8_t>(host >> 8),
                                            static_cast<std::uint8_t>(host & 0xff)};
    return *Address::from_bytes(bytes);
}

/// Few names, addresses and ports, so that services share and contest what they ask for.
class Chance {
public:
    explicit Chance(std::uint32_t seed) : random_{seed} {}
    int number(int below) { return std::uniform_int_distribution{0, below - 1}(random_); }
    template <class T> void shuffle(std::vector<T>& values) {
        std::ranges::shuffle(values, random_);
    }

    model::ObjectName name() { return {"ns", std::string(1, static_cast<char>('a' + number(6)))}; }

    Contribution contribution() {
        Contribution wish;
        if (number(4) == 0) return wish;
        wish.created = std::chrono::sys_seconds{std::chrono::seconds{number(3)}};
        std::map<ipvs::ServiceKey, VirtualServer> servers;
        for (int i = number(4); i >= 0; --i) {
            const auto one = server();
            servers.emplace(one.key, one);
        }
        std::set<SetEntry> entries;
        for (const auto& [key, one] : servers) {
            wish.virtual_servers.push_back(one);
            entries.insert(binding(key.address));
            entries.emplace(SetId{SetRole::cluster_ip, Family::v4},
                            ipset::Entry{key.address, key.protocol, key.port, {}});
            if (number(3) == 0) wish.guarded.push_back({key.address, key.protocol, key.port});
        }
        wish.entries.assign(entries.begin(), entries.end());
        return wish;
    }

    /// What others do to the kernel.
    void tamper(NodeSnapshot& kernel) {
        const auto one = server();
        if (number(2) == 0) {
            kernel.services.erase(one.key);
            erase_if(kernel.destinations.specs,
                     [&](const auto& each) { return each.first.service == one.key; });
        } else {
            kernel.services[one.key].scheduler = "wlc";
            for (const auto& at : one.destinations)
                kernel.destinations.specs[{one.key, at.address, at.port}].weight = number(2);
        }
        kernel.device.addresses[{numbered(9, number(3)), 32}] = {};
        kernel.device.addresses.erase({one.key.address, 32});
        if (auto set = kernel.sets.find("KUBE-CLUSTER-IP"); set != kernel.sets.end()) {
            if (number(4) == 0) kernel.sets.erase(set);
            else set->second.entries.insert({one.key.address, Protocol::sctp, Port{1}, {}});
        }
        kernel.chains.v4[{iptables::TableName::nat, "KUBE-SERVICES"}].emplace_back("-j ACCEPT");
        if (number(2) == 0) kernel.chains.v4.erase({iptables::TableName::filter, "INPUT"});
    }

private:
    VirtualServer server() {
        VirtualServer one;
        one.key = {numbered(96, number(3)), Port{static_cast<std::uint16_t>(80 + number(2))}};
        if (number(3) == 0) one.spec.timeout_seconds = 30;
        std::set<AddressPort> at;
        for (int i = number(4); i > 0; --i)
            at.insert({numbered(244, number(5)), Port{8080}});
        one.destinations.assign(at.begin(), at.end());
        return one;
    }

    std::mt19937 random_;
};

using Wishes = std::map<model::ObjectName, Contribution>;

NodeState at_once(const Wishes& wishes, Chance& chance) {
    std::vector<model::ObjectName> names;
    for (const auto& [name, wish] : wishes)
        names.push_back(name);
    chance.shuffle(names);
    NodeState state{{}};
    for (const auto& name : names)
        state.replace(name, Contribution{wishes.at(name)});
    return state;
}

} // namespace

TEST_CASE("the desired state does not depend on the way to it", "[plan]") {
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        Chance chance{seed};
        NodeState state{{}};
        Wishes last;
        for (int i = 0; i < 40; ++i) {
            const auto name = chance.name();
            auto wish = chance.contribution();
            last[name] = wish;
            state.replace(name, std::move(wish));
        }
        const auto expected = at_once(last, chance);
        REQUIRE(text(state.desired()) == text(expected.desired()));
        for (const auto& [key, wanted] : state.services().wanted())
            REQUIRE(*state.owner(key) == *expected.owner(key));
        std::erase_if(last, [](const auto& wish) { return wish.second.empty(); });
        REQUIRE(state.contributions() == last);
        for (const auto& [name, wish] : last)
            state.replace(name, {});
        REQUIRE(text(state.desired()) == text(NodeState{{}}.desired()));
    }
}

TEST_CASE("whatever the kernel holds, the changes lead to the desired state", "[plan]") {
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        Chance chance{seed};
        NodeState state{{}};
        NodeSnapshot kernel;
        for (int round = 0; round < 12; ++round) {
            for (int i = chance.number(4); i > 0; --i)
                state.replace(chance.name(), chance.contribution());
            if (chance.number(2) == 0) {
                chance.tamper(kernel);
                state.observe(kernel);
            }
            const auto changes = state.changes();
            patch(kernel, changes);
            learn(state, changes);
            REQUIRE(text(kernel) == text(state.desired()));
            REQUIRE(state.changes().empty());
            REQUIRE(state.observe(kernel) == 0);
            REQUIRE(state.changes().empty());
        }
    }
}

TEST_CASE("D-09 a change of one service among ten thousand touches its own keys", "[plan]") {
    const auto wish = [](int number, int endpoints) {
        Contribution one;
        VirtualServer server;
        server.key = {numbered(96, number), Port{80}};
        for (int i = 0; i < endpoints; ++i)
            server.destinations.push_back(
                {numbered(128 + number % 100, number / 100 * 8 + i), Port{80}});
        one.virtual_servers = {server};
        one.entries = {
            {{SetRole::cluster_ip, Family::v4}, {server.key.address, Protocol::tcp, Port{80}, {}}},
            binding(server.key.address)};
        return one;
    };
    const auto name = [](int number) { return model::ObjectName{"ns", std::to_string(number)}; };
    NodeState state{{}};
    for (int i = 0; i < 10000; ++i)
        state.replace(name(i), wish(i, 3));
    CHECK(state.destinations().wanted().size() == 30000);
    learn(state, state.changes());
    REQUIRE(state.changes().empty());

    state.replace(name(5000), wish(5000, 4));
    CHECK(state.destinations().differences().size() == 1);
    CHECK(state.services().differences().empty());
    CHECK(state.addresses().differences().empty());
    CHECK(state.changes().size() == 1);
}
