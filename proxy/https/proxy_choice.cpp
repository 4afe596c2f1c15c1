#include "proxy/https/proxy_choice.h"

#include <algorithm>
#include <charconv>

namespace ipvsproxy::https {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// An entry of NO_PROXY without its port, which is put into `port`.
std::string_view without_port(std::string_view entry, std::string_view& port) {
    const auto colon = entry.rfind(':');
    if (colon == entry.npos) return entry;
    const bool bracketed = entry.starts_with('[') && entry[colon - 1] == ']';
    if (!bracketed && entry.find(':') != colon) return entry; // a bare IPv6 address
    port = entry.substr(colon + 1);
    entry = entry.substr(0, colon);
    return bracketed ? entry.substr(1, entry.size() - 2) : entry;
}

bool name_matches(std::string_view pattern, std::string_view host) {
    if (pattern.starts_with('*')) pattern.remove_prefix(1);
    if (pattern.starts_with('.')) return host.size() > pattern.size() && host.ends_with(pattern);
    if (host == pattern) return true;
    return host.size() > pattern.size() && host.ends_with(pattern) &&
           host[host.size() - pattern.size() - 1] == '.';
}

bool entry_matches(std::string_view entry, const Url& server) {
    if (entry.empty()) return false;
    if (entry == "*") return true;
    const auto address = server.address();
    if (const auto network = Prefix::parse(entry)) return address && network->contains(*address);
    std::string_view port;
    const auto name = without_port(entry, port);
    if (!port.empty() && port != std::to_string(server.port.value)) return false;
    if (const auto same = Address::parse(name)) return address == same;
    return !address && name_matches(name, server.host);
}

bool goes_straight(const Url& server, std::string_view no_proxy) {
    if (server.host == "localhost") return true;
    const auto address = server.address();
    if (address && address->is_loopback()) return true;
    while (!no_proxy.empty()) {
        const auto comma = no_proxy.find(',');
        if (entry_matches(trimmed(no_proxy.substr(0, comma)), server)) return true;
        no_proxy.remove_prefix(comma == no_proxy.npos ? no_proxy.size() : comma + 1);
    }
    return false;
}

} // namespace

Result<Url> parse_proxy_url(std::string_view text) {
    return parse_url(text, "http");
}

Result<std::optional<Url>> choose_proxy(const Url& server, const ProxyEnvironment& environment) {
    const auto& text = server.scheme == "https" ? environment.https_proxy : environment.http_proxy;
    if (text.empty() || goes_straight(server, environment.no_proxy)) return std::optional<Url>{};
    auto proxy = parse_proxy_url(text);
    if (!proxy) return proxy.error();
    return std::optional{std::move(*proxy)};
}

} // namespace ipvsproxy::https
