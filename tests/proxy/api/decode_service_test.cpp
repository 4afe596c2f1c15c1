#include <catch2/catch.hpp>

#include "tests/proxy/api/decoding.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;
using namespace std::chrono_literals;
using model::Service;
using model::ServiceType;
using model::Symbol;

namespace {

Address ip(std::string_view text) {
    return Address::parse(text).value();
}
Prefix net(std::string_view text) {
    return Prefix::parse(text).value();
}
using Addresses = std::vector<Address>;

/// A Service of this spec and, where given, more after it.
Decoded decoded(const std::string& spec, const std::string& more = {},
                Origin origin = Origin::server) {
    auto read =
        read_json(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"web",)"
                  R"("namespace":"ns","creationTimestamp":"2026-11-21T02:03:31Z"},"spec":{)" +
                      spec + "}" + more + "}",
                  origin);
    REQUIRE_FALSE(read.problem);
    REQUIRE(read.objects.size() == 1);
    return std::move(read.objects.front());
}
Service service(const std::string& spec, const std::string& more = {}) {
    return as<Service>(decoded(spec, more));
}
std::vector<std::string> warnings(const Decoded& one) {
    std::vector<std::string> texts;
    for (const auto& warning : one.warnings)
        texts.push_back(warning.text());
    return texts;
}
using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("a Service's fields are read, and those of no interest are not", "[api]") {
    const auto read = service(
        R"("type":"LoadBalancer","clusterIP":"10.96.0.10","clusterIPs":["10.96.0.10"],)"
        R"("ipFamilies":["IPv4"],"selector":{"app":"web","ports":"x"},"externalTrafficPolicy":"Local",)"
        R"("internalTrafficPolicy":"Local","healthCheckNodePort":30500,)"
        R"("ports":[{"name":"http","protocol":"TCP","port":80,"targetPort":"web","nodePort":30080},)"
        R"({"name":"dns","protocol":"UDP","port":53,"targetPort":5353,"nodePort":0}])");
    const Service expected{.name = {"ns", "web"},
                           .created = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} +
                                      2h + 3min + 31s,
                           .type = ServiceType::load_balancer,
                           .cluster_ip = {.v4 = ip("10.96.0.10"), .v6 = {}},
                           .ports = {{Symbol{"http"}, Protocol::tcp, Port{80}, Port{30080}},
                                     {Symbol{"dns"}, Protocol::udp, Port{53}, {}}},
                           .external_local = true,
                           .internal_local = true,
                           .health_check_node_port = Port{30500}};
    CHECK(read == expected);
}

TEST_CASE("P-120 a Service without a cluster IP is headless, of whatever type it is", "[api]") {
    CHECK(service(R"("clusterIP":"None")").headless);
    CHECK(service(R"("clusterIP":"None","clusterIPs":["None"],)"
                  R"("ports":[{"port":80,"protocol":"SCTP"}])")
              .headless);
    CHECK(service(R"("clusterIP":"")").headless);
    CHECK(service(R"("type":"ExternalName")").headless);
    const auto named = service(R"("type":"ExternalName","clusterIP":"10.96.0.1")");
    CHECK(named.type == ServiceType::external_name);
    CHECK_FALSE(named.headless);
}

TEST_CASE("P-121 ports of one number differ by name and protocol", "[api]") {
    const auto read = service(R"("clusterIP":"10.96.0.1","ports":[{"name":"a","protocol":"UDP",)"
                              R"("port":53},{"name":"b","protocol":"UDP","port":54}])");
    REQUIRE(read.ports.size() == 2);
    CHECK(read.ports[0].name != read.ports[1].name);
    CHECK(read.ports[1].protocol == Protocol::udp);
}

TEST_CASE("P-122 loadBalancerIP is not read, ingress is", "[api]") {
    const auto read =
        service(R"("clusterIP":"10.96.0.1","type":"LoadBalancer","loadBalancerIP":"198.51.100.4")",
                R"(,"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"}]}})");
    CHECK(read.ingress_vips == Addresses{ip("203.0.113.9")});
}

TEST_CASE("P-049 ingress counts with ipMode VIP or none, not with Proxy or by name", "[api]") {
    const auto read = decoded(
        R"("clusterIP":"10.96.0.1")",
        R"(,"status":{"loadBalancer":{"ingress":[{"ipMode":"Proxy","ip":"203.0.113.1"},)"
        R"({"ip":"203.0.113.2","ipMode":"VIP"},{"ip":"2001:db8::3"},{"hostname":"lb.test"},)"
        R"({"ip":"junk"},{"ip":"203.0.113.6","ipMode":"Other"},{"ip":""}]}})");
    CHECK(as<Service>(read).ingress_vips == Addresses{ip("203.0.113.2"), ip("2001:db8::3")});
    CHECK(warnings(read) ==
          Texts{"status.loadBalancer.ingress[4].ip: not an IP address, passed over: \"junk\"",
                "status.loadBalancer.ingress[5].ipMode: unknown ipMode, passed over: \"Other\""});
}

TEST_CASE("P-125 P-131 lists of mixed families keep their order; blanks and garbage go", "[api]") {
    const auto read = decoded(
        R"("clusterIP":"10.96.0.1","externalIPs":["203.0.113.7","","2001:db8::7","not an ip",)"
        R"("203.0.113.8"," "," 203.0.113.9"],)"
        R"("loadBalancerSourceRanges":["2001:db8::/32","10.0.0.0/8","","10/8"])");
    CHECK(as<Service>(read).external_ips ==
          Addresses{ip("203.0.113.7"), ip("2001:db8::7"), ip("203.0.113.8")});
    CHECK(as<Service>(read).source_ranges == std::vector{net("2001:db8::/32"), net("10.0.0.0/8")});
    CHECK(warnings(read) ==
          Texts{"spec.externalIPs[3]: not an IP address, passed over: \"not an ip\"",
                "spec.externalIPs[6]: not an IP address, passed over: \" 203.0.113.9\"",
                "spec.loadBalancerSourceRanges[3]: not a network in CIDR form, passed over: "
                "\"10/8\""});
}

TEST_CASE("P-126 P-127 source ranges are trimmed, masked and kept", "[api]") {
    const auto read =
        service(R"("clusterIP":"10.96.0.1",)"
                R"("loadBalancerSourceRanges":[" 10.1.2.0/28","10.1.2.3/24\n","0.0.0.0/1"])");
    CHECK(read.source_ranges ==
          std::vector{net("10.1.2.0/28"), net("10.1.2.0/24"), net("0.0.0.0/1")});
}

TEST_CASE("P-124 P-130 each family has the cluster IP that ipFamilies puts beside it", "[api]") {
    const auto both = [](const std::string& spec) { return service(spec).cluster_ip; };
    using Both = PerFamily<std::optional<Address>>;
    const auto v4 = ip("10.96.0.1");
    const auto v6 = ip("2001:db8:96::1");
    CHECK(both(R"("clusterIP":"10.96.0.1")") == Both{v4, {}});
    CHECK(both(R"("clusterIP":"2001:db8:96::1","ipFamilies":[])") == Both{{}, v6});
    CHECK(both(R"("ipFamilies":["IPv4"],"clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"])") ==
          Both{v4, {}});
    CHECK(both(R"("ipFamilies":["IPv6"],"clusterIPs":["2001:db8:96::1"])") == Both{{}, v6});
    CHECK(both(R"("ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.96.0.1","2001:db8:96::1"])") ==
          Both{v4, v6});
    CHECK(both(R"("ipFamilies":["IPv6","IPv4"],"clusterIPs":["2001:db8:96::1","10.96.0.1"])") ==
          Both{v4, v6});
    CHECK(both(R"("ipFamilies":["IPv4","IPv6"],"clusterIPs":["10.96.0.1"])") == Both{v4, {}});
    // The API server fills in ipFamilies: without, the object is from before there were two.
    const auto* const unsaid =
        R"("clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1","2001:db8:96::1"])";
    CHECK(both(unsaid) == Both{v4, {}});
    CHECK(as<Service>(decoded(unsaid, {}, Origin::manifest)).cluster_ip == Both{v4, v6});
}

TEST_CASE("of two ports of one name and protocol the later one counts, and that is said", "[api]") {
    const auto read = decoded(
        R"("clusterIP":"10.96.0.1","ports":[{"name":"a","port":80},{"name":"a","port":53,)"
        R"("protocol":"UDP"},{"name":"a","port":81,"nodePort":30081},{"name":"b","port":80}])");
    std::string ports;
    for (const auto& port : as<Service>(read).ports)
        ports += port.name.text() + ' ' + std::to_string(port.port.value) + '/' +
                 std::string{upper_name(port.protocol)} + ' ';
    CHECK(ports == "a 81/TCP a 53/UDP b 80/TCP ");
    CHECK(warnings(read) == Texts{"spec.ports[2].name: \"a\" is the name of TCP port 80 too, which "
                                  "this one replaces"});
}

TEST_CASE("D-15 a cluster IP that does not fit is named and left out", "[api]") {
    const auto garbage = decoded(R"("clusterIP":"10.96.0.256")");
    CHECK(as<Service>(garbage).cluster_ip.v4 == std::nullopt);
    CHECK(warnings(garbage) == Texts{"spec.clusterIPs[0]: not an IP address: \"10.96.0.256\""});
    const auto crossed = decoded(R"("ipFamilies":["IPv6"],"clusterIPs":["10.96.0.1"])");
    CHECK(as<Service>(crossed).cluster_ip == PerFamily<std::optional<Address>>{});
    CHECK(warnings(crossed) == Texts{"spec.clusterIPs[0]: 10.96.0.1 is not of family IPv6"});
    CHECK(service(R"("clusterIP":"010.096.000.001")").cluster_ip.v4 == ip("10.96.0.1"));
}

TEST_CASE("at 0.0.0.0 and :: nothing is served, and that is said", "[api]") {
    const auto read = decoded(R"("ipFamilies":["IPv4","IPv6"],)"
                              R"("clusterIPs":["0.0.0.0","2001:db8:96::1"],)"
                              R"("externalIPs":["::","203.0.113.7","0.0.0.0"])");
    CHECK(as<Service>(read).cluster_ip ==
          PerFamily<std::optional<Address>>{{}, ip("2001:db8:96::1")});
    CHECK(as<Service>(read).external_ips == Addresses{ip("203.0.113.7")});
    CHECK_THAT(warnings(read), Catch::Matchers::VectorContains<std::string>(
                                   "spec.clusterIPs[0]: nothing can be served at 0.0.0.0"));
    CHECK(warnings(read).size() == 3);
    const auto ingress = read_yaml("kind: Service\napiVersion: v1\nmetadata: {name: web}\n"
                                   "spec: {clusterIP: 10.96.0.1}\n"
                                   "status: {loadBalancer: {ingress: [{ip: 0.0.0.0}]}}\n");
    CHECK(as<Service>(ingress.objects.at(0)).ingress_vips.empty());
    CHECK(ingress.objects.at(0).warnings.size() == 1);
}

TEST_CASE("a name that would break a line of the log or of diff is refused", "[api]") {
    for (const auto* name : {"\"a\\nb\"", "\"a\\e[31m\"", "a/b", "\"a b\"", "\"\\x7f\""})
        for (const bool is_namespace : {false, true}) {
            CAPTURE(name, is_namespace);
            const std::string metadata = is_namespace ? std::string{"name: a, namespace: "} + name
                                                      : std::string{"name: "} + name;
            const auto read = read_yaml("kind: Service\napiVersion: v1\nmetadata: {" + metadata +
                                        "}\nspec: {clusterIP: 10.96.0.1}\n");
            REQUIRE(read.objects.size() == 1);
            REQUIRE(read.objects[0].object.has_error());
            CHECK(read.objects[0].object.error().text() ==
                  std::string{is_namespace ? "metadata.namespace" : "metadata.name"} +
                      ": has a blank, a slash or a control character");
        }
}

TEST_CASE("P-050 D-15 ClientIP affinity lasts as long as it says, three hours by default",
          "[api]") {
    const auto affinity = [](const std::string& more) {
        return service(R"("clusterIP":"10.96.0.1",)" + more).client_ip_affinity;
    };
    CHECK(affinity(R"("sessionAffinity":"None")") == std::nullopt);
    CHECK(affinity(R"("sessionAffinity":"ClientIP")") == 10800s);
    CHECK(affinity(R"("sessionAffinity":"ClientIP","sessionAffinityConfig":null)") == 10800s);
    CHECK(affinity(R"("sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{}})") ==
          10800s);
    CHECK(affinity(R"("sessionAffinityConfig":{"clientIP":{"timeoutSeconds":60}},)"
                   R"("sessionAffinity":"ClientIP")") == 60s);
    CHECK(affinity(R"("sessionAffinityConfig":{"clientIP":{"timeoutSeconds":60}})") ==
          std::nullopt);
}

TEST_CASE("the label service-proxy-name gives a Service to another proxy, also when empty",
          "[api]") {
    const auto of = [](const std::string& labels) {
        return as<Service>(
                   read_json(R"({"kind":"Service","apiVersion":"v1","metadata":{"labels":{)" +
                             labels + R"(},"name":"a","namespace":"b"},"spec":{}})")
                       .objects.at(0))
            .other_proxy;
    };
    CHECK(of(R"("service.kubernetes.io/service-proxy-name":"x")"));
    CHECK(of(R"("service.kubernetes.io/service-proxy-name":"")"));
    CHECK_FALSE(of(R"("service.kubernetes.io/headless":"","app":"web")"));
}

TEST_CASE("a port that cannot be refuses its Service and says where it stands", "[api]") {
    const auto refused = [](const std::string& spec) {
        const auto one = decoded(R"("clusterIP":"10.96.0.1",)" + spec);
        REQUIRE(one.object.has_error());
        return one.label() + ": " + one.object.error().text();
    };
    CHECK(refused(R"("ports":[{"port":80},{"port":70000}])") ==
          "Service ns/web: spec.ports[1].port: port outside 1..65535");
    CHECK(refused(R"("ports":[{"port":0}])") ==
          "Service ns/web: spec.ports[0].port: port outside 1..65535");
    CHECK(refused(R"("ports":[{"name":"a"}])") == "Service ns/web: spec.ports[0].port: required");
    CHECK(refused(R"("ports":[{"port":80,"nodePort":-1}])") ==
          "Service ns/web: spec.ports[0].nodePort: port outside 1..65535");
    CHECK(refused(R"("ports":[{"port":"80"}])") ==
          "Service ns/web: spec.ports[0].port: must be a whole number");
    CHECK(refused(R"("ports":[{"port":80.5}])") ==
          "Service ns/web: spec.ports[0].port: must be a whole number");
    CHECK(refused(R"("ports":[{"port":18446744073709551615}])") ==
          "Service ns/web: spec.ports[0].port: must be a whole number");
    CHECK(refused(R"("ports":{"port":80})") ==
          "Service ns/web: spec.ports: must be a list of objects");
    CHECK(refused(R"("ports":[80])") == "Service ns/web: spec.ports[0]: must be an object");
    CHECK(refused(R"("externalIPs":[1])") ==
          "Service ns/web: spec.externalIPs[0]: must be a string");
    CHECK(refused(R"("externalIPs":[["x"]])") ==
          "Service ns/web: spec.externalIPs[0]: must be a string");
    CHECK(refused(R"("type":true)") == "Service ns/web: spec.type: must be a string");
    CHECK(refused(R"("sessionAffinityConfig":{"clientIP":{"timeoutSeconds":0}})") ==
          "Service ns/web: spec.sessionAffinityConfig.clientIP.timeoutSeconds: "
          "timeout outside 1..86400 seconds");
}

TEST_CASE("values not known are named and treated like those that mean nothing", "[api]") {
    const auto read = decoded(R"("clusterIP":"10.96.0.1","type":"Mesh","sessionAffinity":"Cookie",)"
                              R"("externalTrafficPolicy":"Zone","internalTrafficPolicy":"Zone",)"
                              R"("ports":[{"name":"q","port":1,"protocol":"QUIC"},{"port":2}])");
    const auto& service = as<Service>(read);
    CHECK(service.type == ServiceType::cluster_ip);
    CHECK_FALSE(service.client_ip_affinity);
    CHECK_FALSE(service.external_local);
    REQUIRE(service.ports.size() == 1);
    CHECK(service.ports[0].port == Port{2});
    CHECK(warnings(read) ==
          Texts{"spec.ports[0].protocol: unknown protocol, port passed over: \"QUIC\"",
                "spec.type: unknown value \"Mesh\", treated as ClusterIP",
                "spec.sessionAffinity: unknown value \"Cookie\", treated as None",
                "spec.externalTrafficPolicy: unknown value \"Zone\", treated as Cluster",
                "spec.internalTrafficPolicy: unknown value \"Zone\", treated as Cluster"});
}

TEST_CASE("a key given twice is named and the last one counts", "[api]") {
    const auto read =
        decoded(R"("clusterIP":"10.96.0.1","clusterIP":"10.96.0.2","ports":[{"port":1}],)"
                R"("x":1,"x":2,"ports":[{"port":2}])");
    CHECK(as<Service>(read).cluster_ip.v4 == ip("10.96.0.2"));
    REQUIRE(as<Service>(read).ports.size() == 1);
    CHECK(as<Service>(read).ports[0].port == Port{2});
    CHECK(warnings(read) == Texts{"spec.clusterIP: given twice, the last one counts",
                                  "spec.ports: given twice, the last one counts"});
}

TEST_CASE("warnings beyond a screenful are counted", "[api]") {
    std::string spec = R"("clusterIP":"10.96.0.1","externalIPs":["x")";
    for (int i = 0; i < 99; ++i)
        spec += R"(,"x")";
    const auto read = decoded(spec + "]");
    REQUIRE(read.warnings.size() == 33);
    CHECK(read.warnings.back().reason == "68 more warnings");
}

TEST_CASE("lists past any sense refuse the object that has them", "[api]") {
    std::string spec = R"("externalIPs":["10.0.0.1")";
    for (int i = 0; i < 20000; ++i)
        spec += R"(,"10.0.0.1")";
    const auto read = decoded(spec + "]");
    REQUIRE(read.object.has_error());
    CHECK(read.object.error().text() == "spec.externalIPs[20000]: more than 20000 elements");
}
