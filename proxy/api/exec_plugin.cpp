#include "proxy/api/exec_plugin.h"

#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/system/system_error.hpp>
#include <stdexcept>
#include <system_error>

#include "proxy/api/child.h"
#include "proxy/api/decode_time.h"
#include "proxy/https/base64.h"

namespace ipvsproxy::api {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, const char* key) {
    const auto* const value = object.if_contains(key);
    if (value == nullptr || value->is_null()) return {};
    if (!value->is_string()) throw std::runtime_error{std::string{key} + " is not a text"};
    return std::string{value->get_string()};
}

void name_problems(const ExecCredential& credential) {
    if (credential.certificate_pem.empty() != credential.key_pem.empty())
        throw std::runtime_error{"it gave a certificate or a key, but not both"};
    if (credential.token.empty() && credential.key_pem.empty())
        throw std::runtime_error{"it gave neither a token nor a certificate with its key"};
}

std::vector<std::string> plugin_environment(const Access& access, const std::string& ca_pem) {
    std::vector<std::string> result;
    for (char** each = environ; *each != nullptr; ++each)
        result.emplace_back(*each);
    const auto set = [&](const std::string& name, const std::string& value) {
        std::erase_if(result, [&](const auto& entry) { return entry.starts_with(name + "="); });
        result.push_back(name + "=" + value);
    };
    for (const auto& [name, value] : access.exec->environment)
        set(name, value);
    set("KUBERNETES_EXEC_INFO", exec_info(access, ca_pem));
    return result;
}

/// What went wrong with the start of a command, for its operator.
std::string start_problem(const ExecPlugin& plugin, const std::system_error& error) {
    std::string text =
        "credential plugin " + plugin.command + " cannot be run: " + error.code().message();
    if (!plugin.install_hint.empty()) text += ". " + plugin.install_hint;
    return text;
}

std::string exit_problem(const ExecPlugin& plugin, const Finished& finished) {
    std::string text = "credential plugin " + plugin.command + " failed with exit status " +
                       std::to_string(finished.exit_code);
    auto complaints = finished.complaints;
    while (complaints.ends_with('\n'))
        complaints.pop_back();
    return complaints.empty() ? text : text + ": " + complaints;
}

} // namespace

std::string exec_info(const Access& access, std::string_view ca_pem) {
    const auto& plugin = *access.exec;
    json::object spec{{"interactive", false}};
    if (plugin.provide_cluster_info) {
        json::object cluster{{"server", access.server.text()}};
        if (!access.server_name.empty()) cluster["tls-server-name"] = access.server_name;
        if (access.insecure) cluster["insecure-skip-tls-verify"] = true;
        if (!ca_pem.empty()) cluster["certificate-authority-data"] = https::to_base64(ca_pem);
        if (access.proxy) cluster["proxy-url"] = access.proxy->text();
        if (!access.compression) cluster["disable-compression"] = true;
        if (!plugin.cluster_config.empty()) cluster["config"] = json::parse(plugin.cluster_config);
        spec["cluster"] = std::move(cluster);
    }
    return json::serialize(json::object{
        {"kind", "ExecCredential"}, {"apiVersion", plugin.api_version}, {"spec", std::move(spec)}});
}

ExecCredential parse_exec_credential(const std::string& output, const std::string& api_version) {
    json::error_code error;
    const auto document = json::parse(output, error);
    if (error || !document.is_object()) throw std::runtime_error{"it did not print a JSON object"};
    const auto& object = document.get_object();
    if (text_at(object, "kind") != "ExecCredential")
        throw std::runtime_error{"it printed no ExecCredential, but kind \"" +
                                 text_at(object, "kind") + "\""};
    if (text_at(object, "apiVersion") != api_version)
        throw std::runtime_error{"it speaks " + text_at(object, "apiVersion") +
                                 ", the kubeconfig says " + api_version};
    const auto* const status = object.if_contains("status");
    if (status == nullptr || !status->is_object()) throw std::runtime_error{"it printed no status"};
    const auto& fields = status->get_object();
    ExecCredential credential{.token = text_at(fields, "token"),
                              .certificate_pem = text_at(fields, "clientCertificateData"),
                              .key_pem = text_at(fields, "clientKeyData")};
    if (const auto expires = text_at(fields, "expirationTimestamp"); !expires.empty()) {
        const auto moment = parse_time(expires);
        if (!moment)
            throw std::runtime_error{"expirationTimestamp \"" + expires + "\" is no RFC 3339 time"};
        credential.expires = *moment;
    }
    name_problems(credential);
    return credential;
}

boost::asio::awaitable<ExecCredential> run_exec_plugin(const Access& access, std::string ca_pem,
                                                       ClientObserver* observer) {
    const auto& plugin = *access.exec;
    const auto tell = [&](int exit_code, std::string_view status) {
        if (observer != nullptr) observer->plugin_called(exit_code, status);
    };
    if (plugin.needs_terminal)
        throw std::runtime_error{
            "credential plugin " + plugin.command +
            " wants a terminal (interactiveMode: Always), which a daemon has not"};
    Command command{.path = plugin.command,
                    .arguments = plugin.arguments,
                    .environment = plugin_environment(access, ca_pem)};
    Finished finished;
    try {
        finished = co_await run_command(std::move(command));
    } catch (const std::system_error& error) {
        tell(1, "plugin_not_found_error");
        throw std::runtime_error{start_problem(plugin, error)};
    } catch (const boost::system::system_error& error) {
        tell(1, "client_internal_error");
        throw std::runtime_error{"credential plugin " + plugin.command + ": " +
                                 error.code().message()};
    }
    tell(finished.exit_code, finished.exit_code == 0 ? "no_error" : "plugin_execution_error");
    if (finished.exit_code != 0) throw std::runtime_error{exit_problem(plugin, finished)};
    try {
        co_return parse_exec_credential(finished.output, plugin.api_version);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error{"credential plugin " + plugin.command + ": " + error.what()};
    }
}

} // namespace ipvsproxy::api
