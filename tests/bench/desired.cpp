#include "tests/bench/desired.h"

#include <stdexcept>
#include <string>

namespace ipvsproxy::bench {

config::Options Setting::options() const {
    auto options = config::complete(flags);
    if (!options) throw std::runtime_error{options.error().text};
    return *std::move(options);
}

Desired::Desired(const Setting& setting)
    : options{setting.options()}, input{files::Where{{setting.manifest}, false}},
      cluster{sync::make_cluster(options, input.store, nullptr, {})} {}

void require_written(const Desired& desired) {
    const auto kernel = sync::open_kernel(desired.options);
    const auto seen = sync::snapshot(kernel->tables());
    const auto wanted = desired.cluster->state().desired();
    const char* wrong = seen.services != wanted.services                       ? "virtual"
                        : seen.destinations.specs != wanted.destinations.specs ? "real"
                        : seen.device.addresses != wanted.device.addresses     ? "address"
                                                                               : nullptr;
    if (wrong != nullptr)
        throw std::runtime_error{std::string{"not the state that was to be written: "} + wrong};
    for (const auto& [name, set] : wanted.sets)
        if (const auto found = seen.sets.find(name);
            !set.entries.empty() && (found == seen.sets.end() || !(found->second == set)))
            throw std::runtime_error{"not the state that was to be written: set " + name};
}

} // namespace ipvsproxy::bench
