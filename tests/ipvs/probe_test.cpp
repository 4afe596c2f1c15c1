#include "ipvs/probe.h"

#include <catch2/catch.hpp>

#include "ipvs/memory_table.h"
#include "tests/ipvs/values.h"

namespace ipvsproxy::ipvs {
namespace {

const ServiceKey probe_key = service("198.51.100.0", 20000);

TEST_CASE("P-200 the probe accepts a kernel that has the scheduler, and leaves no trace",
          "[ipvs]") {
    MemoryTable table;
    for (const auto* const scheduler : {"", "rr", "mh", "wlc"})
        CHECK_NOTHROW(probe(table, scheduler));
    CHECK(table.held_services().empty());
    CHECK(table.writes() == 8);
}

TEST_CASE("the probe writes nothing where the scheduler is in use", "[ipvs]") {
    MemoryTable table;
    const ServiceKey key = service("10.96.0.1");
    table.put(key, plain(key, "lc"));
    probe(table, "lc");
    CHECK(table.writes() == 0);
}

TEST_CASE("the probe leaves another's virtual server on its address alone", "[ipvs]") {
    MemoryTable table;
    table.put(probe_key, plain(probe_key, "sh"));
    probe(table, "rr");
    CHECK(table.held_services() == Services{{probe_key, plain(probe_key, "sh")}});
    CHECK(table.writes() == 2);
}

TEST_CASE("P-200 the probe fails when the table cannot be read", "[ipvs]") {
    MemoryTable table;
    table.fail(std::errc::operation_not_permitted);
    CHECK_THROWS_AS(probe(table, "rr"), std::system_error);
}

TEST_CASE("P-200 the probe names the module of a scheduler that is missing", "[ipvs]") {
    MemoryTable table;
    table.forget_scheduler("mh");
    CHECK_THROWS_WITH(probe(table, "mh"), Catch::Contains("modprobe ip_vs_mh"));
    CHECK(table.held_services().empty());
}

TEST_CASE("P-200 the probe fails when its virtual server is refused", "[ipvs]") {
    MemoryTable table;
    table.refuse(probe_key, std::errc::operation_not_permitted);
    CHECK_THROWS_WITH(probe(table, "rr"), Catch::Contains("Operation not permitted"));
}

/// A kernel in which something goes wrong after the virtual server was added.
class FaultyTable final : public Table {
public:
    enum class Fault : std::uint8_t { read, hidden, removal };
    explicit FaultyTable(Fault fault) : fault_{fault} {}
    Services services() override {
        if (fault_ == Fault::hidden) return {};
        if (fault_ == Fault::read && !table.held_services().empty())
            throw std::system_error(std::make_error_code(std::errc::io_error), "read");
        return table.services();
    }
    ObservedDestinations destinations(std::span<const ServiceKey> services) override {
        return table.destinations(services);
    }
    Outcome apply(const TableChanges& changes) override {
        if (fault_ == Fault::removal && !changes.services.remove.empty())
            return {.services = {{*changes.services.remove.begin(),
                                  std::make_error_code(std::errc::device_or_resource_busy)}},
                    .destinations = {}};
        return table.apply(changes);
    }
    Timeouts timeouts() override { return table.timeouts(); }
    void set_timeouts(const Timeouts& timeouts) override { table.set_timeouts(timeouts); }

    MemoryTable table;

private:
    Fault fault_;
};

TEST_CASE("P-200 the probe fails when what it added cannot be seen or removed", "[ipvs]") {
    using Fault = FaultyTable::Fault;
    for (const Fault fault : {Fault::read, Fault::hidden, Fault::removal}) {
        FaultyTable faulty{fault};
        CHECK_THROWS_AS(probe(faulty, "rr"), std::system_error);
        CHECK(faulty.table.held_services().empty() == (fault != Fault::removal));
    }
}

} // namespace
} // namespace ipvsproxy::ipvs
