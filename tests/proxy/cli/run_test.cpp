// The daemon on a real kernel, from outside: manifests on disk, signals, its log and the node.
#include <catch2/catch.hpp>
#include <csignal>
#include <fcntl.h>
#include <set>
#include <sstream>
#include <sys/mman.h>

#include "tests/kernel/namespace.h"
#include "tests/kernel/running.h"
#include "tests/proxy/cli/program.h"
#include "tests/proxy/files/folder.h"

namespace ipvsproxy::cli {
namespace {

using Catch::Matchers::Contains;
using files::Folder;
using files::service_yaml;
using kernel_test::comes_true;
using kernel_test::must_run;
using kernel_test::Namespace;
using kernel_test::Running;

/// nf_conntrack_max belongs to the host's own network namespace: here it cannot be set.
std::vector<std::string> run_command_line(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {program_path(), "run", "--conntrack-max-per-core=0"});
    return arguments;
}

/// `ipvsproxy run` on a node of its own, fed from a folder on the guest's tmpfs (whose changes
/// inotify tells).
struct Node {
    Namespace own;
    Folder folder;

    Running daemon(std::vector<std::string> arguments = {}) const {
        arguments.insert(arguments.begin(), {"-f", folder.path()});
        return Running{run_command_line(std::move(arguments))};
    }
};

/// The virtual servers' addresses and ports, in order: "10.96.0.1:80 10.96.0.2:80".
std::string served() {
    std::istringstream lines{must_run({"ipvsadm", "-S", "-n"})};
    std::set<std::string> servers;
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("-A -")) servers.insert(line.substr(6, line.find(' ', 6) - 6));
    std::string all;
    for (const auto& server : servers)
        all += (all.empty() ? "" : " ") + server;
    return all;
}

/// Waits until the node serves this, as served() tells it.
void await_served(const Running& daemon, const std::string& expected) {
    if (comes_true([&] { return served() == expected; })) return;
    UNSCOPED_INFO(daemon.log());
    REQUIRE(served() == expected);
}

void await_said(const Running& daemon, const std::string& text, std::size_t times = 1) {
    if (comes_true([&] { return daemon.count(text) >= times; })) return;
    UNSCOPED_INFO(daemon.log());
    FAIL("not said: " << text);
}

/// Ends the daemon as an init system does, which must be well.
std::string stop(Running& daemon) {
    daemon.signal(SIGTERM);
    const auto finished = daemon.wait();
    CAPTURE(finished);
    REQUIRE(finished.status == 0);
    return finished.err;
}

TEST_CASE("run follows files that are replaced, appear and are removed", "[.kernel]") {
    const Node node;
    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1"));
    auto daemon = node.daemon();
    await_served(daemon, "10.96.0.1:80");
    node.folder.replace("a.yaml", service_yaml("a", "10.96.0.1", "8080"));
    await_served(daemon, "10.96.0.1:8080");
    node.folder.write("b.json", R"({"kind": "Service", "apiVersion": "v1",
        "metadata": {"name": "b"}, "spec": {"clusterIP": "10.96.0.2", "ports": [{"port": 1}]}})");
    await_served(daemon, "10.96.0.1:8080 10.96.0.2:1");
    node.folder.remove("a.yaml");
    await_served(daemon, "10.96.0.2:1");
    CHECK(must_run({"ip", "address", "show", "kube-ipvs0"}).find("10.96.0.1/") ==
          std::string::npos);
    stop(daemon);
}

TEST_CASE("run follows a mounted ConfigMap, whose link kubelet swaps", "[.kernel]") {
    const Node node;
    const auto give = [&](const std::string& version, const std::string& address) {
        node.folder.make(version);
        node.folder.write(version + "/web.yaml", service_yaml("web", address));
        node.folder.link(version, "..data_tmp");
        node.folder.rename("..data_tmp", "..data");
    };
    give("..2026_1", "10.96.0.1");
    node.folder.link("..data/web.yaml", "web.yaml");
    auto daemon = node.daemon();
    await_served(daemon, "10.96.0.1:80");
    give("..2026_2", "10.96.0.2");
    node.folder.remove("..2026_1");
    await_served(daemon, "10.96.0.2:80");
    give("..2026_3", "10.96.0.3");
    await_served(daemon, "10.96.0.3:80");
    stop(daemon);
}

TEST_CASE("run keeps what a half-written file gave, and says once where it is wrong", "[.kernel]") {
    const Node node;
    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1"));
    node.folder.write("b.yaml", service_yaml("b", "10.96.0.2"));
    auto daemon = node.daemon();
    await_served(daemon, "10.96.0.1:80 10.96.0.2:80");

    const std::string half = "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n"
                             "  clusterIP: [10.96";
    node.folder.write("a.yaml", half);
    await_said(daemon, node.folder.path("a.yaml") + ":5");
    node.folder.write("a.yaml", half); // an editor saves again
    node.folder.write("b.yaml", service_yaml("b", "10.96.0.2", "81"));
    await_served(daemon, "10.96.0.1:80 10.96.0.2:81");
    CHECK(daemon.count(node.folder.path("a.yaml")) == 1);

    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1", "700000"));
    await_said(daemon, "spec.ports[0].port");
    CHECK_THAT(daemon.log(),
               Contains(node.folder.path("a.yaml") + ":6") && Contains("Service default/a"));
    CHECK(served() == "10.96.0.1:80 10.96.0.2:81");

    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1", "7000"));
    await_served(daemon, "10.96.0.1:7000 10.96.0.2:81");
    const auto log = stop(daemon);
    CAPTURE(log);
    CHECK(daemon.count("a.yaml:") == 2);
}

TEST_CASE("a Service that run cannot read touches no other of its file", "[.kernel]") {
    const Node node;
    const auto file = [&](const std::string& port_of_bad, const std::string& port_of_good) {
        node.folder.replace("all.yaml", service_yaml("bad", "10.96.0.1", port_of_bad) +
                                            service_yaml("good", "10.96.0.2", port_of_good));
    };
    file("80", "80");
    auto daemon = node.daemon();
    await_served(daemon, "10.96.0.1:80 10.96.0.2:80");
    file("-1", "81");
    await_served(daemon, "10.96.0.1:80 10.96.0.2:81");
    file("82", "82");
    await_served(daemon, "10.96.0.1:82 10.96.0.2:82");
    stop(daemon);
}

TEST_CASE("run -R reads and follows the folders below, without it they are passed over",
          "[.kernel]") {
    const Node node;
    node.folder.make("below");
    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1"));
    node.folder.write("below/b.yaml", service_yaml("b", "10.96.0.2"));
    {
        auto flat = node.daemon();
        await_said(flat, "The node is as the Services ask");
        CHECK(served() == "10.96.0.1:80");
        stop(flat);
    }
    auto deep = node.daemon({"-R"});
    await_served(deep, "10.96.0.1:80 10.96.0.2:80");
    node.folder.make("new/deeper");
    node.folder.write("new/deeper/c.yaml", service_yaml("c", "10.96.0.3"));
    await_served(deep, "10.96.0.1:80 10.96.0.2:80 10.96.0.3:80");
    node.folder.remove("below");
    await_served(deep, "10.96.0.1:80 10.96.0.3:80");
    stop(deep);
}

TEST_CASE("run reads standard input once, beside files that it follows", "[.kernel]") {
    const Node node;
    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1"));
    Running daemon{run_command_line({"-f", "-", "-f", node.folder.path("a.yaml")}),
                   service_yaml("piped", "10.96.0.9")};
    await_served(daemon, "10.96.0.1:80 10.96.0.9:80");
    daemon.signal(SIGHUP);
    await_said(daemon, "Reading all files again");
    node.folder.replace("a.yaml", service_yaml("a", "10.96.0.2"));
    await_served(daemon, "10.96.0.2:80 10.96.0.9:80");
    stop(daemon);
}

/// A file changed through a mapping that was made before: inotify tells nothing of that.
class Mapping {
public:
    explicit Mapping(const std::string& path) {
        const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        REQUIRE(file >= 0);
        size_ = static_cast<std::size_t>(::lseek(file, 0, SEEK_END));
        void* const at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        REQUIRE(at != MAP_FAILED);
        text_ = static_cast<char*>(at);
    }
    ~Mapping() { ::munmap(text_, size_); }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    void replace(const std::string& old, const std::string& text) const {
        const auto at = std::string_view{text_, size_}.find(old);
        REQUIRE(at != std::string::npos);
        std::copy(text.begin(), text.end(), text_ + at);
    }

private:
    char* text_{};
    std::size_t size_{};
};

TEST_CASE("run reads its files again on SIGHUP, where nothing tells of their change", "[.kernel]") {
    const Node node;
    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1"));
    const Mapping behind{node.folder.path("a.yaml")};
    auto daemon = node.daemon();
    await_served(daemon, "10.96.0.1:80");
    behind.replace("10.96.0.1", "10.96.0.2");
    daemon.signal(SIGHUP);
    await_served(daemon, "10.96.0.2:80");
    stop(daemon);
}

TEST_CASE("run ends well on SIGTERM and SIGINT, leaves the node as it is, and adopts it again",
          "[.kernel]") {
    const Node node;
    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1") + files::slice_yaml("a1", "a"));
    std::string before;
    for (const int signal : {SIGTERM, SIGINT, SIGTERM}) {
        CAPTURE(signal);
        auto daemon = node.daemon();
        await_said(daemon, "The node is as the Services ask");
        const auto state = call({"snapshot"}).out;
        daemon.signal(signal);
        const auto finished = daemon.wait();
        CAPTURE(finished);
        CHECK(finished.status == 0);
        CHECK(call({"snapshot"}).out == state);
        if (!before.empty()) {
            CHECK(state == before);
            CHECK_THAT(finished.err, Contains("\"Read the node's state\" differences=0"));
        }
        before = state;
    }
    CHECK_THAT(before, Contains("10.0.0.1:80"));
}

TEST_CASE("run writes nothing until every input is there", "[.kernel]") {
    const Node node;
    must_run({"ipvsadm", "-A", "-t", "10.96.0.7:80", "-s", "rr"});
    node.folder.write("a.yaml", service_yaml("a", "10.96.0.1"));
    auto daemon = node.daemon({"-f", node.folder.path() + "/later"});
    await_said(daemon, "Nothing is written until every input has been read");
    CHECK(served() == "10.96.0.7:80");
    node.folder.write("later", service_yaml("b", "10.96.0.2"));
    await_served(daemon, "10.96.0.1:80 10.96.0.2:80");
    stop(daemon);
}

TEST_CASE("without IPv6 run keeps the node for IPv4 alone, and says so once", "[.kernel]") {
    const Node node;
    must_run({"sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"});
    const std::string both = "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n"
                             "  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, 'fd00:96::1']\n"
                             "  ipFamilies: [IPv4, IPv6]\n  ports: [{port: ";
    node.folder.write("a.yaml", both + "80}]\n");
    auto daemon = node.daemon();
    await_served(daemon, "10.96.0.1:80");
    node.folder.replace("a.yaml", both + "81}]\n");
    await_served(daemon, "10.96.0.1:81");
    CHECK(must_run({"ipset", "list", "-n"}).find("KUBE-6-") == std::string::npos);
    const auto log = stop(daemon);
    CAPTURE(log);
    CHECK(daemon.count("IPv4 alone") == 1);
}

TEST_CASE("without a Node object run goes by the host's name and its interfaces", "[.kernel]") {
    const Node node;
    must_run({"ip", "link", "add", "eth0", "type", "dummy"});
    must_run({"ip", "link", "set", "eth0", "up"});
    must_run({"ip", "address", "add", "192.0.2.10/24", "dev", "eth0"});
    node.folder.write("a.yaml",
                      "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n"
                      "  type: NodePort\n  externalTrafficPolicy: Local\n  clusterIP: 10.96.0.1\n"
                      "  ports: [{port: 80, nodePort: 30080}]\n---\n"
                      "kind: EndpointSlice\napiVersion: discovery.k8s.io/v1\n"
                      "metadata: {name: a1, labels: {kubernetes.io/service-name: a}}\n"
                      "addressType: IPv4\nports: [{name: '', port: 80}]\nendpoints:\n"
                      "- {addresses: [10.0.0.1], nodeName: here}\n"
                      "- {addresses: [10.0.0.2], nodeName: elsewhere}\n");
    auto daemon = node.daemon({"--hostname-override", " HERE "});
    await_served(daemon, "10.96.0.1:80 192.0.2.10:30080");
    await_said(daemon, "The node is as the Services ask");
    const auto servers = must_run({"ipvsadm", "-S", "-n"});
    CHECK_THAT(servers, Contains("-a -t 192.0.2.10:30080 -r 10.0.0.1:80"));
    CHECK(servers.find("192.0.2.10:30080 -r 10.0.0.2") == std::string::npos);
    must_run({"ip", "address", "add", "192.0.2.11/24", "dev", "eth0"}); // D-11
    await_served(daemon, "10.96.0.1:80 192.0.2.10:30080 192.0.2.11:30080");
    stop(daemon);
}

} // namespace
} // namespace ipvsproxy::cli
