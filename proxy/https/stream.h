// Bytes to and from a server, over TCP or TLS.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proxy/https/tls.h"

namespace ipvsproxy::https {

/// A connection; closed when it is destroyed. One read or one write is under way at a time.
class Stream {
public:
    virtual ~Stream() = default;
    /// @return how many bytes were read; 0 when the peer has closed, with TLS's farewell or
    /// without.
    /// @throws boost::system::system_error
    virtual boost::asio::awaitable<std::size_t> read_some(std::span<char> room) = 0;
    /// Writes all of it. @throws boost::system::system_error
    virtual boost::asio::awaitable<void> write(std::string_view bytes) = 0;
    /// Whether nothing has come on it that nobody waits for: a farewell, a reset, an error.
    virtual bool quiet() = 0;
};

/// Plain TCP. Keep-alive probes find a peer that has vanished within a minute, as does a minute in
/// which nothing sent was acknowledged; small requests are sent at once.
std::unique_ptr<Stream> make_stream(boost::asio::ip::tcp::socket socket);

/// TLS as a client over `below`, which must come from this header.
/// @param name that the peer's certificate is to bear: a host name, or an IP address.
/// @throws boost::system::system_error; one of verification names what is wrong with the
/// certificate.
boost::asio::awaitable<std::unique_ptr<Stream>> start_tls(std::unique_ptr<Stream> below,
                                                          TlsContext context, std::string name);

} // namespace ipvsproxy::https
