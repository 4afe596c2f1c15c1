#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "netlink/change.h"

using namespace ipvsproxy;
using Numbers = std::map<int, int>;

TEST_CASE("diff tells what to add, to update and to remove", "[netlink]") {
    const auto changes = diff(Numbers{{1, 1}, {2, 2}, {3, 3}}, Numbers{{2, 2}, {3, 9}, {4, 4}});
    CHECK(changes == Changes<int, int>{.add = {{4, 4}}, .update = {{3, 9}}, .remove = {1}});
}

TEST_CASE("diff of a state with itself is empty, and patching with a diff arrives", "[netlink]") {
    std::mt19937 random{7};
    for (int round = 0; round < 500; ++round) {
        const auto some = [&] {
            Numbers state;
            for (auto left = random() % 12; left > 0; --left)
                state[static_cast<int>(random() % 16)] = static_cast<int>(random() % 3);
            return state;
        };
        auto observed = some();
        const auto desired = some();
        CHECK(diff(observed, observed).empty());
        patch(observed, diff(observed, desired));
        CHECK(observed == desired);
    }
}
