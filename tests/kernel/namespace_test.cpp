#include "tests/kernel/namespace.h"

#include <catch2/catch.hpp>
#include <net/if.h>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace ipvsproxy::kernel_test {
namespace {

ino_t current() {
    struct stat status {};
    REQUIRE(::stat("/proc/thread-self/ns/net", &status) == 0);
    return status.st_ino;
}

std::vector<std::string> links() {
    std::vector<std::string> names;
    struct if_nameindex* all = ::if_nameindex();
    for (const auto* each = all; each->if_index != 0; ++each)
        names.emplace_back(each->if_name);
    ::if_freenameindex(all);
    return names;
}

TEST_CASE("a Namespace holds nothing but lo, and is left at the end of its scope",
          "[kernel_test][.kernel]") {
    const auto before = current();
    {
        const Namespace own;
        CHECK(current() != before);
        CHECK(links() == std::vector<std::string>{"lo"});
    }
    CHECK(current() == before);
}

TEST_CASE("Inside visits another Namespace and comes back", "[kernel_test][.kernel]") {
    const Namespace first;
    const auto home = current();
    {
        const Namespace second;
        const auto away = current();
        {
            const Inside visit{first};
            CHECK(current() == home);
        }
        CHECK(current() == away);
    }
    CHECK(current() == home);
}

} // namespace
} // namespace ipvsproxy::kernel_test
