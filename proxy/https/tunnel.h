// The way through a proxy to a server.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "proxy/https/stream.h"
#include "proxy/https/url.h"

namespace ipvsproxy::https {

/// Asks an HTTP proxy for a tunnel to `server` (CONNECT, RFC 9110 §9.3.6). User and password of the
/// proxy's URL are sent as Basic.
/// @throws boost::system::system_error when it refuses, with what it said.
boost::asio::awaitable<void> connect_through_http(Stream& proxy, Url proxy_url, Url server);

/// Asks a SOCKS 5 proxy (RFC 1928; user and password: RFC 1929), which resolves names itself.
/// @throws boost::system::system_error when it refuses.
boost::asio::awaitable<void> connect_through_socks(Stream& proxy, Url proxy_url, Url server);

} // namespace ipvsproxy::https
