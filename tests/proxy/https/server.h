// A server in the test's own process: what it does with a connection is written in the test.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proxy/https/stream.h"
#include "tests/proxy/https/certificates.h"

namespace ipvsproxy::https_test {

namespace asio = boost::asio;

/// Reads up to the blank line that ends a request's head, and the body its Content-Length promises.
/// @return all of it; empty when the client has closed instead.
asio::awaitable<std::string> read_request(https::Stream& stream);

/// Runs a coroutine to its end, everything else on `context` beside it; what it throws is thrown.
/// The test fails when it takes 20 seconds.
void run(asio::io_context& context, asio::awaitable<void> work);

struct ServerTls {
    Identity identity;
    std::string client_ca{}; ///< clients must show a certificate of this one
};

/// Listens on a port of 127.0.0.1 for as long as it lives.
class Server {
public:
    /// @param number of the connection, from 1.
    using Serve = std::function<asio::awaitable<void>(https::Stream&, int number)>;
    Server(asio::io_context& context, Serve serve, std::optional<ServerTls> tls = std::nullopt);
    ~Server();

    std::uint16_t port() const;
    int connections() const; ///< that were accepted, and whose TLS handshake was done

    struct State;

private:
    std::shared_ptr<State> state_;
};

} // namespace ipvsproxy::https_test
