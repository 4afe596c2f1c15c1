#include "netlink/sorted_map.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

namespace ipvsproxy {
namespace {

using Map = SortedMap<int, std::string>;
using Reference = std::map<int, std::string>;

/// Both hold the same elements in the same order.
void check_same(const Map& map, const Reference& reference) {
    REQUIRE(map.size() == reference.size());
    CHECK(map.empty() == reference.empty());
    CHECK(std::equal(map.begin(), map.end(), reference.begin(),
                     [](const auto& one, const auto& other) {
                         return one.first == other.first && one.second == other.second;
                     }));
}

void check_bounds(const Map& map, const Reference& reference, int key) {
    const auto bound = map.lower_bound(key);
    const auto expected = reference.lower_bound(key);
    REQUIRE((bound == map.end()) == (expected == reference.end()));
    if (bound != map.end()) CHECK(bound->first == expected->first);
    CHECK(map.contains(key) == reference.contains(key));
}

TEST_CASE("a sorted map does what std::map does, whatever is put in and taken out",
          "[sorted_map]") {
    // Growing, then about as many out as in, then shrinking to nothing.
    const int puts_of_ten = GENERATE(9, 5, 2);
    std::mt19937 random{static_cast<unsigned>(puts_of_ten)};
    Map map;
    Reference reference;
    for (int key = 0; key < 2000; ++key) {
        if (key % 3 == 0) map.append(key, std::to_string(key));
        else map[key] = std::to_string(key);
        reference[key] = std::to_string(key);
    }
    check_same(map, reference);
    for (int step = 0; step < 8000; ++step) {
        const int key = static_cast<int>(random() % 4000);
        if (static_cast<int>(random() % 10) < puts_of_ten) {
            const auto [at, added] = map.try_emplace(key, "new");
            CHECK(added == reference.try_emplace(key, "new").second);
            CHECK(at->first == key);
            CHECK(at->second == reference.at(key));
        } else {
            CHECK(map.erase(key) == reference.erase(key));
        }
        if (step % 500 == 0) check_same(map, reference);
        check_bounds(map, reference, static_cast<int>(random() % 4100));
    }
    check_same(map, reference);
}

TEST_CASE("erasing while walking leaves what was not asked for", "[sorted_map]") {
    Map map;
    Reference reference;
    for (int key = 0; key < 1000; ++key) {
        map.try_emplace(key);
        reference.try_emplace(key);
    }
    const int third = GENERATE(0, 1, 2); // all but a third; a third; all
    const auto goes = [=](int key) { return third == 2 || (key % 3 == 0) == (third == 1); };
    for (auto at = map.begin(); at != map.end();)
        if (goes(at->first)) at = map.erase(at);
        else ++at;
    std::erase_if(reference, [&](const auto& entry) { return goes(entry.first); });
    check_same(map, reference);
}

TEST_CASE("many keys are taken out of a sorted map in one walk", "[sorted_map]") {
    std::mt19937 random{5};
    const unsigned of_a_hundred = GENERATE(1U, 50U, 95U, 100U);
    for (int round = 0; round < 20; ++round) {
        Map map;
        Reference reference;
        std::vector<int> gone;
        for (int key = 0; key < 3000; ++key) {
            if (random() % 3 > 0) {
                map.try_emplace(key);
                reference.try_emplace(key);
            }
            if (random() % 100 < of_a_hundred && key > 500 * (round % 3)) gone.push_back(key);
        }
        map.erase_all(gone);
        for (const int key : gone)
            reference.erase(key);
        check_same(map, reference);
        for (int i = 0; i < 100; ++i) // it works on as before
            check_bounds(map, reference, static_cast<int>(random() % 3100));
        for (int i = 0; i < 300; ++i) {
            const int key = static_cast<int>(random() % 3000);
            map[key] = "new";
            reference[key] = "new";
        }
        check_same(map, reference);
    }
}

TEST_CASE("what a test holds for is taken out of a sorted map", "[sorted_map]") {
    Map map;
    Reference reference;
    for (int key = 0; key < 1000; ++key) {
        map.try_emplace(key);
        reference.try_emplace(key);
    }
    const auto even = [](const auto& entry) { return entry.first % 2 == 0; };
    CHECK(erase_if(map, even) == std::erase_if(reference, even));
    check_same(map, reference);
    CHECK(erase_if(map, even) == 0);
}

TEST_CASE("merging keeps what is there and takes what is not", "[sorted_map]") {
    const Map some{{1, "one"}, {3, "three"}};
    const Map more{{2, "two"}, {3, "THREE"}, {4, "four"}};
    Map all = some;
    Map rest = more;
    all.merge(rest);
    CHECK(all == Map{{1, "one"}, {2, "two"}, {3, "three"}, {4, "four"}});
    CHECK(rest.empty());
    Map other = more;
    Map fewer = some;
    other.merge(fewer);
    CHECK(other == Map{{1, "one"}, {2, "two"}, {3, "THREE"}, {4, "four"}});
}

TEST_CASE("keys that rise are found from where the last one was", "[sorted_map]") {
    std::mt19937 random{9};
    Map map;
    for (int i = 0; i < 1500; ++i)
        map[static_cast<int>(random() % 5000)];
    const Map& all = map;
    for (const int stride : {1, 2, 7, 900}) {
        auto from = all.begin();
        for (int key = -1; key < 5100; key += stride) {
            from = all.lower_bound(from, key);
            REQUIRE(from == all.lower_bound(key));
        }
    }
}

TEST_CASE("a sorted map that is handed out gives each element once, in order, and is empty",
          "[sorted_map]") {
    Map map;
    for (int key = 999; key >= 0; --key)
        map[key] = std::to_string(key);
    int next = 0;
    std::vector<std::string> taken;
    map.hand_out([&](int key, std::string& value) {
        CHECK(key == next++);
        taken.push_back(std::move(value));
    });
    CHECK(map.empty());
    REQUIRE(taken.size() == 1000);
    CHECK(taken[17] == "17");
    map[3] = "three";
    CHECK(map == Map{{3, "three"}});
}

TEST_CASE("sorted maps are equal when their elements are", "[sorted_map]") {
    CHECK(Map{{2, "two"}, {1, "one"}} == Map{{1, "one"}, {2, "two"}});
    CHECK(Map{{1, "one"}, {1, "other"}} == Map{{1, "one"}});
    CHECK_FALSE(Map{{1, "one"}} == Map{{1, "two"}});
    CHECK_FALSE(Map{{1, "one"}} == Map{});
    Map map{{1, "one"}};
    CHECK_FALSE(map.insert_or_assign(1, "two").second);
    CHECK(map == Map{{1, "two"}});
}

TEST_CASE("a key that is not in a sorted map is not found", "[sorted_map]") {
    Map map;
    CHECK(map.begin() == map.end());
    CHECK(map.find(1) == map.end());
    CHECK(map.erase(1) == 0);
    map[1] = "one";
    map[3] = "three";
    CHECK(map.at(3) == "three");
    CHECK_THROWS_AS(map.at(2), std::out_of_range);
    CHECK(map.find(2) == map.end());
    CHECK(map.find(4) == map.end());
    CHECK_FALSE(map.try_emplace(3, "other").second);
    CHECK(map.at(3) == "three");
}

} // namespace
} // namespace ipvsproxy
