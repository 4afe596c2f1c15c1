// Objects for the pods of a Topology, as manifests.
#pragma once

#include <sstream>
#include <string>
#include <vector>

namespace ipvsproxy::kernel_test {

/// A Service of namespace default; `spec` is further lines of its spec, each indented by two.
inline std::string service(const std::string& name, const std::string& spec) {
    return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name +
           ", namespace: default}\nspec:\n" + spec;
}

/// The ports of every service here: 80 over TCP and UDP, to the backends' 8080.
inline std::string ports(int tcp_node_port = 0, int udp_node_port = 0) {
    const auto node_port = [](int port) {
        return port == 0 ? std::string{} : ", nodePort: " + std::to_string(port);
    };
    return "  ports:\n  - {name: tcp, port: 80, targetPort: 8080, protocol: TCP" +
           node_port(tcp_node_port) +
           "}\n  - {name: udp, port: 80, targetPort: 8080, protocol: UDP" +
           node_port(udp_node_port) + "}\n";
}

struct Endpoint {
    const char* address;
    const char* node;
};
inline constexpr Endpoint local_1{.address = "10.244.1.10", .node = "node-1"};
inline constexpr Endpoint local_2{.address = "10.244.1.20", .node = "node-1"};
inline constexpr Endpoint remote_1{.address = "10.244.2.10", .node = "node-2"};
inline constexpr Endpoint local_1_v6{.address = "fd00:244:1::10", .node = "node-1"};
inline constexpr Endpoint remote_1_v6{.address = "fd00:244:2::10", .node = "node-2"};

inline std::string slice(const std::string& of, const std::vector<Endpoint>& endpoints) {
    const bool v6 = std::string{endpoints.front().address}.find(':') != std::string::npos;
    std::ostringstream text;
    text << "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " << of
         << (v6 ? "-v6" : "-v4")
         << ", namespace: default, labels: {kubernetes.io/service-name: " << of
         << "}}\naddressType: " << (v6 ? "IPv6" : "IPv4")
         << "\nports:\n- {name: tcp, port: 8080, protocol: TCP}\n"
            "- {name: udp, port: 8080, protocol: UDP}\nendpoints:\n";
    for (const auto& endpoint : endpoints)
        text << "- {addresses: ['" << endpoint.address << "'], nodeName: " << endpoint.node
             << ", conditions: {ready: true}}\n";
    return text.str();
}

} // namespace ipvsproxy::kernel_test
