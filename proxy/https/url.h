// URLs of servers and proxies (RFC 3986, the part that has a host).
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "netlink/ip.h"

namespace ipvsproxy::https {

/// Why a text is no URL that can be gone to.
struct Problem {
    std::string reason;
    friend bool operator==(const Problem&, const Problem&) = default;
};
template <class T> using Result = boost::system::result<T, Problem>;

/// As `value()` of such a result throws it: std::runtime_error with the reason.
[[noreturn]] void throw_exception_from_error(const Problem& problem, const boost::source_location&);

struct Url {
    std::string scheme{};           ///< lower case
    std::string user{}, password{}; ///< of a proxy; not escaped any more
    std::string host{};             ///< a name, or an address without brackets
    Port port{};                    ///< the scheme's where none was written
    std::string authority{};        ///< host and port as written: the Host header
    std::string path{};             ///< `/k8s/clusters/c-1`, or empty; never ends in a slash

    /// The host as an address, when it is one; without its zone.
    std::optional<Address> address() const;
    /// As written but for user and password.
    std::string text() const;
    friend bool operator==(const Url&, const Url&) = default;
};

/// @param default_scheme of a text without one, like `10.0.0.1:6443`.
Result<Url> parse_url(std::string_view text, std::string_view default_scheme = "https");

/// Host and port as they stand in an authority: brackets around IPv6.
std::string join_host_port(std::string_view host, Port port);

/// `%2F` and the like made characters again.
std::string unescape(std::string_view text);

} // namespace ipvsproxy::https
