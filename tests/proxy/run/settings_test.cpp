#include <catch2/catch.hpp>

#include "proxy/config/flags.h"
#include "proxy/log/log.h"
#include "proxy/run/settings.h"

namespace ipvsproxy::run {
namespace {

config::Options options_of(const std::string& scheduler, std::uint32_t verbosity = 0) {
    config::Options options;
    options.node_name = "node-1";
    options.configuration.ipvs.scheduler = scheduler;
    options.configuration.logging.verbosity = verbosity;
    return options;
}

/// Settings whose file says what the test wants.
struct World {
    config::Result<config::Options> file{options_of("rr")};
    Settings settings{options_of("rr"), [this] { return file; }};
    std::string in_force() const { return settings.options().configuration.ipvs.scheduler; }
};

} // namespace

TEST_CASE("a file that says the same changes nothing") {
    World world;
    CHECK_FALSE(world.settings.look());
    world.settings.advance();
    CHECK(world.in_force() == "rr");
}

TEST_CASE("D-18 a file that says something else is in force once the life has ended for it") {
    World world;
    world.file = options_of("sh");
    CHECK(world.settings.look());
    CHECK(world.in_force() == "rr");
    world.settings.advance();
    CHECK(world.in_force() == "sh");
    CHECK_FALSE(world.settings.look());
}

TEST_CASE("D-18 a file that cannot be used changes nothing, and what is right later counts") {
    World world;
    world.file = config::Problem{"failed validate: no"};
    CHECK_FALSE(world.settings.look());
    world.settings.advance();
    CHECK(world.in_force() == "rr");
    world.file = options_of("sh");
    CHECK(world.settings.look());
}

TEST_CASE("a file that was changed and changed back is no change") {
    World world;
    world.file = options_of("sh");
    REQUIRE(world.settings.look());
    world.file = options_of("rr");
    CHECK_FALSE(world.settings.look());
    world.settings.advance();
    CHECK(world.in_force() == "rr");
}

TEST_CASE("settings of the log alone are put in force at once") {
    World world;
    world.file = options_of("rr", 3);
    CHECK_FALSE(world.settings.look());
    CHECK(log::verbosity() == 3);
    CHECK(world.settings.options().configuration.logging.verbosity == 3);
    log::configure({});
}

TEST_CASE(
    "options that do not work on this node are given up for those before, and not tried again") {
    World world;
    CHECK_FALSE(world.settings.revert()); // nothing was before the first
    world.file = options_of("bogus");
    REQUIRE(world.settings.look());
    world.settings.advance();
    CHECK(world.settings.revert());
    CHECK(world.in_force() == "rr");
    CHECK_FALSE(world.settings.look());
    CHECK_FALSE(world.settings.revert());
    world.file = options_of("sh");
    CHECK(world.settings.look());
}

TEST_CASE("options that have proved to work are not given up") {
    World world;
    world.file = options_of("sh");
    REQUIRE(world.settings.look());
    world.settings.advance();
    world.settings.prove();
    CHECK_FALSE(world.settings.revert());
    CHECK(world.in_force() == "sh");
}

} // namespace ipvsproxy::run
