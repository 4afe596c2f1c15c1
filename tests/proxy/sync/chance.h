// Services and endpoints by chance, from a seed; few names and addresses, so that they meet.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "proxy/model/store.h"

namespace ipvsproxy::sync {

class Chance {
public:
    explicit Chance(std::uint32_t seed) : random_{seed} {}
    /// 0 … below - 1
    std::size_t number(std::size_t below) {
        return std::uniform_int_distribution<std::size_t>{0, below - 1}(random_);
    }
    bool one_in(std::size_t times) { return number(times) == 0; }
    template <class T> const T& of(const std::vector<T>& all) { return all.at(number(all.size())); }

    /// One of eight services, with a use of most fields that shape kernel state.
    model::Service service();
    /// Endpoints of one of the eight, of either family.
    model::EndpointSlice slice();
    /// Puts or removes some object.
    void change(model::Store& store);

private:
    std::string name() { return std::string(1, static_cast<char>('a' + number(8))); }

    std::mt19937 random_;
};

} // namespace ipvsproxy::sync
