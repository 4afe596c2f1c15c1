// Credential plugins (client.authentication.k8s.io): what they are told, and what they answer.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/api/access.h"
#include "proxy/api/client.h"

namespace ipvsproxy::api {

/// What a plugin gave.
struct ExecCredential {
    std::string token{};
    std::string certificate_pem{}, key_pem{};
    /// Not to be used from then on; none: until the server refuses it.
    std::optional<std::chrono::system_clock::time_point> expires{};
    friend bool operator==(const ExecCredential&, const ExecCredential&) = default;
};

/// KUBERNETES_EXEC_INFO: an ExecCredential with its spec. @param ca_pem of the cluster.
std::string exec_info(const Access& access, std::string_view ca_pem);

/// Reads what the plugin printed. @throws std::runtime_error that says what is wrong with it.
ExecCredential parse_exec_credential(const std::string& output, const std::string& api_version);

/// Runs the plugin of `access`, which has one; both outlive the call.
/// @throws std::runtime_error that names the command, the cause (its complaints, its exit status)
/// and the remedy (the kubeconfig's installHint).
boost::asio::awaitable<ExecCredential> run_exec_plugin(const Access& access, std::string ca_pem,
                                                       ClientObserver* observer);

} // namespace ipvsproxy::api
