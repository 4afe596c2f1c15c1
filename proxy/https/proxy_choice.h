// Which proxy a request goes through when the environment decides: HTTPS_PROXY, NO_PROXY.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/https/url.h"

namespace ipvsproxy::https {

/// What the environment says of proxies; the lower-case names where the upper-case ones are empty.
struct ProxyEnvironment {
    std::string http_proxy{}, https_proxy{}, no_proxy{};
};

/// As Go's net/http reads them (golang.org/x/net/http/httpproxy): localhost and loopback addresses
/// go straight; entries of NO_PROXY are addresses, CIDRs, `host`, `.domain` (and `*.domain`), any
/// with `:port`, or `*`. A name covers what is below it; with a leading dot only that.
/// @return none: straight to the server; the problem of a proxy's URL.
Result<std::optional<Url>> choose_proxy(const Url& server, const ProxyEnvironment& environment);

/// A proxy's URL: http unless it says otherwise; https, socks5 and socks5h are the others.
Result<Url> parse_proxy_url(std::string_view text);

} // namespace ipvsproxy::https
