#include "tests/kernel/echo.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <ostream>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace ipvsproxy::kernel_test {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// Every address in one form: IPv4 as ::ffff:a.b.c.d, so that one socket of each kind serves both
/// families.
sockaddr_in6 mapped(const AddressPort& where) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(where.port.value);
    const auto bytes = where.address.bytes();
    auto* to = std::begin(result.sin6_addr.s6_addr);
    if (where.address.family() == Family::v4) {
        to[10] = to[11] = 0xff;
        to += 12;
    }
    std::memcpy(to, bytes.data(), bytes.size());
    return result;
}

const sockaddr* generic(const sockaddr_in6& address) {
    return reinterpret_cast<const sockaddr*>(&address); // the socket interface's own form
}

std::string text_of(const sockaddr_in6& address) {
    const auto& bytes = address.sin6_addr.s6_addr;
    return Address::from_bytes({std::begin(bytes), std::size(bytes)})->text();
}

int open_socket(int type) {
    const int descriptor = ::socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket");
    const int both_families = 0;
    ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &both_families, sizeof both_families);
    return descriptor;
}

int open_server(int type, Port port) {
    const int descriptor = open_socket(type);
    const int again = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &again, sizeof again);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port.value);
    if (::bind(descriptor, generic(any), sizeof any) != 0) fail("bind");
    if (type == SOCK_STREAM && ::listen(descriptor, SOMAXCONN) != 0) fail("listen");
    return descriptor;
}

bool ready(int descriptor, short events, std::chrono::milliseconds limit) {
    pollfd waiting{.fd = descriptor, .events = events, .revents = 0};
    return ::poll(&waiting, 1, static_cast<int>(limit.count())) > 0;
}

/// The outcome of a connect, send or receive that returned `result`.
Outcome outcome_of(ssize_t result) {
    if (result >= 0) return Outcome::answered;
    if (errno == ECONNREFUSED || errno == ECONNRESET) return Outcome::refused;
    if (errno == ENETUNREACH || errno == EHOSTUNREACH) return Outcome::unreachable;
    if (errno == ETIMEDOUT || errno == EAGAIN) return Outcome::silent;
    fail("asking a backend");
}

Outcome connect_within(int descriptor, const sockaddr_in6& target,
                       std::chrono::milliseconds limit) {
    if (::connect(descriptor, generic(target), sizeof target) == 0) return Outcome::answered;
    if (errno != EINPROGRESS) return outcome_of(-1);
    if (!ready(descriptor, POLLOUT, limit)) return Outcome::silent;
    int error{};
    socklen_t size = sizeof error;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    return outcome_of(error == 0 ? 0 : -1);
}

Answer converse(int descriptor, bool datagram, const sockaddr_in6& target,
                std::chrono::milliseconds limit) {
    if (const auto met = connect_within(descriptor, target, limit); met != Outcome::answered)
        return {.outcome = met};
    if (datagram) ::send(descriptor, "?", 1, MSG_NOSIGNAL);
    if (!ready(descriptor, POLLIN, limit)) return {};
    std::array<char, 200> buffer{};
    const ssize_t size = ::recv(descriptor, buffer.data(), buffer.size(), 0);
    Answer answer{.outcome = outcome_of(size)};
    if (answer.outcome == Outcome::answered) {
        std::istringstream words{std::string{buffer.data(), static_cast<std::size_t>(size)}};
        words >> answer.backend >> answer.source;
    }
    return answer;
}

} // namespace

EchoServer::EchoServer(const Namespace& where, std::string name, Port port)
    : name_(std::move(name)) {
    {
        // A socket stays in the namespace it was made in, whichever thread uses it.
        const Inside there{where};
        stream_ = open_server(SOCK_STREAM, port);
        datagram_ = open_server(SOCK_DGRAM, port);
    }
    thread_ = std::jthread{[this](const std::stop_token& stop) { serve(stop); }};
}

EchoServer::~EchoServer() {
    thread_.request_stop();
    thread_.join();
    ::close(stream_);
    ::close(datagram_);
}

void EchoServer::serve(const std::stop_token& stop) const {
    constexpr int look_for_stop_ms = 50;
    while (!stop.stop_requested()) {
        std::array<pollfd, 2> waiting{pollfd{.fd = stream_, .events = POLLIN, .revents = 0},
                                      pollfd{.fd = datagram_, .events = POLLIN, .revents = 0}};
        if (::poll(waiting.data(), waiting.size(), look_for_stop_ms) <= 0) continue;
        sockaddr_in6 peer{};
        socklen_t size = sizeof peer;
        auto* const from = reinterpret_cast<sockaddr*>(&peer); // the socket interface's own form
        if (waiting[0].revents != 0) {
            const int connection = ::accept4(stream_, from, &size, SOCK_CLOEXEC);
            if (connection < 0) continue; // the client has gone already
            const auto text = name_ + ' ' + text_of(peer);
            ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
            ::close(connection);
        } else if (waiting[1].revents != 0) {
            char ignored{};
            if (::recvfrom(datagram_, &ignored, 1, 0, from, &size) < 0) continue;
            const auto text = name_ + ' ' + text_of(peer);
            ::sendto(datagram_, text.data(), text.size(), 0, from, size);
        }
    }
}

std::ostream& operator<<(std::ostream& out, const Answer& answer) {
    switch (answer.outcome) {
    case Outcome::answered:
        return out << answer.backend << " saw " << answer.source;
    case Outcome::refused:
        return out << "refused";
    case Outcome::unreachable:
        return out << "unreachable";
    case Outcome::silent:
        return out << "silence";
    }
    return out;
}

Answer ask(const Namespace& from, Protocol protocol, const AddressPort& target,
           std::chrono::milliseconds limit) {
    const Inside there{from};
    const bool datagram = protocol == Protocol::udp;
    const int descriptor = open_socket((datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK);
    try {
        auto answer = converse(descriptor, datagram, mapped(target), limit);
        ::close(descriptor);
        return answer;
    } catch (...) {
        ::close(descriptor);
        throw;
    }
}

int listen_at(const Namespace& where, Port port) {
    const Inside there{where};
    return open_server(SOCK_STREAM, port);
}

int connect_to(const Namespace& from, const AddressPort& target, std::chrono::milliseconds limit) {
    const Inside there{from};
    const int descriptor = open_socket(SOCK_STREAM | SOCK_NONBLOCK);
    if (connect_within(descriptor, mapped(target), limit) == Outcome::answered) return descriptor;
    const int error = errno;
    ::close(descriptor);
    throw std::system_error(error, std::generic_category(), "connect to " + target.text());
}

} // namespace ipvsproxy::kernel_test
