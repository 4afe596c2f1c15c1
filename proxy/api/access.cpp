#include "proxy/api/access.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "proxy/api/kubeconfig.h"
#include "proxy/api/read_file.h"
#include "proxy/https/proxy_choice.h"
#include "proxy/log/log.h"

namespace ipvsproxy::api {
namespace {

Access in_cluster(const AccessSearch& search) {
    const auto host = search.environment("KUBERNETES_SERVICE_HOST");
    const auto port = search.environment("KUBERNETES_SERVICE_PORT");
    if (host.empty() || port.empty())
        throw std::runtime_error{
            "no API server is known: this is no pod (KUBERNETES_SERVICE_HOST "
            "and KUBERNETES_SERVICE_PORT are not set); "
            "set clientConnection.kubeconfig or --master, or name manifests with -f"};
    Access access;
    const bool bare_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
    const auto url =
        https::parse_url("https://" + (bare_ipv6 ? "[" + host + "]" : host) + ":" + port);
    if (!url)
        throw std::runtime_error{"KUBERNETES_SERVICE_HOST or _PORT is of no use: " +
                                 url.error().reason};
    access.server = *url;
    access.token.file = search.service_account + "/token";
    access.ca.file = search.service_account + "/ca.crt";
    access.origin = "the pod's service account (" + search.service_account + ")";
    try {
        access.token.text = read_file(access.token.file);
    } catch (const std::system_error& error) {
        throw std::runtime_error{
            "the pod has no service account token: " + std::string{error.what()} +
            "; is automountServiceAccountToken off? Otherwise set clientConnection.kubeconfig"};
    }
    if (!std::filesystem::exists(access.ca.file)) { // as client-go: the system's may do
        log::warning("The service account has no CA; the system's are used",
                     {{"file", access.ca.file}});
        access.ca = {};
    }
    return access;
}

void choose_proxy_from_environment(Access& access, const AccessSearch& search) {
    if (access.proxy) return;
    const auto either = [&](const char* upper, const char* lower) {
        const auto text = search.environment(upper);
        return text.empty() ? search.environment(lower) : text;
    };
    const https::ProxyEnvironment environment{.http_proxy = either("HTTP_PROXY", "http_proxy"),
                                              .https_proxy = either("HTTPS_PROXY", "https_proxy"),
                                              .no_proxy = either("NO_PROXY", "no_proxy")};
    auto proxy = https::choose_proxy(access.server, environment);
    if (!proxy)
        throw std::runtime_error{"HTTPS_PROXY or HTTP_PROXY is no URL of a proxy: " +
                                 proxy.error().reason};
    access.proxy = std::move(*proxy);
}

Access from_kubeconfig(const AccessSearch& search) {
    std::string text;
    try {
        text = read_file(search.kubeconfig);
    } catch (const std::system_error& error) {
        throw std::runtime_error{std::string{"kubeconfig (clientConnection.kubeconfig) "} +
                                 error.what()};
    }
    return read_kubeconfig(text, search.kubeconfig, search.master);
}

Access from_master(const AccessSearch& search) {
    Access access;
    access.server = parse_master(search.master, "http");
    access.origin = "--master, without credentials";
    return access;
}

} // namespace

std::string environment_variable(const char* name) {
    const char* const value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): nobody sets any
    return value == nullptr ? "" : value;
}

Access find_access(const AccessSearch& given) {
    auto search = given;
    if (!search.environment) search.environment = environment_variable;
    auto access = !search.kubeconfig.empty() ? from_kubeconfig(search)
                  : !search.master.empty()   ? from_master(search)
                                             : in_cluster(search);
    choose_proxy_from_environment(access, search);
    return access;
}

} // namespace ipvsproxy::api
