// What scheduler mh costs, which computes a table of 4,093 places anew at each change.
#include <array>
#include <stdexcept>
#include <utility>

#include "proxy/sync/startup.h"
#include "tests/bench/meter.h"
#include "tests/bench/scenarios.h"

namespace ipvsproxy::bench {
namespace {

constexpr std::uint32_t real_servers = 100; // of an EndpointSlice

Address numbered(std::uint8_t second, std::uint32_t number) {
    const std::array<std::uint8_t, 4> bytes{10, second, static_cast<std::uint8_t>(number >> 8),
                                            static_cast<std::uint8_t>(number)};
    return Address::from_bytes(bytes).value();
}

ipvs::DestinationChanges all_of(const ipvs::ServiceKey& service) {
    ipvs::DestinationChanges changes;
    for (std::uint32_t i = 0; i < real_servers; ++i)
        changes.add.try_emplace({service, numbered(128, i), Port{8080}});
    return changes;
}

/// Virtual server and real servers in the table's own order, or one table of changes after the
/// other.
enum class Way : std::uint8_t { at_once, one_after_the_other };

void measure(const Setting& setting, const char* scheduler, Way way, const char* step) {
    static std::uint32_t number = 0;
    const auto kernel = sync::open_kernel(setting.options());
    auto& table = kernel->tables().ipvs;
    const ipvs::ServiceKey key{numbered(96, ++number), Port{80}};
    ipvs::TableChanges changes;
    changes.services.add.try_emplace(
        key, ipvs::ServiceSpec{.scheduler = scheduler, .persistence_prefix = 32});
    changes.destinations = all_of(key);
    Meter meter;
    meter.watch(*kernel);
    bool clean = true;
    if (way == Way::one_after_the_other) {
        auto rest = std::exchange(changes.destinations, {});
        clean = table.apply(changes).clean();
        changes = {.services = {}, .destinations = std::move(rest)};
    }
    clean = clean && table.apply(changes).clean();
    report(setting.shape.text(), "100 real servers, mh", step, meter.lap());
    if (!clean) throw std::runtime_error{"the kernel refused scheduler " + std::string{scheduler}};
}

} // namespace

void run_mh(const Setting& setting) {
    measure(setting, "mh", Way::at_once, "warm-up"); // the kernel loads the module
    measure(setting, "rr", Way::at_once, "as rr");
    measure(setting, "mh", Way::at_once, "together");
    measure(setting, "mh", Way::one_after_the_other, "one by one");
}

} // namespace ipvsproxy::bench
