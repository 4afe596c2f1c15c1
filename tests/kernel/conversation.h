#pragma once

#include "netlink/ip.h"
#include "tests/kernel/namespace.h"

namespace ipvsproxy::kernel_test {

/// A TCP connection that stays open, and both of its ends.
class Conversation {
public:
    /// Listens in `server_side` at `listen`, and connects from `client_side` to `target`, which
    /// must lead there. @throws std::exception when it does not.
    Conversation(const Namespace& client_side, const AddressPort& target,
                 const Namespace& server_side, Port listen);
    ~Conversation();
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;
    Conversation(Conversation&&) = delete;
    Conversation& operator=(Conversation&&) = delete;

    /// Whether a byte gets from each end to the other.
    bool goes_on() const;
    /// The client breaks it off with a reset: IPVS forgets it in ten seconds, not two minutes.
    void break_off();

private:
    int server_{-1}, client_{-1};
};

} // namespace ipvsproxy::kernel_test
