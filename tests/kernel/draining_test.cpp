// TCP connections through a virtual server while the endpoint at their other end leaves.
#include <catch2/catch.hpp>
#include <csignal>

#include "tests/kernel/conversation.h"
#include "tests/kernel/objects.h"
#include "tests/kernel/topology.h"

namespace ipvsproxy::kernel_test {
namespace {

using Catch::Matchers::Contains;
using std::string;

/// local-1 listens for one conversation there, beside its EchoServer.
constexpr Port talk{9090};

/// web at 10.96.0.80:80. Of its endpoints local-1 talks at 9090, local-2 echoes at 8080.
string web(bool with_local_1) {
    return service("web", "  clusterIP: 10.96.0.80\n"
                          "  ports: [{name: tcp, port: 80, protocol: TCP}]\n") +
           (with_local_1 ? "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
                           "metadata: {name: web-talk, namespace: default,"
                           " labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\n"
                           "ports: [{name: tcp, port: 9090, protocol: TCP}]\n"
                           "endpoints: [{addresses: ['10.244.1.10']}]\n"
                         : "");
}
string web_and_local_2(bool with_local_1) {
    return web(with_local_1) + slice("web", {local_2});
}

/// Nothing: IPVS does not have local-1 behind web.
string weight_of_local_1(const Topology& cluster) {
    const Inside there{cluster.node()};
    const string line = "-a -t 10.96.0.80:80 -r 10.244.1.10:9090 -m -w ";
    const auto all = must_run({"ipvsadm", "-S", "-n"});
    const auto at = all.find(line);
    return at == string::npos ? "" : all.substr(at + line.size(), 1);
}

/// A client of web, connected to local-1.
Conversation talk_to_local_1(const Topology& cluster) {
    return Conversation{cluster.client(),
                        {.address = *Address::parse("10.96.0.80"), .port = Port{80}},
                        cluster.local_1(),
                        talk};
}

TEST_CASE("P-181 D-08 with apply, a real server that leaves keeps its connection at weight 0",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.apply(web(true));
    auto conversation = talk_to_local_1(cluster);
    REQUIRE(conversation.goes_on());

    const auto before = cluster.proxy("diff", web_and_local_2(false));
    CAPTURE(before);
    CHECK(before.status == 1);
    CHECK_THAT(before.out,
               Contains("~ ipvsadm -e -t 10.96.0.80:80 -r 10.244.1.10:9090 -m -w 0") &&
                   Contains("+ ipvsadm -a -t 10.96.0.80:80 -r 10.244.1.20:8080 -m -w 1"));
    const auto applied = cluster.proxy("apply", web_and_local_2(false));
    CAPTURE(applied);
    CHECK(applied.status == 0);
    CHECK_THAT(applied.out,
               Contains("draining: ipvsadm -e -t 10.96.0.80:80 -r 10.244.1.10:9090 -m -w 0") &&
                   Contains("1 real servers draining, 0 refused"));
    CHECK(weight_of_local_1(cluster) == "0");
    CHECK(conversation.goes_on());
    CHECK(answers(cluster.client(), Protocol::tcp, "10.96.0.80", 80) ==
          std::set<string>{"local-2 saw 192.168.10.50"});
    const auto after = cluster.proxy("diff", web_and_local_2(false));
    CAPTURE(after);
    CHECK(after.status == 0); // no difference, but told
    CHECK(after.out.empty());
    CHECK_THAT(after.err, Contains("draining: ipvsadm -e -t 10.96.0.80:80"));

    cluster.apply(web_and_local_2(true)); // it comes back
    CHECK(weight_of_local_1(cluster) == "1");
    CHECK(conversation.goes_on());
    cluster.apply(web_and_local_2(false));
    CHECK(weight_of_local_1(cluster) == "0");
    conversation.break_off();
    CHECK(comes_true([&] {
        cluster.apply(web_and_local_2(false));
        return weight_of_local_1(cluster).empty();
    }));
}

TEST_CASE("D-08 run removes a draining real server by itself, also one that another life left",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.give(web(true));
    auto daemon = cluster.daemon();
    REQUIRE(comes_true([&] { return weight_of_local_1(cluster) == "1"; }));
    auto conversation = talk_to_local_1(cluster);
    cluster.give(web_and_local_2(false));
    REQUIRE(comes_true([&] { return weight_of_local_1(cluster) == "0"; }));
    daemon.signal(SIGKILL);
    daemon.wait();

    auto next = cluster.daemon({"-v", "4"});
    REQUIRE(
        comes_true([&] { return next.count("draining=1") > 0; })); // the line of its first round
    CHECK(next.count("The node is as the Services ask") == 1);
    CHECK(weight_of_local_1(cluster) == "0");
    CHECK(conversation.goes_on());
    conversation.break_off();
    CHECK(comes_true([&] { return weight_of_local_1(cluster).empty(); }, std::chrono::seconds{40}));
}

TEST_CASE("D-08 run takes a draining real server away with its connection at --drain-limit",
          "[traffic][.kernel]") {
    const Topology cluster;
    cluster.give(web(true));
    const auto daemon = cluster.daemon({"--drain-limit", "4s"});
    REQUIRE(comes_true([&] { return weight_of_local_1(cluster) == "1"; }));
    const auto conversation = talk_to_local_1(cluster);
    cluster.give(web_and_local_2(false));
    REQUIRE(comes_true([&] { return weight_of_local_1(cluster) == "0"; }));
    CHECK(conversation.goes_on());
    CHECK(comes_true([&] { return weight_of_local_1(cluster).empty(); }));
}

TEST_CASE("P-180 P-182 an idle real server and one of UDP go at once", "[traffic][.kernel]") {
    const Topology cluster;
    const auto both = [&](const std::vector<Endpoint>& endpoints) {
        return service("web", "  clusterIP: 10.96.0.80\n" + ports()) + slice("web", endpoints);
    };
    cluster.apply(both({local_1, local_2}));
    // UDP entries of IPVS live for minutes; nothing was said over TCP.
    REQUIRE(answers(cluster.client(), Protocol::udp, "10.96.0.80", 80).size() == 2);
    const auto applied = cluster.proxy("apply", both({local_2}));
    CAPTURE(applied);
    CHECK_THAT(applied.out, Contains("0 real servers draining, 0 refused"));
    const Inside there{cluster.node()};
    CHECK(must_run({"ipvsadm", "-S", "-n"}).find("10.244.1.10") == string::npos);
}

} // namespace
} // namespace ipvsproxy::kernel_test
