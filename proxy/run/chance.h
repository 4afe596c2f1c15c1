// Chance, for pauses that are not to be the same on every node.
#pragma once

#include <functional>
#include <random>

namespace ipvsproxy::run {

/// Numbers from 0 to 1, others on every node.
inline std::function<double()> chance() {
    return [engine = std::mt19937_64{std::random_device{}()}]() mutable {
        return std::uniform_real_distribution<double>{0, 1}(engine);
    };
}

} // namespace ipvsproxy::run
