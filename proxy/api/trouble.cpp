#include "proxy/api/trouble.h"

#include <algorithm>
#include <boost/system/system_error.hpp>

namespace ipvsproxy::api {
namespace {

constexpr std::chrono::minutes longest_distance{60};

std::string remedy_of(const Resource& resource, int code) {
    switch (code) {
    case 401:
        return "check the credentials: token, client certificate or exec plugin of the kubeconfig, "
               "or the service account's token";
    case 403:
        return "let the user named list and watch " + resource.name +
               ": bind it to the ClusterRole system:node-proxier";
    case 404:
        return "check the server's URL, and that it serves " + resource.path;
    case 429:
        return "the API server is overloaded; it is asked again";
    default:
        return code >= 500 ? "see the API server's own log; it is asked again"
                           : "check the server's URL: is this an API server?";
    }
}

/// By the categories' names: TLS has a heavy header.
std::string remedy_of(const boost::system::error_code& code) {
    namespace errc = boost::system::errc;
    const std::string_view category = code.category().name();
    if (category.find("ssl") != std::string_view::npos)
        return "check certificate-authority and tls-server-name of the kubeconfig, and the clock";
    if (category == "asio.netdb" || category == "asio.addrinfo")
        return "check the server's name and this node's DNS: what runs before the cluster's own "
               "DNS "
               "cannot use it";
    if (code == errc::connection_refused)
        return "check the server's address and port, and that the API server runs; it is asked "
               "again";
    if (code == errc::network_unreachable || code == errc::host_unreachable ||
        code == errc::timed_out)
        return "check routes and firewalls between this node and the server; it is asked again";
    return "it is asked again";
}

} // namespace

Trouble trouble_of(const std::exception& error) {
    const auto* system = dynamic_cast<const boost::system::system_error*>(&error);
    return {"API server", error.what(),
            system != nullptr ? remedy_of(system->code())
                              : "check the credentials that the kubeconfig names"};
}

Trouble trouble_of(const Resource& resource, int code, const Status& status) {
    std::string cause = "HTTP status " + std::to_string(code);
    if (!status.message.empty()) cause += ": " + status.message;
    else if (!status.reason.empty()) cause += ": " + status.reason;
    // Who one is, and how the server fares, does not depend on what is asked for.
    const bool of_all = code == 401 || code == 429 || code >= 500;
    return {of_all ? "API server" : resource.name, std::move(cause), remedy_of(resource, code)};
}

bool Troubles::report(const std::string& resource, const Trouble& trouble, Moment now) {
    leave(resource, &trouble);
    const auto [at, is_new] = standing_.try_emplace(trouble);
    auto& standing = at->second;
    standing.resources.insert(resource);
    if (!is_new && now < standing.told_again) return false;
    if (!is_new) standing.distance = std::min(standing.distance * 2, longest_distance);
    standing.told_again = now + standing.distance;
    return true;
}

std::vector<Trouble> Troubles::well(const std::string& resource) {
    return leave(resource, nullptr);
}

std::vector<Trouble> Troubles::leave(const std::string& resource, const Trouble* stays) {
    std::vector<Trouble> over;
    for (auto at = standing_.begin(); at != standing_.end();) {
        auto& resources = at->second.resources;
        const bool left =
            (stays == nullptr || at->first != *stays) && resources.erase(resource) > 0;
        if (left && resources.empty()) {
            over.push_back(at->first);
            at = standing_.erase(at);
        } else ++at;
    }
    return over;
}

} // namespace ipvsproxy::api
