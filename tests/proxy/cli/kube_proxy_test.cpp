// The program under kube-proxy's name: its command line, its texts, its exit codes.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "proxy/config/version.h"
#include "tests/proxy/cli/program.h"
#include "tests/proxy/files/folder.h"

namespace ipvsproxy::cli {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using files::Folder;
using Words = std::vector<std::string>;

/// The program, called by a link of that name, as the image has it.
class KubeProxy {
public:
    KubeProxy() { folder_.link(std::filesystem::absolute(program_path()).string(), "kube-proxy"); }
    kernel_test::Finished operator()(Words words) const {
        words.insert(words.begin(), folder_.path("kube-proxy"));
        return kernel_test::run_command(words);
    }
    const Folder& folder() const { return folder_; }

private:
    Folder folder_;
};

const std::string head =
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

TEST_CASE("--version is one line, of the release and of whose build it is") {
    const KubeProxy program;
    const auto line = program({"--version"});
    CHECK(line.status == 0);
    CHECK(line.out == "Kubernetes " + std::string{config::git_version} + "\n");
    const auto raw = program({"--version=raw", "--config=/nonexistent"});
    CHECK(raw.status == 0);
    CHECK_THAT(raw.out, StartsWith("version.Info{Major:\"1\", Minor:\"36\", GitVersion:\"" +
                                   std::string{config::git_version} + '"'));
}

TEST_CASE("a flag that cannot be read is told with the usage, on standard error") {
    const KubeProxy program;
    const auto result = program({"--no-such-flag"});
    CHECK(result.status == 1);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, StartsWith("Usage:\n  kube-proxy [flags]\n"));
    CHECK_THAT(result.err, EndsWith("\n\nError: unknown flag: --no-such-flag\n"));
    CHECK_THAT(result.err, Contains("--ipvs-scheduler"));
}

TEST_CASE("words that are no flags are refused, without the usage") {
    const auto operands = KubeProxy{}({"run", "now"});
    CHECK(operands.status == 1);
    CHECK(operands.err ==
          "Error: \"kube-proxy\" does not take any arguments, got [\"run\" \"now\"]\n");
    CHECK(KubeProxy{}({"", "--version", ""}).status == 0); // an empty word is none
}

TEST_CASE("--help goes to standard output and names every flag") {
    const KubeProxy program;
    const auto result = program({"--help"});
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    for (const auto* const flag : {"--config", "--proxy-mode", "--conntrack-min", "--vmodule"})
        CHECK_THAT(result.out, Contains(flag));
    CHECK(program({"-h"}).out == result.out);
}

TEST_CASE("what goes wrong once flags are read is a line of the log") {
    const KubeProxy program;
    const auto file = program({"--config=/nonexistent"});
    CHECK(file.status == 1);
    CHECK_THAT(file.err, StartsWith("E"));
    CHECK_THAT(file.err,
               Contains("] \"command failed\" err=\"failed complete: open /nonexistent: no "
                        "such file or directory\""));
    const auto values =
        program({"--oom-score-adj=2000", "--iptables-masquerade-bit=40", "--logging-format=json"});
    CHECK(values.status == 1);
    CHECK_THAT(values.err, Contains("\"msg\":\"command failed\",\"err\":\"failed validate: ["));
    CHECK_THAT(values.err, Contains("OOMScoreAdj") && Contains("MasqueradeBit"));
}

TEST_CASE(
    "without a kubeconfig it looks for the pod's service account; one that is missing is named") {
    const KubeProxy program;
    const auto nowhere =
        kernel_test::run_command({"env", "-u", "KUBERNETES_SERVICE_HOST",
                                  program.folder().path("kube-proxy"), "--proxy-mode=ipvs"});
    CAPTURE(nowhere);
    CHECK(nowhere.status == 1);
    CHECK_THAT(nowhere.err, Contains("Neither kubeconfig file nor master URL was specified, "
                                     "falling back to in-cluster config") &&
                                Contains("\"command failed\" err=\"no API server is known: "));
    const auto missing = program({"--proxy-mode=ipvs", "--kubeconfig=/nonexistent"});
    CHECK(missing.status == 1);
    CHECK_THAT(missing.err, Contains("\"command failed\" err=\"kubeconfig "
                                     "(clientConnection.kubeconfig) /nonexistent: No such file"));
}

TEST_CASE("another mode is refused in one sentence with a remedy") {
    const KubeProxy program;
    for (const auto* const mode : {"iptables", "nftables"}) {
        const auto result = program({"--proxy-mode", mode});
        CAPTURE(result);
        CHECK(result.status == 1);
        CHECK_THAT(result.err, Contains("which has ipvs only: set mode (--proxy-mode) to ipvs, or "
                                        "run kube-proxy on this node"));
    }
}

TEST_CASE("at a verbosity of 1 every flag is logged, before anything is judged") {
    const auto result = KubeProxy{}({"-v=1", "--proxy-mode=bogus", "--hostname-override=a \"b\""});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("] FLAG: --proxy-mode=\"bogus\"\n"));
    CHECK_THAT(result.err, Contains("] FLAG: --hostname-override=\"a \\\"b\\\"\"\n"));
    CHECK_THAT(result.err, Contains("] FLAG: --ipvs-sync-period=\"30s\"\n"));
    CHECK(result.err.find("FLAG:") < result.err.find("command failed"));
    CHECK(KubeProxy{}({"--proxy-mode=bogus"}).err.find("FLAG:") == std::string::npos);
}

TEST_CASE("deprecated flags warn, and name what to use instead") {
    const KubeProxy program;
    const auto result = program({"--healthz-port=1", "--metrics-port=2", "--write-config-to",
                                 program.folder().path("out")});
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("Flag --healthz-port has been deprecated, use "
                                    "--healthz-bind-address instead"));
    CHECK_THAT(result.err, Contains("Flag --metrics-port has been deprecated, use "
                                    "--metrics-bind-address instead"));
}

TEST_CASE("P-247 a file with unknown and doubled fields is read with a warning that names them") {
    const KubeProxy program;
    program.folder().write("config.conf",
                           head + "clusterCIDR: 10.1.0.0/16\nnoSuchField: 1\nclusterCIDR: "
                                  "10.2.0.0/16\n");
    const auto result = program({"--config", program.folder().path("config.conf"),
                                 "--write-config-to", program.folder().path("out")});
    CAPTURE(result);
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("Using lenient decoding as strict decoding failed") &&
                               Contains("noSuchField") && Contains("clusterCIDR"));
    std::ifstream in{program.folder().path("out")};
    const std::string written{std::istreambuf_iterator<char>{in}, {}};
    CHECK_THAT(written, Contains("clusterCIDR: 10.2.0.0/16"));
}

TEST_CASE("--write-config-to comes before --cleanup, and what it writes is read back the same") {
    const KubeProxy program;
    const auto out = program.folder().path("out"), again = program.folder().path("again");
    const auto result = program({"--write-config-to", out, "--cleanup", "--init-only",
                                 "--cluster-cidr=10.0.0.0/8", "--ipvs-scheduler=sh"});
    CAPTURE(result);
    CHECK(result.status == 0);
    CHECK(program({"--config", out, "--write-config-to", again}).status == 0);
    std::ifstream first{out}, second{again};
    const std::string a{std::istreambuf_iterator<char>{first}, {}},
        b{std::istreambuf_iterator<char>{second}, {}};
    CHECK_THAT(a, StartsWith(head.substr(0, head.find('\n'))) && Contains("scheduler: sh"));
    CHECK(a == b);
    CHECK_THAT(result.err, Contains("] \"Wrote configuration\" file=\"" + out + '"'));
    const auto nowhere = program({"--write-config-to=/nonexistent/file"});
    CHECK(nowhere.status == 1);
    CHECK_THAT(nowhere.err, Contains("/nonexistent/file") && Contains("command failed"));
}

TEST_CASE("without a command ipvsproxy reads kube-proxy's command line") {
    const auto result = call({"--proxy-mode=bogus"});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("command failed"));
    CHECK_THAT(call({"--no-such-flag"}).err, EndsWith("Error: unknown flag: --no-such-flag\n"));
    CHECK_THAT(call({"--help"}).out, Contains("Subcommands:"));
    CHECK_THAT(call({"--version"}).out, StartsWith("ipvsproxy "));
}

} // namespace
} // namespace ipvsproxy::cli
