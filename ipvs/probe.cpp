#include "ipvs/probe.h"

#include <array>

namespace ipvsproxy::ipvs {

namespace {

constexpr std::array<std::uint8_t, 4> documentation_address{198, 51, 100, 0};
constexpr std::uint16_t first_port = 20000;

/// One that nobody has: what the probe takes away must be its own.
ServiceKey unused(const Services& services) {
    ServiceKey key{*Address::from_bytes(documentation_address), Port{first_port}, Protocol::tcp};
    while (services.contains(key))
        ++key.port.value;
    return key;
}

void refuse(const std::string& what, const std::error_code& error) {
    throw std::system_error(error, what);
}

/// An answer that was lost is no answer: the table, read again, will tell.
void add(Table& table, const ServiceKey& key, const std::string& scheduler) {
    const ServiceSpec spec{.scheduler = scheduler, .persistence_prefix = key.address.bits()};
    const Outcome outcome = table.apply({.services = {.add = {{key, spec}}}, .destinations = {}});
    if (outcome.services.empty()) return;
    const std::error_code error = outcome.services.front().error;
    if (error == std::errc::no_such_file_or_directory)
        refuse(
            "IPVS has no scheduler \"" + scheduler + "\": module ip_vs_" + scheduler +
                " is not loaded and the kernel could not load it by itself; run `modprobe ip_vs_" +
                scheduler + "` on the node, or configure another scheduler",
            error);
    refuse("IPVS took no virtual server with scheduler \"" + scheduler + '"', error);
}

void remove(Table& table, const ServiceKey& key) {
    const Outcome outcome = table.apply({.services = {.remove = {key}}, .destinations = {}});
    if (!outcome.services.empty())
        refuse("IPVS did not let go of the virtual server " + key.text(),
               outcome.services.front().error);
}

} // namespace

void probe(Table& table, const std::string& scheduler) {
    const std::string wanted = scheduler.empty() ? "rr" : scheduler;
    if (table.schedules_by(wanted)) return;
    const ServiceKey key = unused(table.services());
    add(table, key, wanted);
    Services after;
    try {
        after = table.services();
    } catch (const std::system_error&) {
        remove(table, key); // no trace, even when the table cannot be read any more
        throw;
    }
    remove(table, key);
    const auto found = after.find(key);
    if (found == after.end() || found->second.scheduler != wanted)
        refuse("IPVS does not show the virtual server it was given",
               std::make_error_code(std::errc::protocol_not_supported));
}

} // namespace ipvsproxy::ipvs
