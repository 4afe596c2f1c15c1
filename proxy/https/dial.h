// From a URL to a connection: names, addresses, proxies, TLS.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/https/stream.h"
#include "proxy/https/url.h"

namespace ipvsproxy::https {

/// How a server is reached.
struct Route {
    Url server{};
    std::optional<Url> proxy{};
    TlsContext tls{};          ///< for https
    TlsContext proxy_tls{};    ///< for a proxy of https
    std::string server_name{}; ///< to be in the certificate; empty: the server's host
};

struct DialPace {
    std::chrono::nanoseconds connect{std::chrono::seconds{30}};   ///< all addresses together
    std::chrono::nanoseconds handshake{std::chrono::seconds{10}}; ///< TLS, and the proxy's answer
    /// An address that has not answered for so long is not given up, but the next one is tried
    /// beside it (RFC 8305 §5).
    std::chrono::nanoseconds head_start{std::chrono::milliseconds{250}};
};

/// IPv6 and IPv4 by turns, as they come in each (RFC 8305 §4).
std::vector<boost::asio::ip::tcp::endpoint>
interleaved(std::vector<boost::asio::ip::tcp::endpoint> endpoints);

/// Opens connections; keeps what a name was resolved to, for the time when it cannot be asked.
class Dialer {
public:
    explicit Dialer(DialPace pace = {}) : pace_{pace} {}
    /// @throws boost::system::system_error whose text names the step, the address and the cause.
    boost::asio::awaitable<std::unique_ptr<Stream>> dial(Route route);

private:
    boost::asio::awaitable<std::unique_ptr<Stream>> connect(Url url);
    boost::asio::awaitable<std::vector<boost::asio::ip::tcp::endpoint>> resolve(Url url);

    DialPace pace_;
    std::pair<std::string, std::vector<boost::asio::ip::tcp::endpoint>> known_{};
};

} // namespace ipvsproxy::https
