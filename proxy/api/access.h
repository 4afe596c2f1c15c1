// How the API server is reached, and as whom: kubeconfig, or the pod's service account.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/https/url.h"

namespace ipvsproxy::api {

/// PEM text, or the file that has it and may be replaced at any time. The text counts first.
struct Material {
    std::string text{}, file{};
    bool empty() const noexcept { return text.empty() && file.empty(); }
    friend bool operator==(const Material&, const Material&) = default;
};

/// A command that prints credentials (client.authentication.k8s.io/v1, v1beta1).
struct ExecPlugin {
    std::string api_version{}; ///< "client.authentication.k8s.io/v1"
    std::string command{};     ///< a path, or a name to be looked up in PATH
    std::vector<std::string> arguments{};
    std::vector<std::pair<std::string, std::string>> environment{}; ///< besides our own
    std::string install_hint{};  ///< for the message when there is no such command
    bool provide_cluster_info{}; ///< tell it of the cluster
    std::string
        cluster_config{};  ///< JSON: the cluster's extension client.authentication.k8s.io/exec
    bool needs_terminal{}; ///< interactiveMode: Always; a daemon cannot
    friend bool operator==(const ExecPlugin&, const ExecPlugin&) = default;
};

struct Access {
    https::Url server{};
    Material ca{}; ///< none: the system's
    bool insecure{};
    std::string server_name{};     ///< tls-server-name; empty: the server's host
    Material certificate{}, key{}; ///< of the client
    Material token{};              ///< here the file counts first, as in client-go
    std::string username{}, password{};
    std::optional<ExecPlugin> exec{};
    std::optional<https::Url> proxy{}; ///< proxy-url, else the environment's
    bool compression{true};            ///< answers may come packed
    std::vector<std::pair<std::string, std::string>> impersonation{}; ///< header fields
    std::string origin{}; ///< for messages: `kubeconfig /etc/kp.conf (context "default")`
    friend bool operator==(const Access&, const Access&) = default;
};

/// Where to look. The defaults are those of a pod.
struct AccessSearch {
    std::string kubeconfig{}; ///< clientConnection.kubeconfig; no other place is searched
    std::string master{};     ///< --master, in place of the kubeconfig's server
    /// A variable of the environment; empty when it is not set.
    std::function<std::string(const char* name)> environment{};
    std::string service_account{"/var/run/secrets/kubernetes.io/serviceaccount"};
};

/// Reads the kubeconfig; without one and without a master, the service account of the pod. Files it
/// names are read later, whenever they are needed.
/// @throws std::runtime_error that names file, field and remedy.
Access find_access(const AccessSearch& search);

/// A variable of this process.
std::string environment_variable(const char* name);

} // namespace ipvsproxy::api
