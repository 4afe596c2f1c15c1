// What a running daemon serves, asked with curl on a kernel of its own.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/kernel/namespace.h"
#include "tests/proxy/cli/program.h"

namespace ipvsproxy::cli {
namespace {

using Catch::Matchers::Contains;
using kernel_test::Namespace;

const std::string web = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: 10.96.0.80
  type: LoadBalancer
  externalTrafficPolicy: Local
  healthCheckNodePort: 32000
  ports: [{name: tcp, port: 80, targetPort: 8080, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-v4, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: tcp, port: 8080, protocol: TCP}]
endpoints:
- {addresses: ['10.244.1.10'], nodeName: node-1, conditions: {ready: true}}
)";

/// Runs a shell script beside a daemon over `web`, which it waits for. `$daemon` is its pid.
kernel_test::Finished beside_daemon(const std::string& script) {
    const auto folder = std::filesystem::temp_directory_path() / "ipvsproxy-served-test";
    std::filesystem::create_directories(folder);
    std::ofstream{folder / "web.yaml"} << web;
    const std::string frame =
        "cd " + folder.string() +
        R"sh(; export no_proxy='*'
start() { exec ")sh" +
        program_path() +
        R"sh(" run --hostname-override=node-1 --conntrack-max-per-core=0 --profiling -f web.yaml "$@"; }
run() { (start "$@"); }
get() { curl -sg --max-time 10 "$@"; }
code() { get -o /dev/null -w '%{http_code}\n' "$@"; }
start 2>log & daemon=$!
for i in $(seq 100); do [ "$(code localhost:32000)" = 200 ] && break; sleep 0.2; done
)sh";
    const auto result = kernel_test::run_command({"sh", "-c", frame + script});
    std::ifstream log{folder / "log"};
    UNSCOPED_INFO(std::string(std::istreambuf_iterator<char>{log}, {}));
    return result;
}

} // namespace

TEST_CASE("curl gets every page of a running daemon, which ends with 0 when told to",
          "[cli][.kernel]") {
    const Namespace own;
    const auto result = beside_daemon(R"sh(
code 127.0.0.1:10256/healthz; code '[::1]:10256/livez'; code 127.0.0.1:10256/
get 127.0.0.1:10249/proxyMode; echo
get 127.0.0.1:10249/healthz?verbose
get -X PUT -d 3 127.0.0.1:10249/debug/flags/v; echo
get 127.0.0.1:10249/metrics | grep -E '^(kubeproxy_sync_proxy_rules_service_changes_total|ipvsproxy_objects.*virtual)'
code -I 127.0.0.1:10249/configz
get -i 127.0.0.1:32000/any | grep Weight
kill -TERM $daemon; wait $daemon; echo "exit $?"
code 127.0.0.1:10256/healthz
)sh");
    CAPTURE(result);
    CHECK(result.out == "200\n200\n404\nipvs\n[+]ping ok\nhealthz check passed\n"
                        "successfully set klog.logging.verbosity to 3\n"
                        "ipvsproxy_objects{kind=\"virtual_servers\"} 1\n"
                        "kubeproxy_sync_proxy_rules_service_changes_total 2\n"
                        "200\nX-Load-Balancing-Endpoint-Weight: 1\r\nexit 0\n000\n");
}

TEST_CASE("/healthz is 503, and /livez 200, until all input was read and the node is kept",
          "[cli][.kernel]") {
    const Namespace own;
    const auto result = beside_daemon(R"sh(
kill -TERM $daemon; wait $daemon
echo '}{' >half.yaml
start -f half.yaml 2>half & daemon=$!
for i in $(seq 100); do [ "$(code localhost:10256/livez)" = 200 ] && break; sleep 0.2; done
code localhost:10256/livez; code localhost:10256/healthz
cp web.yaml half.yaml
for i in $(seq 100); do [ "$(code localhost:10256/healthz)" = 200 ] && break; sleep 0.2; done
code localhost:10256/healthz; grep -c 'The node is as the Services ask' half
kill -TERM $daemon; wait $daemon; echo "exit $?"
)sh");
    CAPTURE(result);
    CHECK(result.out == "200\n503\n200\n1\nexit 0\n");
}

TEST_CASE("An address that is taken is tried again, or ends the daemon with bindAddressHardFail",
          "[cli][.kernel]") {
    const Namespace own;
    const auto result = beside_daemon(R"sh(
run --bind-address-hard-fail 2>second; echo "exit $?"
grep -c 'listen tcp .*in use.*bindAddressHardFail' second
start --healthz-bind-address=127.0.0.1:10256 --metrics-bind-address=127.0.0.1:10300 2>third & third=$!
for i in $(seq 100); do [ "$(code localhost:10300/proxyMode)" = 200 ] && break; sleep 0.2; done
grep -c 'cannot be listened on; tried again' third
kill -TERM $daemon; wait $daemon
for i in $(seq 100); do [ "$(code localhost:10256/livez)" = 200 ] && break; sleep 0.2; done
code localhost:10256/livez
kill -TERM $third; wait $third; echo "exit $?"
)sh");
    CAPTURE(result);
    CHECK_THAT(result.out, Catch::Matchers::Matches("exit 1\n[12]\n1\n200\nexit 0\n"));
}

} // namespace ipvsproxy::cli
