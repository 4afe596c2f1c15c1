#include "netlink/modules.h"

#include <catch2/catch.hpp>

using namespace ipvsproxy;

TEST_CASE("what is no name of a module is never given to modprobe") {
    for (const char* name : {"", "-r", "--help", "a b", "../dummy", "dummy;reboot"})
        CHECK(load_module(name) == std::errc::invalid_argument);
}

TEST_CASE("modprobe's refusal is told with its exit status") {
    const std::error_code status{1, modprobe_category()};
    CHECK(status.message() == "modprobe ended with status 1");
}

TEST_CASE("a module is loaded, twice is once, and one that does not exist is refused",
          "[.kernel]") {
    CHECK_FALSE(load_module("dummy"));
    CHECK_FALSE(load_module("dummy"));
    CHECK(load_module("no_such_module_here").category() == modprobe_category());
}
