// What holds for every sequence of changes, refusals and deaths.
#include <catch2/catch.hpp>

#include "proxy/plan/text.h"
#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/chance.h"
#include "tests/proxy/sync/paper_node.h"

using namespace ipvsproxy;
using namespace ipvsproxy::sync;
using namespace std::chrono_literals;

namespace {

/// The process dies here: no destructor tidies up the tables, nobody learns anything.
struct Killed {};

/// How many more writes the process lives for; all tables share it.
struct Life {
    std::optional<std::size_t> writes{};
    std::size_t spend(std::size_t asked) {
        if (!writes) return asked;
        const auto granted = std::min(asked, *writes);
        *writes -= granted;
        return granted;
    }
};

/// Moves as many changes as `budget` allows from one container to another.
template <class Container> void move_some(Container& from, Container& to, std::size_t& budget) {
    while (budget > 0 && !from.empty()) {
        if constexpr (requires { typename Container::mapped_type; })
            to.try_emplace(from.begin()->first, from.begin()->second);
        else to.insert(*from.begin());
        from.erase(from.begin());
        --budget;
    }
}

/// IPVS whose writer may die half-way, watched for harm to real servers that are wanted.
class WatchedIpvs : public ipvs::Table {
public:
    WatchedIpvs(ipvs::MemoryTable& held, Life& life) : held_{held}, life_{life} {}
    Cluster* cluster{}; ///< says what is wanted
    std::vector<std::string> harm;

    ipvs::Services services() override { return held_.services(); }
    ipvs::ObservedDestinations destinations(std::span<const ipvs::ServiceKey> keys) override {
        return held_.destinations(keys);
    }
    ipvs::Outcome apply(const ipvs::TableChanges& changes) override {
        watch(changes);
        const auto asked = changes.services.size() + changes.destinations.size();
        auto budget = life_.spend(asked);
        if (budget == asked) return held_.apply(changes);
        auto rest = changes;
        ipvs::TableChanges some;
        move_some(rest.services.add, some.services.add, budget);
        move_some(rest.services.update, some.services.update, budget);
        move_some(rest.destinations.add, some.destinations.add, budget);
        move_some(rest.destinations.update, some.destinations.update, budget);
        move_some(rest.destinations.remove, some.destinations.remove, budget);
        move_some(rest.services.remove, some.services.remove, budget);
        held_.apply(some);
        throw Killed{};
    }
    ipvs::Timeouts timeouts() override { return held_.timeouts(); }
    void set_timeouts(const ipvs::Timeouts& timeouts) override { held_.set_timeouts(timeouts); }

private:
    void watch(const ipvs::TableChanges& changes) {
        if (cluster == nullptr) return;
        const auto& state = cluster->state();
        for (const auto& key : changes.services.remove)
            if (state.services().wanted(key) != nullptr) harm.push_back("- " + key.text());
        for (const auto& key : changes.destinations.remove)
            if (state.destinations().wanted(key) != nullptr) harm.push_back("- " + key.text());
        for (const auto& [key, spec] : changes.destinations.update)
            if (spec.weight == 0 && state.destinations().wanted(key) != nullptr)
                harm.push_back("weight 0 " + key.text());
    }

    ipvs::MemoryTable& held_;
    Life& life_;
};

class MortalDevice : public Device {
public:
    MortalDevice(MemoryDevice& held, Life& life) : held_{held}, life_{life} {}
    const std::string& name() const override { return held_.name(); }
    bool present() override { return held_.present(); }
    DeviceState snapshot() override { return held_.snapshot(); }
    void create() override {
        if (life_.spend(1) == 0) throw Killed{};
        held_.create();
    }
    void destroy() override { held_.destroy(); }
    DeviceOutcome apply(const DeviceAddressChanges& changes) override {
        auto budget = life_.spend(changes.size());
        if (budget == changes.size()) return held_.apply(changes);
        auto rest = changes;
        DeviceAddressChanges some;
        move_some(rest.remove, some.remove, budget);
        move_some(rest.update, some.update, budget);
        move_some(rest.add, some.add, budget);
        held_.apply(some);
        throw Killed{};
    }

private:
    MemoryDevice& held_;
    Life& life_;
};

class MortalSets : public ipset::Table {
public:
    MortalSets(ipset::MemoryTable& held, Life& life) : held_{held}, life_{life} {}
    ipset::SetHeaders headers() override { return held_.headers(); }
    std::optional<ipset::Entries> entries(const std::string& name) override {
        return held_.entries(name);
    }
    ipset::Outcome apply(const ipset::TableChanges& changes) override {
        auto budget = life_.spend(changes.sets.size());
        if (budget == changes.sets.size()) return held_.apply(changes);
        auto rest = changes.sets;
        ipset::TableChanges some;
        move_some(rest, some.sets, budget);
        held_.apply(some);
        throw Killed{};
    }

private:
    ipset::MemoryTable& held_;
    Life& life_;
};

class MortalRules : public iptables::Tables {
public:
    MortalRules(iptables::MemoryTables& held, Life& life) : held_{held}, life_{life} {}
    Family family() const override { return held_.family(); }
    iptables::Backend backend() const override { return held_.backend(); }
    bool random_fully() const override { return held_.random_fully(); }
    iptables::Chains snapshot() override { return held_.snapshot(); }
    std::vector<iptables::TableRefusal> apply(const iptables::TableChanges& changes) override {
        if (life_.spend(1) == 0) throw Killed{};
        return held_.apply(changes);
    }

private:
    iptables::MemoryTables& held_;
    Life& life_;
};

/// Tables whose writer may die and is watched.
struct Mortal {
    Life life;
    PaperTables tables;
    MortalDevice device{tables.device, life};
    WatchedIpvs ipvs{tables.ipvs, life};
    MortalSets sets{tables.ipset, life};
    MortalRules v4{tables.rules.v4, life}, v6{tables.rules.v6, life};
    Kernel kernel{device, ipvs, sets, {&v4, &v6}, tables.flows};
};

/// What these objects come to when they are applied at once to an empty node.
std::string at_once(const model::Store& store, const std::vector<InterfaceAddress>& elsewhere) {
    PaperNode node;
    node.tables.device.state().elsewhere = elsewhere;
    for (const auto& [name, service] : store.services())
        node.store().put(service);
    for (const auto& [name, slices] : store.all_slices())
        for (const auto& [slice, object] : slices)
            node.store().put(object);
    node.adopt();
    CHECK(node.round().clean());
    CHECK(node.audit() == 0);
    CHECK(node.tables.text() == node.wanted());
    return node.tables.text();
}

/// The next write of something that is there, or may soon be, is refused.
void refuse_something(Chance& chance, PaperTables& tables) {
    const auto last = std::to_string(10 + chance.number(8));
    const auto address = plan::ip("10.96.0." + last);
    const auto error = std::make_error_code(
        chance.of(std::vector{std::errc::not_enough_memory, std::errc::file_exists,
                              std::errc::no_such_process, std::errc::operation_not_permitted}));
    switch (chance.number(7)) {
    case 0:
        return tables.device.refuse({address, 32}, error);
    case 1:
        return tables.ipvs.refuse(ipvs::ServiceKey{address, Port{80}},
                                  static_cast<std::errc>(error.value()));
    case 2:
        return tables.ipvs.refuse(
            ipvs::DestinationKey{ipvs::ServiceKey{address, Port{80}},
                                 plan::ip("10.244.0." + std::to_string(1 + chance.number(6))),
                                 Port{8080}},
            static_cast<std::errc>(error.value()));
    case 3:
        return tables.ipset.refuse(
            {"KUBE-CLUSTER-IP", ipset::Entry{address, Protocol::tcp, Port{80}, {}}}, error);
    case 4:
        return tables.rules.v4.refuse(
            chance.one_in(2) ? iptables::TableName::nat : iptables::TableName::filter, error);
    case 5:
        return tables.ipvs.lose_next_outcome();
    default:
        return tables.ipset.lose_outcome("KUBE-CLUSTER-IP");
    }
}

void relent(PaperTables& tables) {
    tables.ipvs.relent();
    for (int i = 10; i < 18; ++i) {
        const auto address = plan::ip("10.96.0." + std::to_string(i));
        tables.device.refuse({address, 32}, {});
        tables.ipset.accept(
            {"KUBE-CLUSTER-IP", ipset::Entry{address, Protocol::tcp, Port{80}, {}}});
    }
    for (const auto table : {iptables::TableName::nat, iptables::TableName::filter})
        tables.rules.v4.refuse(table, {});
}

void tamper(Chance& chance, PaperTables& tables) {
    const auto key =
        ipvs::ServiceKey{plan::ip("10.96.0." + std::to_string(10 + chance.number(8))), Port{80}};
    switch (chance.number(6)) {
    case 0:
        return tables.ipvs.drop(key);
    case 1:
        return tables.ipvs.put(key, ipvs::ServiceSpec{.scheduler = "sed"});
    case 2:
        return tables.ipvs.put({key, plan::ip("10.244.0.3"), Port{8080}}, {.weight = 3});
    case 3:
        tables.device.state().addresses.erase({key.address, 32});
        return;
    case 4:
        if (const auto set = tables.ipset.tamper().find("KUBE-CLUSTER-IP");
            set != tables.ipset.tamper().end())
            set->second.entries.clear();
        return;
    default:
        return tables.rules.v4.tamper({iptables::TableName::nat, "KUBE-SERVICES"}, {});
    }
}

void add_traffic(Chance& chance, ipvs::MemoryTable& table) {
    for (const auto& [key, spec] : table.held_destinations())
        if (chance.one_in(4)) table.connect(key, {.active_connections = 1});
}

void end_traffic(ipvs::MemoryTable& table) {
    for (const auto& [key, spec] : table.held_destinations())
        table.connect(key, {});
}

} // namespace

TEST_CASE("any sequence of changes ends where the last objects lead at once", "[sync]") {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        Chance chance{seed};
        PaperNode node;
        node.adopt();
        for (int step = 0; step < 60; ++step) {
            chance.change(node.store());
            if (chance.one_in(3)) {
                const auto report = node.round_in(chance.one_in(2) ? 0s : 1s);
                REQUIRE(report.clean());
                REQUIRE(node.audit() == 0);
            }
        }
        node.settle();
        REQUIRE(node.tables.text() == at_once(node.store(), node.tables.device.state().elsewhere));
        REQUIRE(node.cluster().take_round(node.now).changes.empty());
    }
}

TEST_CASE("so it does with refusals, losses, tampering, traffic and moving interfaces", "[sync]") {
    for (std::uint32_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        Chance chance{seed};
        Mortal mortal;
        model::Store store;
        PaperNode node{mortal.kernel, store};
        node.adopt();
        mortal.ipvs.cluster = &node.cluster();
        auto& elsewhere = mortal.tables.device.state().elsewhere;
        const auto home = elsewhere;
        for (int step = 0; step < 60; ++step) {
            chance.change(store);
            if (chance.one_in(5)) refuse_something(chance, mortal.tables);
            if (chance.one_in(8)) relent(mortal.tables);
            if (chance.one_in(6)) tamper(chance, mortal.tables);
            if (chance.one_in(5)) add_traffic(chance, mortal.tables.ipvs);
            if (chance.one_in(10)) {
                elsewhere = home;
                if (chance.one_in(2)) elsewhere.push_back({"eth1", plan::ip("198.51.100.1")});
                node.cluster().set_interfaces(elsewhere);
            }
            if (chance.one_in(4)) node.audit(1 + chance.number(5));
            if (chance.one_in(2)) {
                const auto report = node.round_in(std::chrono::seconds{chance.number(3)});
                if (chance.one_in(2)) node.audit(report.doubtful);
            }
        }
        relent(mortal.tables);
        end_traffic(mortal.tables.ipvs);
        node.now += 1h;
        node.audit();
        node.settle();
        node.audit(); // a lost outcome may have been the last thing that happened
        node.settle();
        const auto expected = at_once(store, elsewhere);
        const auto wrong = differing_lines(mortal.tables.text(), expected);
        CHECK(wrong.empty());
        for (const auto& line : wrong)
            UNSCOPED_INFO(line);
        REQUIRE(wrong.empty());
        REQUIRE(node.audit() == 0);
        REQUIRE(mortal.ipvs.harm == std::vector<std::string>{});
        REQUIRE_FALSE(node.cluster().next_due(node.now));
    }
}

TEST_CASE("killed at any write and started again, it converges without harm", "[sync]") {
    std::size_t deaths = 0;
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        Chance chance{seed};
        Mortal mortal;
        model::Store store;
        std::optional<PaperNode> node;
        for (int step = 0; step < 50; ++step) {
            for (auto changes = chance.number(4); changes > 0; --changes)
                chance.change(store);
            if (chance.one_in(3)) add_traffic(chance, mortal.tables.ipvs);
            if (!node) {
                node.emplace(mortal.kernel, store);
                node->adopt();
            }
            mortal.ipvs.cluster = &node->cluster();
            mortal.life.writes = chance.number(step == 0 ? 80 : 12);
            try {
                node->round_in(1s);
            } catch (const Killed&) {
                ++deaths;
                mortal.ipvs.cluster = nullptr;
                node.reset();
            }
            REQUIRE(mortal.ipvs.harm == std::vector<std::string>{});
        }
        mortal.life.writes.reset();
        node.reset();
        node.emplace(mortal.kernel, store);
        node->adopt();
        end_traffic(mortal.tables.ipvs);
        node->settle();
        REQUIRE(mortal.tables.text() == at_once(store, mortal.tables.device.state().elsewhere));
        REQUIRE(node->audit() == 0);
    }
    CHECK(deaths > 300);
}
