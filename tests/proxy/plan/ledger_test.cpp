#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <random>

#include "proxy/plan/ledger_walks.h"

using namespace ipvsproxy;
using namespace ipvsproxy::plan;
using namespace std::chrono_literals;

namespace {

using Table = Ledger<int, int>;
using Map = SortedMap<int, int>;
const Moment start{1h};

/// What a ledger is to be: two whole maps, the wishes counted, and the keys that are held back.
struct Model {
    std::map<int, std::pair<int, int>> wanted; ///< key → spec, owners
    Map kernel;                                ///< believed
    std::map<int, Moment> held;

    Map specs() const {
        Map all;
        for (const auto& [key, wish] : wanted)
            all[key] = wish.first;
        return all;
    }
    /// A wish that changes frees its key; so does a kernel that is as it should be.
    void settle(int key) {
        const auto wish = wanted.find(key);
        const auto have = kernel.find(key);
        const bool same = wish == wanted.end()
                              ? have == kernel.end()
                              : have != kernel.end() && have->second == wish->second.first;
        if (same) held.erase(key);
    }
    Changes<int, int> changes(Moment now) const {
        auto all = diff(kernel, specs());
        for (const auto& [key, until] : held) {
            if (until <= now) continue;
            all.add.erase(key);
            all.update.erase(key);
            all.remove.erase(key);
        }
        return all;
    }
};

/// Makes the same move in both.
class Moves {
public:
    explicit Moves(std::uint32_t seed) : random_{seed} {}

    void make() {
        const int key = number(12), spec = number(3);
        switch (number(9)) {
        case 0:
        case 1:
            return want(key, spec);
        case 2:
            return drop(key);
        case 3:
            return alter(key, spec);
        case 4:
            return see(key, number(2) == 0 ? std::optional<int>{} : spec);
        case 5:
            return see_range(key, key + number(6));
        case 6:
            return hold(key, start + std::chrono::seconds{number(20)});
        case 7:
            return see_range(std::nullopt, std::nullopt);
        default:
            return apply(start + std::chrono::seconds{number(20)});
        }
    }

    Table table;
    Model model;

private:
    int number(int below) { return std::uniform_int_distribution{0, below - 1}(random_); }

    void want(int key, int spec) {
        table.want(key, spec);
        const auto [at, added] = model.wanted.try_emplace(key, spec, 0);
        at->second.second++;
        if (added || at->second.first != spec) model.held.erase(key);
        at->second.first = spec;
        model.settle(key);
    }
    void alter(int key, int spec) {
        const auto at = model.wanted.find(key);
        if (at == model.wanted.end()) return;
        table.alter(key, spec);
        if (at->second.first != spec) model.held.erase(key);
        at->second.first = spec;
        model.settle(key);
    }
    void drop(int key) {
        table.drop(key);
        const auto at = model.wanted.find(key);
        if (at == model.wanted.end() || --at->second.second > 0) return;
        model.wanted.erase(at);
        model.held.erase(key);
        model.settle(key);
    }
    void see(int key, std::optional<int> seen) {
        table.observe(key, seen);
        if (seen) model.kernel[key] = *seen;
        else model.kernel.erase(key);
        model.settle(key);
    }
    void see_range(std::optional<int> first, std::optional<int> last) {
        Map seen;
        for (int i = number(5); i > 0; --i)
            seen[number(12)] = number(3);
        const auto covers = [=](int key) {
            return key >= first.value_or(key) && key < last.value_or(key + 1);
        };
        const auto believed = model.kernel;
        auto whole = model.kernel;
        erase_if(whole, [=](const auto& entry) { return covers(entry.first); });
        for (const auto& [key, spec] : seen)
            if (covers(key)) whole[key] = spec;
        model.kernel = whole;
        const auto news = table.observe(seen, first, last);
        // News is what has become a difference, or another one.
        std::size_t expected = 0;
        const auto specs = model.specs();
        for (int key = first.value_or(0); key < last.value_or(12); ++key) {
            const auto at = [key](const Map& map) {
                const auto found = map.find(key);
                return found == map.end() ? std::optional<int>{} : found->second;
            };
            if (at(believed) != at(whole) && at(whole) != at(specs)) ++expected;
            model.settle(key);
        }
        CHECK(news == expected);
    }
    void hold(int key, Moment until) {
        table.hold(key, until);
        if (table.differences().contains(key)) model.held[key] = until;
    }
    void apply(Moment now) {
        const auto changes = table.changes(now);
        table.applied(changes);
        patch(model.kernel, changes);
        for (int key = 0; key < 12; ++key)
            model.settle(key);
    }

    std::mt19937 random_;
};

} // namespace

TEST_CASE("a ledger's changes are the difference of the observed and the wanted map", "[plan]") {
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
        Moves moves{seed};
        CAPTURE(seed);
        for (int move = 0; move < 120; ++move) {
            moves.make();
            const auto& [table, model] = std::tie(moves.table, moves.model);
            // Without a time limit nothing is held back.
            REQUIRE(table.changes() == diff(model.kernel, model.specs()));
            for (const auto now : {start, start + 10s})
                REQUIRE(table.changes(now) == model.changes(now));
            for (int key = 0; key < 12; ++key)
                REQUIRE(table.believed_present(key) == model.kernel.contains(key));
            REQUIRE(table.wanted().size() == model.wanted.size());
        }
        const auto rest = moves.table.changes();
        moves.table.applied(rest);
        CHECK(moves.table.changes().empty());
        CHECK(moves.table.differences().empty());
    }
}

TEST_CASE("a table of which nothing was seen counts as empty, without a list of what it lacks",
          "[plan]") {
    Table table;
    for (const int key : {1, 2, 3})
        table.want(key, 7);
    table.drop(2);
    CHECK(table.counts_as_empty());
    CHECK(table.differences().empty());
    CHECK_FALSE(table.believed_present(1));
    CHECK(table.observe(Map{}) == 0);
    CHECK(table.counts_as_empty());
    CHECK(table.changes().add == Map{{1, 7}, {3, 7}});

    SECTION("of its first round, what was not taken is still to be done") {
        table.applied({.add = {{3, 7}}});
        CHECK(table.believed_present(3));
        CHECK(table.changes() == Changes<int, int>{.add = {{1, 7}}});
    }
    SECTION("seen as it should be, nothing is to be done, and nothing is news") {
        CHECK(table.observe(Map{{1, 7}, {3, 7}}) == 0);
        CHECK(table.changes().empty());
    }
    SECTION("seen otherwise, all that is there and should not be is news") {
        CHECK(table.observe(Map{{1, 8}, {4, 7}}) == 2);
        CHECK(table.changes() ==
              Changes<int, int>{.add = {{3, 7}}, .update = {{1, 7}}, .remove = {4}});
    }
    SECTION("of a part that was seen, the rest is still to be done") {
        CHECK(table.observe(Map{{1, 7}}, {}, 3) == 0);
        CHECK(table.changes() == Changes<int, int>{.add = {{3, 7}}});
    }
    SECTION("a few wishes that it holds are known apart") {
        table.want(5, 7);
        CHECK(table.observe(Map{{1, 7}, {5, 7}}) == 0);
        CHECK(table.counts_as_empty());
        CHECK(table.believed_present(5));
        CHECK(table.changes() == Changes<int, int>{.add = {{3, 7}}});
        SECTION("and go one by one") {
            CHECK(table.observe(Map{}, 4, {}) == 1);
            CHECK(table.counts_as_empty());
            CHECK(table.changes() == Changes<int, int>{.add = {{3, 7}, {5, 7}}});
        }
        SECTION("and together with what is seen besides") {
            CHECK(table.observe(Map{{1, 7}, {4, 7}}) == 2);
            CHECK(table.changes() == Changes<int, int>{.add = {{3, 7}, {5, 7}}, .remove = {4}});
        }
        SECTION("until another is wanted of one of them") {
            table.alter(1, 8);
            CHECK_FALSE(table.counts_as_empty());
            CHECK(table.changes() == Changes<int, int>{.add = {{3, 7}}, .update = {{1, 8}}});
        }
        SECTION("or one is wanted no more") {
            table.drop(5);
            CHECK_FALSE(table.counts_as_empty());
            CHECK(table.changes() == Changes<int, int>{.add = {{3, 7}}, .remove = {5}});
        }
        SECTION("and what is written beside them makes the table whole") {
            table.applied(table.changes());
            CHECK(table.changes().empty());
            CHECK(table.believed_present(1));
            CHECK(table.observe(Map{{1, 7}, {3, 7}}) == 1);
        }
    }
    SECTION("many wishes that it holds are a list of what it lacks") {
        for (int key = 10; key < 40; ++key)
            table.want(key, 7);
        Map most;
        for (int key = 10; key < 39; ++key)
            most.try_emplace(key, 7);
        CHECK(table.observe(most) == 0);
        CHECK_FALSE(table.counts_as_empty());
        CHECK(table.changes() == Changes<int, int>{.add = {{1, 7}, {3, 7}, {39, 7}}});
    }
}

TEST_CASE("a key goes when its last owner drops it", "[plan]") {
    Table table;
    table.want(1, 7);
    table.want(1, 7);
    table.applied(table.changes());
    table.drop(1);
    CHECK(table.changes().empty());
    REQUIRE(table.wanted(1) != nullptr);
    table.drop(1);
    CHECK(table.changes().remove == std::set{1});
    CHECK(table.wanted(1) == nullptr);
    table.drop(1); // nobody's: nothing happens
    CHECK(table.changes().remove == std::set{1});
}

TEST_CASE("what was wanted and dropped before it was written costs nothing", "[plan]") {
    Table table;
    table.want(1, 7);
    table.drop(1);
    CHECK(table.differences().empty());
    table.want(2, 7);
    table.applied(table.changes());
    table.drop(2);
    table.want(2, 7);
    CHECK(table.differences().empty());
}

TEST_CASE("a refused key is held back, counted, and tried at once when the wish changes",
          "[plan]") {
    Table table;
    table.want(1, 7);
    CHECK(table.refuse(1) == 1);
    CHECK(table.refuse(1) == 2);
    table.hold(1, start + 5s);
    CHECK(table.changes(start).empty());
    CHECK(table.next_due(start) == start + 5s);
    CHECK_FALSE(table.next_due(start + 5s).has_value());
    CHECK(table.changes(start + 5s).add == Map{{1, 7}});

    SECTION("an audit that finds it still missing keeps the back-off") {
        CHECK(table.observe(Map{}) == 0);
        CHECK(table.changes(start).empty());
        CHECK(table.refuse(1) == 3);
    }
    SECTION("the same wish of another owner keeps it too") {
        table.want(1, 7);
        CHECK(table.changes(start).empty());
    }
    SECTION("another wish is tried at once") {
        table.alter(1, 8);
        CHECK(table.changes(start).add == Map{{1, 8}});
        CHECK(table.refuse(1) == 1);
    }
    SECTION("once it is there the count begins anew") {
        table.applied(table.changes());
        CHECK(table.refuse(1) == 0);
        table.observe(1, std::nullopt);
        CHECK(table.refuse(1) == 1);
        CHECK(table.changes(start).add == Map{{1, 7}});
    }
}

TEST_CASE("holding back, refusing or forgetting what is as it should be does nothing", "[plan]") {
    Table table;
    table.want(1, 7);
    table.observe(1, 7);
    table.hold(1, start + 5s);
    CHECK(table.refuse(1) == 0);
    CHECK_FALSE(table.next_due(start).has_value());
    table.observe(1, 8);
    table.forget(1); // it is wanted: what the kernel holds is our concern
    CHECK(table.changes(start).update == Map{{1, 7}});
    table.observe(2, 9);
    table.forget(2);
    CHECK(table.changes(start).remove.empty());
}
