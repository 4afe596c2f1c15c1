#pragma once

#include "tests/kernel/echo.h"
#include "tests/kernel/namespace.h"
#include "tests/kernel/process.h"
#include "tests/kernel/running.h"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace ipvsproxy::kernel_test {

/// A small cluster in network namespaces, every pod on a veth pair to the node and routed through
/// it:
///
///     client 192.168.10.50 fd00:10::50 --- 192.168.10.11 fd00:10::11 node-1 (the proxy) 10.244.1.1
///     fd00:244:1::1
///         (also 192.168.10.60)               |
///                                            +-- local-1   10.244.1.10  fd00:244:1::10   (nodeName
///                                            node-1)
///                                            +-- local-2   10.244.1.20  fd00:244:1::20   (nodeName
///                                            node-1)
///                                            +-- remote-1  10.244.2.10  fd00:244:2::10   (nodeName
///                                            node-2)
///
/// Each pod runs an EchoServer of its name on port 8080. The program under test is named by the
/// environment variable IPVSPROXY, which tests/kernel/run --all sets.
class Topology {
public:
    /// @throws std::exception when a namespace or link cannot be made.
    Topology();
    ~Topology();
    Topology(const Topology&) = delete;
    Topology& operator=(const Topology&) = delete;
    Topology(Topology&&) = delete;
    Topology& operator=(Topology&&) = delete;

    const Namespace& client() const noexcept { return client_; }
    const Namespace& node() const noexcept { return node_; }
    const Namespace& local_1() const noexcept { return local_1_; }
    const Namespace& remote_1() const noexcept { return remote_1_; }

    /// Runs the program under test on the node.
    Finished program(const std::vector<std::string>& arguments) const;
    /// Runs `ipvsproxy VERB` on the node with these manifests.
    /// @param config lines added to the KubeProxyConfiguration
    Finished proxy(const std::string& verb, const std::string& manifests,
                   const std::string& config = {},
                   const std::vector<std::string>& flags = {}) const;
    /// `apply`, which must succeed. @throws std::runtime_error with the program's words.
    void apply(const std::string& manifests, const std::string& config = {},
               const std::vector<std::string>& flags = {}) const;

    /// What the next command, or the daemon, is fed with.
    void give(const std::string& manifests, const std::string& config = {}) const;
    /// `ipvsproxy run` on the node, which follows what is given.
    Running daemon(const std::vector<std::string>& flags = {}) const;

private:
    std::vector<std::string> command_line(const std::string& verb,
                                          const std::vector<std::string>& flags) const;
    void attach(const Namespace& pod, const std::string& link, const std::string& v4,
                const std::string& v6) const;

    // Destroyed in reverse: each namespace returns the thread to the one made before it.
    Namespace client_, node_, local_1_, local_2_, remote_1_;
    EchoServer local_1_server_, local_2_server_, remote_1_server_;
    std::filesystem::path files_;
};

/// Who answers, and with which source, when `from` asks `times` times: "3 x local-1 saw
/// 192.168.10.50", "1 x refused".
std::set<std::string> survey(const Namespace& from, Protocol protocol, const std::string& address,
                             std::uint16_t port, int times = 6);

/// As survey(), without the numbers: "local-1 saw 192.168.10.50", "refused".
std::set<std::string> answers(const Namespace& from, Protocol protocol, const std::string& address,
                              std::uint16_t port, int times = 6);

/// Whether `address` answers an echo request (ICMP or ICMPv6) from `from`.
bool answers_ping(const Namespace& from, const std::string& address);

} // namespace ipvsproxy::kernel_test
