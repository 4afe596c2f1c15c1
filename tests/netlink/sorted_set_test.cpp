#include "netlink/sorted_set.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

namespace ipvsproxy {

TEST_CASE("a sorted set does what std::set does", "[sorted_set]") {
    std::mt19937 random{3};
    SortedSet<int> set;
    std::set<int> reference;
    ChunkPlace last, elsewhere{7, 70};
    for (int step = 0; step < 6000; ++step) {
        const int key = static_cast<int>(random() % 3000);
        if (step % 3 == 1) CHECK(set.insert(key) == reference.insert(key).second);
        else if (step % 3 == 2) CHECK(set.insert(key, last) == reference.insert(key).second);
        else CHECK(set.erase(key) == reference.erase(key));
        CHECK(set.contains(key) == reference.contains(key));
    }
    for (int key = -1; key < 3100; ++key) { // in rising order, from wherever
        const bool known = reference.contains(key);
        CHECK(set.insert(key, elsewhere) != known);
        reference.insert(key);
        if (key % 100 == 0) elsewhere = {static_cast<std::size_t>(key), 3};
        if (key % 41 == 0) CHECK(set.erase(key / 2) == reference.erase(key / 2));
    }
    CHECK(set.size() == reference.size());
    CHECK(std::equal(set.begin(), set.end(), reference.begin(), reference.end()));
    CHECK(set == SortedSet<int>(reference.begin(), reference.end()));
    CHECK_FALSE(set == SortedSet<int>{1, 2});
    CHECK(SortedSet<int>{}.empty());
    CHECK(SortedSet<int>{2, 1, 2} == SortedSet<int>{1, 2});
}

} // namespace ipvsproxy
