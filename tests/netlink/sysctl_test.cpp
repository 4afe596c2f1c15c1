#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <catch2/catch.hpp>

#include "netlink/kernel_sysctl.h"
#include "netlink/memory_sysctl.h"
#include "tests/kernel/namespace.h"

using namespace ipvsproxy;

namespace {

/// @param sysctls with "net/ipv4/ip_forward" set to 0.
void sysctls_keep_contract(Sysctls& sysctls) {
    const std::string forward = "net/ipv4/ip_forward";
    CHECK(sysctls.read(forward) == "0");
    CHECK_FALSE(sysctls.write(forward, "1"));
    CHECK(sysctls.read(forward) == "1");
    CHECK_FALSE(sysctls.read("net/ipv4/no_such_switch"));
    CHECK(sysctls.write("net/ipv4/no_such_switch", "1") == std::errc::no_such_file_or_directory);
}

} // namespace

TEST_CASE("switches in memory keep the contract") {
    MemorySysctls sysctls;
    sysctls.values()["net/ipv4/ip_forward"] = "0";
    sysctls_keep_contract(sysctls);
    CHECK(sysctls.writes() == 1);
}

TEST_CASE("the kernel's switches keep the contract", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelSysctls sysctls;
    CHECK_FALSE(sysctls.write("net/ipv4/ip_forward", "0"));
    sysctls_keep_contract(sysctls);
    CHECK(sysctls.write("net/ipv4/ip_forward", "no number") == std::errc::invalid_argument);
}

TEST_CASE("switches in memory can refuse to be written") {
    MemorySysctls sysctls;
    sysctls.values()["a/b"] = "1";
    sysctls.refuse("a/b", std::make_error_code(std::errc::read_only_file_system));
    CHECK(sysctls.write("a/b", "2") == std::errc::read_only_file_system);
    CHECK(sysctls.read("a/b") == "1");
    sysctls.refuse("a/b", {});
    CHECK_FALSE(sysctls.write("a/b", "2"));
}

TEST_CASE("a switch is read without its line end, and several numbers keep what is between them") {
    std::string root = "/tmp/sysctl-test-XXXXXX";
    REQUIRE(mkdtemp(root.data()) != nullptr);
    const std::string file = root + "/range";
    std::ofstream{file} << "1\t2 \n";
    KernelSysctls sysctls{root};
    CHECK(sysctls.read("range") == "1\t2");
    CHECK_FALSE(sysctls.read(".")); // a folder opens but cannot be read
    CHECK(sysctls.write("nothing", "1") == std::errc::no_such_file_or_directory);
    CHECK(unlink(file.c_str()) == 0);
    CHECK(rmdir(root.c_str()) == 0);
}
