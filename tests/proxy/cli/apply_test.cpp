#include <catch2/catch.hpp>

#include "ipvs/kernel_table.h"
#include "proxy/cli/command.h"
#include "tests/kernel/namespace.h"

namespace ipvsproxy::cli {
namespace {

TEST_CASE("apply writes nothing when an input cannot be read", "[cli][apply][.kernel]") {
    const kernel_test::Namespace own;
    ipvs::KernelTable table;
    const ipvs::ServiceKey key{*Address::parse("10.96.0.10"), Port{53}, Protocol::udp};
    REQUIRE(
        table.apply({.services = {.add = {{key, {.persistence_prefix = 32}}}}, .destinations = {}})
            .clean());
    Invocation call;
    call.files = {"/no/such/folder"};
    CHECK_THROWS_WITH(apply(call), Catch::Contains("nothing was done"));
    CHECK(table.services().contains(key));
}

} // namespace
} // namespace ipvsproxy::cli
