#pragma once

#include "netlink/ip.h"
#include "tests/kernel/namespace.h"

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <thread>
#include <vector>

namespace ipvsproxy::kernel_test {

/// A backend: tells whoever connects by TCP or sends by UDP, over IPv4 or IPv6, its own name and
/// the source address it saw. Serves from construction until destruction.
class EchoServer {
public:
    /// Listens on every address of `where`. @throws std::system_error when it cannot.
    EchoServer(const Namespace& where, std::string name, Port port);
    ~EchoServer();
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;
    EchoServer(EchoServer&&) = delete;
    EchoServer& operator=(EchoServer&&) = delete;

private:
    void serve(const std::stop_token& stop) const;

    std::string name_;
    int stream_{-1}, datagram_{-1};
    std::jthread thread_;
};

enum class Outcome : std::uint8_t {
    answered,
    refused,     ///< TCP reset or ICMP port unreachable
    unreachable, ///< no route, or ICMP network or host unreachable
    silent,      ///< nothing came back in time
};

/// What a client found out.
struct Answer {
    Outcome outcome{Outcome::silent};
    std::string backend{}; ///< the EchoServer's name
    std::string source{};  ///< the client's address as the backend saw it
    friend bool operator==(const Answer&, const Answer&) = default;
};
std::ostream& operator<<(std::ostream& out, const Answer& answer);

/// Asks whoever answers at `target`, from a fresh local port of namespace `from`.
/// @param limit how long to wait for an answer before it counts as silence
Answer ask(const Namespace& from, Protocol protocol, const AddressPort& target,
           std::chrono::milliseconds limit = std::chrono::seconds{3});

/// A socket that listens for TCP, over both families. The caller closes it.
/// @throws std::system_error when it cannot.
int listen_at(const Namespace& where, Port port);
/// A TCP connection, non-blocking. The caller closes it.
/// @throws std::system_error when it does not come about within `limit`.
int connect_to(const Namespace& from, const AddressPort& target,
               std::chrono::milliseconds limit = std::chrono::seconds{3});

} // namespace ipvsproxy::kernel_test
