#include "tests/kernel/topology.h"

#include <catch2/catch.hpp>

namespace ipvsproxy::kernel_test {
namespace {

using Texts = std::set<std::string>;

TEST_CASE("run_command gives the status and both outputs", "[kernel_test]") {
    const auto finished = run_command({"sh", "-c", "cat; echo to err >&2; exit 3"}, "to out\n");
    CHECK(finished.status == 3);
    CHECK(finished.out == "to out\n");
    CHECK(finished.err == "to err\n");
    CHECK_THROWS_WITH(must_run({"sh", "-c", "echo why >&2; false"}), Catch::Contains("why"));
    CHECK_THROWS_AS(run_command({"/no/such/program"}), std::system_error);
}

TEST_CASE("without a proxy the pods of a Topology are reached and see the client",
          "[kernel_test][.kernel]") {
    const Topology cluster;
    {
        const Inside there{cluster.node()};
        must_run({"sysctl", "-qw", "net.ipv4.ip_forward=1"});
    }
    for (const auto protocol : {Protocol::tcp, Protocol::udp}) {
        CAPTURE(protocol);
        CHECK(survey(cluster.client(), protocol, "10.244.1.10", 8080) ==
              Texts{"6 x local-1 saw 192.168.10.50"});
        CHECK(survey(cluster.client(), protocol, "fd00:244:2::10", 8080) ==
              Texts{"6 x remote-1 saw fd00:10::50"});
        CHECK(survey(cluster.client(), protocol, "10.244.1.20", 9, 1) == Texts{"1 x refused"});
        CHECK(survey(cluster.node(), protocol, "192.168.10.99", 9, 1) == Texts{"1 x silence"});
    }
    CHECK(answers_ping(cluster.client(), "10.244.1.20"));
    CHECK_FALSE(answers_ping(cluster.client(), "192.168.10.99"));
}

} // namespace
} // namespace ipvsproxy::kernel_test
