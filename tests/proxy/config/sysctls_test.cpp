#include "proxy/config/sysctls.h"

#include <catch2/catch.hpp>

#include "netlink/memory_sysctl.h"

using namespace ipvsproxy;
using namespace ipvsproxy::config;
using namespace std::chrono_literals;

namespace {

std::uint32_t max_of(std::int32_t per_core, std::int32_t min, unsigned cpus) {
    Conntrack conntrack;
    conntrack.max_per_core = per_core;
    conntrack.min = min;
    return conntrack_max(conntrack, cpus);
}

using List = std::vector<Sysctl>;

} // namespace

TEST_CASE("P-213 D-21 the conntrack maximum grows with the CPUs, within limits", "[config]") {
    CHECK(max_of(0, 123456, 8) == 0);
    CHECK(max_of(67890, 131072, 8) == 543120);
    CHECK(max_of(67890, 131072, 16) == 1048576);
    CHECK(max_of(1, 123456, 8) == 123456);
    CHECK(max_of(32768, 131072, 512) == 1048576);
    CHECK(max_of(2147483647, 0, 4294967295U) == 1048576);
    CHECK(max_of(32768, 2000000, 512) == 2000000); // where kube-proxy would fall below the minimum
}

TEST_CASE("P-213 the hash table has a quarter of the maximum, and never shrinks", "[config]") {
    CHECK(conntrack_buckets(1048576, 65536) == 262144U);
    CHECK_FALSE(conntrack_buckets(1048576, 262144));
    CHECK_FALSE(conntrack_buckets(1048577, 262144));
    CHECK_FALSE(conntrack_buckets(0, 0));
}

TEST_CASE("P-214 a conntrack setting that is zero is left alone", "[config]") {
    CHECK(conntrack_sysctls({0, 0, false, 0s, 0s, 0s, 0s}, 4).empty());
    CHECK(conntrack_sysctls({}, 8) ==
          List{{"net/netfilter/nf_conntrack_max", "262144"},
               {"net/netfilter/nf_conntrack_tcp_timeout_established", "86400"},
               {"net/netfilter/nf_conntrack_tcp_timeout_close_wait", "3600"}});
    CHECK(conntrack_sysctls({0, 5, true, 2s, 1500ms, 3s, 90s}, 4) ==
          List{{"net/netfilter/nf_conntrack_tcp_timeout_established", "1"},
               {"net/netfilter/nf_conntrack_tcp_timeout_close_wait", "2"},
               {"net/netfilter/nf_conntrack_tcp_be_liberal", "1"},
               {"net/netfilter/nf_conntrack_udp_timeout", "90"},
               {"net/netfilter/nf_conntrack_udp_timeout_stream", "3"}});
    CHECK(conntrack_sysctls({0, 0, false, 0s, 1ms, 0s, 0s}, 4).front().value == "1");
}

TEST_CASE("P-214 the switches of IPVS are wanted in this order, two of them without fail",
          "[config]") {
    CHECK(ipvs_sysctls(true, {6, 1, 0}) == List{{"net/ipv4/vs/conntrack", "1", true},
                                                {"net/ipv4/vs/expire_nodest_conn", "1"},
                                                {"net/ipv4/vs/expire_quiescent_template", "1"},
                                                {"net/ipv4/ip_forward", "1", true},
                                                {"net/ipv4/conf/all/arp_ignore", "1"},
                                                {"net/ipv4/conf/all/arp_announce", "2"}});
    CHECK(ipvs_sysctls(false, {6, 1, 0}).size() == 4);
}

TEST_CASE("P-214 conn_reuse_mode is for kernels from 4.1 to before 5.9", "[config]") {
    const Sysctl reuse{"net/ipv4/vs/conn_reuse_mode", "0"};
    CHECK(ipvs_sysctls(false, {4, 1, 0}).at(1) == reuse);
    CHECK(ipvs_sysctls(false, {5, 8, 18}).at(1) == reuse);
    for (const KernelVersion kernel : {KernelVersion{5, 9, 0}, {4, 0, 99}, {3, 10, 0}, {10, 0, 0}})
        CHECK(ipvs_sysctls(false, kernel).size() == 4);
}

TEST_CASE("a kernel's version is the numbers its release begins with", "[config]") {
    CHECK(parse_kernel_version("5.15.0-84-generic") == KernelVersion{5, 15, 0});
    CHECK(parse_kernel_version("6.1.55") == KernelVersion{6, 1, 55});
    CHECK(parse_kernel_version("6.18-rc1") == KernelVersion{6, 18, 0});
    CHECK(parse_kernel_version("4.19.") == KernelVersion{4, 19, 0});
    for (const char* text : {"", "6", "six", "-1.2", "6.", "6.x"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_kernel_version(text));
    }
}

TEST_CASE("P-214 D-21 only what differs is written, and a refusal is told", "[config]") {
    MemorySysctls kernel;
    kernel.values() = {{"a", "1"}, {"b", "0"}, {"c", "0"}};
    kernel.refuse("c", std::make_error_code(std::errc::read_only_file_system));
    const List wanted{{"a", "1"}, {"b", "2"}, {"c", "3", true}, {"missing", "4"}};
    const auto changes = apply_sysctls(wanted, kernel);
    REQUIRE(changes.size() == 3);
    CHECK(kernel.values().at("b") == "2");
    CHECK(kernel.writes() == 1);
    CHECK(changes[0].before == "0");
    CHECK_FALSE(changes[0].error);
    CHECK(changes[1].sysctl.required);
    CHECK(changes[1].error == std::errc::read_only_file_system);
    CHECK_FALSE(changes[2].before);
    CHECK(changes[2].error);
    CHECK(apply_sysctls(List{{"a", "1"}, {"b", "2"}}, kernel).empty());
}

TEST_CASE("there is at least one CPU", "[config]") {
    CHECK(online_cpus() >= 1);
}
