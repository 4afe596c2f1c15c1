// Answers HTTP/1.1 on one or more addresses, from coroutines of one event loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "netlink/ip.h"
#include "proxy/http/message.h"

namespace ipvsproxy::http {

/// Which families an unspecified address (0.0.0.0, ::) stands for.
enum class Reach : std::uint8_t {
    every_family, ///< both by one socket where the host has IPv6, as Go's "tcp" listens
    own_family    ///< Go's "tcp4", "tcp6"
};

/// What a server grants its clients. Nobody holds a connection for ever, and nobody all of them.
struct Patience {
    std::chrono::milliseconds idle{std::chrono::seconds{90}}; ///< from one request to the next
    std::chrono::milliseconds request{
        std::chrono::seconds{10}};                              ///< from its first byte to the last
    std::chrono::milliseconds answer{std::chrono::seconds{30}}; ///< for taking all of it
    std::size_t connections{256}; ///< beyond it the one that is idle longest goes, or the new one
};

/// Used on the thread of its executor.
class Server {
public:
    Server(boost::asio::any_io_executor executor, Handler handler, Patience patience = {});
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    /// Cuts what is still open.
    ~Server();

    /// Listens and answers from now on. Port 0 takes a free one.
    /// @throws std::system_error `listen tcp 0.0.0.0:10256: bind: Address already in use`
    void listen(const AddressPort& where, Reach reach);
    /// Where the n-th listen() ended up, with the port the kernel chose.
    AddressPort local(std::size_t n = 0) const;

    /// No more connections. Requests that have begun are answered, idle connections end now.
    void close();
    /// Ends when the last connection has, or after `grace`: what is open then is cut.
    boost::asio::awaitable<void> closed(std::chrono::milliseconds grace);

private:
    class Shared;
    std::shared_ptr<Shared> shared_;
};

} // namespace ipvsproxy::http
