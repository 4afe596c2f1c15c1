#include "tests/kernel/topology.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace ipvsproxy::kernel_test {

namespace {

constexpr Port served{8080};

void ip_batch(const Namespace& where, const std::string& commands) {
    const Inside there{where};
    must_run({"ip", "-batch", "-"}, commands);
}

std::filesystem::path scratch_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "topology.XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
        throw std::system_error(errno, std::generic_category(), pattern);
    return pattern;
}

std::string program_path() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no test sets a variable
    const char* const path = std::getenv("IPVSPROXY");
    if (path == nullptr) throw std::runtime_error("IPVSPROXY does not name the program under test");
    return path;
}

void write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file{path};
    file << text;
    if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

void connect_client(const Namespace& client, const Namespace& node) {
    ip_batch(node, "link add eth0 type veth peer name eth0 netns " + client.path() +
                       "\nlink set eth0 up\n"
                       "addr add 192.168.10.11/24 dev eth0\n"
                       "addr add fd00:10::11/64 dev eth0 nodad\n");
    ip_batch(client, "link set eth0 up\n"
                     "addr add 192.168.10.50/24 dev eth0\n"
                     "addr add 192.168.10.60/24 dev eth0\n"
                     "addr add fd00:10::50/64 dev eth0 nodad\n"
                     "route add default via 192.168.10.11\n"
                     "route add default via fd00:10::11\n");
}

std::map<std::string, int> count_answers(const Namespace& from, Protocol protocol,
                                         const std::string& address, std::uint16_t port,
                                         int times) {
    const auto parsed = Address::parse(address);
    if (!parsed) throw std::runtime_error("no address: " + address);
    std::map<std::string, int> result;
    for (int i = 0; i < times; ++i) {
        std::ostringstream text;
        text << ask(from, protocol, {.address = *parsed, .port = Port{port}},
                    std::chrono::milliseconds{1500});
        ++result[text.str()];
    }
    return result;
}

/// Links that come up would not send from their IPv6 addresses for a second or two (RFC 4862's
/// duplicate detection).
void skip_duplicate_detection(const Namespace& where) {
    const Inside there{where};
    write("/proc/sys/net/ipv6/conf/all/accept_dad", "0");
    write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
}

} // namespace

Topology::Topology()
    : local_1_server_(local_1_, "local-1", served), local_2_server_(local_2_, "local-2", served),
      remote_1_server_(remote_1_, "remote-1", served), files_(scratch_folder()) {
    for (const auto* each : {&client_, &node_, &local_1_, &local_2_, &remote_1_})
        skip_duplicate_detection(*each);
    connect_client(client_, node_);
    attach(local_1_, "pod1", "10.244.1.10", "fd00:244:1::10");
    attach(local_2_, "pod2", "10.244.1.20", "fd00:244:1::20");
    attach(remote_1_, "pod3", "10.244.2.10", "fd00:244:2::10");
    const Inside there{node_};
    // kube-proxy leaves IPv6 forwarding to the node's own set-up.
    write("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    // Tests count refusals; a real node tells a client of about one a second.
    write("/proc/sys/net/ipv4/icmp_ratelimit", "0");
    write("/proc/sys/net/ipv6/icmp/ratelimit", "0");
}

Topology::~Topology() {
    std::error_code ignored; // a folder below the guest's own /run
    std::filesystem::remove_all(files_, ignored);
}

void Topology::attach(const Namespace& pod, const std::string& link, const std::string& v4,
                      const std::string& v6) const {
    std::ostringstream outer;
    outer << "link add " << link << " type veth peer name eth0 netns " << pod.path() << '\n'
          << "link set " << link << " up\n"
          << "addr add 10.244.1.1/32 dev " << link << '\n'
          << "addr add fd00:244:1::1/128 dev " << link << " nodad\n"
          << "route add " << v4 << " dev " << link << " src 10.244.1.1\n"
          << "route add " << v6 << " dev " << link << '\n';
    ip_batch(node_, outer.str());
    std::ostringstream inner;
    inner << "link set eth0 up\n"
          << "addr add " << v4 << "/32 dev eth0\n"
          << "addr add " << v6 << "/128 dev eth0 nodad\n"
          << "route add 10.244.1.1 dev eth0\n"
          << "route add default via 10.244.1.1\n"
          << "route add fd00:244:1::1 dev eth0\n"
          << "route add default via fd00:244:1::1\n";
    ip_batch(pod, inner.str());
}

Finished Topology::program(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{program_path()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const Inside there{node_};
    return run_command(argv);
}

void Topology::give(const std::string& manifests, const std::string& config) const {
    write(files_ / "objects.yaml", manifests);
    // nf_conntrack_max belongs to the machine; a network namespace may only read it.
    write(files_ / "config.yaml", "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
                                  "kind: KubeProxyConfiguration\n"
                                  "mode: ipvs\n"
                                  "hostnameOverride: node-1\n"
                                  "conntrack: {maxPerCore: 0}\n" +
                                      config);
}

std::vector<std::string> Topology::command_line(const std::string& verb,
                                                const std::vector<std::string>& flags) const {
    std::vector<std::string> words{verb, "--config", files_ / "config.yaml", "-f",
                                   files_ / "objects.yaml"};
    words.insert(words.end(), flags.begin(), flags.end());
    return words;
}

Finished Topology::proxy(const std::string& verb, const std::string& manifests,
                         const std::string& config, const std::vector<std::string>& flags) const {
    give(manifests, config);
    return program(command_line(verb, flags));
}

Running Topology::daemon(const std::vector<std::string>& flags) const {
    auto argv = command_line("run", flags);
    argv.insert(argv.begin(), program_path());
    const Inside there{node_};
    return Running{argv};
}

void Topology::apply(const std::string& manifests, const std::string& config,
                     const std::vector<std::string>& flags) const {
    const auto finished = proxy("apply", manifests, config, flags);
    if (finished.status == 0) return;
    std::ostringstream text;
    text << "ipvsproxy apply: " << finished;
    throw std::runtime_error(text.str());
}

std::set<std::string> survey(const Namespace& from, Protocol protocol, const std::string& address,
                             std::uint16_t port, int times) {
    std::set<std::string> result;
    for (const auto& [answer, count] : count_answers(from, protocol, address, port, times))
        result.insert(std::to_string(count) + " x " + answer);
    return result;
}

std::set<std::string> answers(const Namespace& from, Protocol protocol, const std::string& address,
                              std::uint16_t port, int times) {
    std::set<std::string> result;
    for (const auto& [answer, count] : count_answers(from, protocol, address, port, times))
        result.insert(answer);
    return result;
}

bool answers_ping(const Namespace& from, const std::string& address) {
    const Inside there{from};
    return run_command({"ping", "-c", "1", "-W", "2", address}).status == 0;
}

} // namespace ipvsproxy::kernel_test
