#include "proxy/https/url.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace ipvsproxy::https {
namespace {

std::string lower(std::string_view text) {
    std::string result{text};
    std::ranges::transform(result, result.begin(), [](char each) {
        return each >= 'A' && each <= 'Z' ? static_cast<char>(each - 'A' + 'a') : each;
    });
    return result;
}

std::optional<Port> default_port(std::string_view scheme) {
    if (scheme == "https") return Port{443};
    if (scheme == "http") return Port{80};
    if (scheme == "socks5" || scheme == "socks5h") return Port{1080};
    return std::nullopt;
}

Result<Port> parse_port(std::string_view text) {
    std::uint16_t number{};
    const auto* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end || number == 0)
        return Problem{"port \"" + std::string{text} + "\" is not within 1..65535"};
    return Port{number};
}

/// Splits `[::1]:6443`, `host:6443`, `host`.
std::optional<Problem> take_authority(Url& url, std::string_view text) {
    url.authority = text;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == text.npos) return Problem{"the bracket before the IPv6 address is not closed"};
        url.host = unescape(text.substr(1, close - 1));
        if (!url.address()) return Problem{"[" + url.host + "] is no IPv6 address"};
        port = text.substr(close + 1);
        if (!port.empty() && !port.starts_with(':')) return Problem{"there is something after ]"};
    } else {
        const auto colon = text.find(':');
        if (text.find(':', colon == text.npos ? colon : colon + 1) != text.npos)
            return Problem{"an IPv6 address needs brackets: [" + std::string{text} + "]"};
        url.host = lower(text.substr(0, colon));
        port = colon == text.npos ? std::string_view{} : text.substr(colon);
    }
    if (url.host.empty()) return Problem{"it has no host"};
    if (port.size() <= 1) return std::nullopt; // none, or `host:`
    const auto number = parse_port(port.substr(1));
    if (!number) return number.error();
    url.port = *number;
    return std::nullopt;
}

void take_user(Url& url, std::string_view text) {
    const auto colon = text.find(':');
    url.user = unescape(text.substr(0, colon));
    if (colon != text.npos) url.password = unescape(text.substr(colon + 1));
}

int hex(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

} // namespace

void throw_exception_from_error(const Problem& problem, const boost::source_location&) {
    throw std::runtime_error{problem.reason};
}

std::optional<Address> Url::address() const {
    return Address::parse(host.substr(0, host.find('%')));
}

std::string Url::text() const {
    return scheme + "://" + authority + path;
}

std::string join_host_port(std::string_view host, Port port) {
    const bool brackets = host.find(':') != host.npos;
    return (brackets ? "[" : "") + std::string{host} + (brackets ? "]:" : ":") +
           std::to_string(port.value);
}

std::string unescape(std::string_view text) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '%' && at + 2 < text.size() && hex(text[at + 1]) >= 0 &&
            hex(text[at + 2]) >= 0) {
            result += static_cast<char>(hex(text[at + 1]) * 16 + hex(text[at + 2]));
            at += 2;
        } else result += text[at];
    }
    return result;
}

Result<Url> parse_url(std::string_view text, std::string_view default_scheme) {
    for (const char each : text)
        if (each <= ' ' || each == 0x7f)
            return Problem{"there is a blank or control character in it"};
    Url url;
    const auto slashes = text.find("://");
    url.scheme = lower(slashes == text.npos ? default_scheme : text.substr(0, slashes));
    if (slashes != text.npos) text.remove_prefix(slashes + 3);
    const auto port = default_port(url.scheme);
    if (!port) return Problem{"scheme \"" + url.scheme + "\" is not known"};
    url.port = *port;
    const auto slash = text.find_first_of("/?#");
    auto authority = text.substr(0, slash);
    if (const auto at = authority.rfind('@'); at != authority.npos) {
        take_user(url, authority.substr(0, at));
        authority.remove_prefix(at + 1);
    }
    if (const auto problem = take_authority(url, authority)) return *problem;
    if (slash == text.npos) return url;
    url.path = text.substr(slash);
    if (url.path.find_first_of("?#") != url.path.npos)
        return Problem{"a query or fragment has no place in it"};
    while (url.path.ends_with('/'))
        url.path.pop_back();
    return url;
}

} // namespace ipvsproxy::https
