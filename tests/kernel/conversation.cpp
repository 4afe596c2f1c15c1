#include "tests/kernel/conversation.h"

#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "tests/kernel/echo.h"

namespace ipvsproxy::kernel_test {

namespace {

constexpr int limit_ms = 5000;

bool ready(int descriptor, short events) {
    pollfd waiting{.fd = descriptor, .events = events, .revents = 0};
    return ::poll(&waiting, 1, limit_ms) > 0;
}

bool carries(int from, int to) {
    char byte = '!';
    return ::send(from, &byte, 1, MSG_NOSIGNAL) == 1 && ready(to, POLLIN) &&
           ::recv(to, &byte, 1, 0) == 1;
}

} // namespace

Conversation::Conversation(const Namespace& client_side, const AddressPort& target,
                           const Namespace& server_side, Port listen) {
    const int door = listen_at(server_side, listen);
    try {
        client_ = connect_to(client_side, target);
    } catch (...) {
        ::close(door);
        throw;
    }
    if (ready(door, POLLIN)) server_ = ::accept4(door, nullptr, nullptr, SOCK_CLOEXEC);
    ::close(door);
    if (server_ >= 0) return;
    ::close(client_);
    throw std::runtime_error{target.text() + " leads elsewhere"};
}

Conversation::~Conversation() {
    ::close(server_);
    if (client_ >= 0) ::close(client_);
}

bool Conversation::goes_on() const {
    return carries(client_, server_) && carries(server_, client_);
}

void Conversation::break_off() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(client_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(std::exchange(client_, -1));
}

} // namespace ipvsproxy::kernel_test
