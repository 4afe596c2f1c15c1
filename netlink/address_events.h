// What happens to the addresses and links of the namespace, as rtnetlink tells it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "netlink/ip.h"
#include "netlink/kernel_socket.h"

namespace ipvsproxy {

struct AddressEvent {
    std::string interface; ///< its name now; empty when it has gone before its name was known
    Address address;
    std::uint8_t prefix_length{};
    bool added{}; ///< or changed; false: removed
    friend bool operator==(const AddressEvent&, const AddressEvent&) = default;
};

struct AddressNews {
    /// In the order in which they happened; a new IPv6 address is told a little after it was
    /// added, and at times twice.
    std::vector<AddressEvent> addresses;
    std::set<std::string> links; ///< links that were made, changed or removed, by name
    /// Events were lost: read everything again (Device::snapshot).
    bool overrun{};
    bool empty() const noexcept { return addresses.empty() && links.empty() && !overrun; }
};

/// Subscribes when it is made, so that what a snapshot taken later misses is told here. Our own
/// changes come back as events too. In the network namespace of the thread that makes it.
class AddressEvents {
public:
    /// @throws std::system_error when rtnetlink cannot be opened or asked.
    explicit AddressEvents(netlink::SocketOptions options = {.receive_buffer_bytes = 16 << 20});

    /// Readable when something has happened. Stays owned by this object.
    int fd() const noexcept { return events_.fd(); }
    /// All that has happened since the last call; does not wait.
    /// @throws std::system_error when the socket is lost.
    AddressNews read();

private:
    void note(const netlink::Message& message, AddressNews& news);
    void read_names();

    netlink::Socket events_;
    netlink::Socket questions_; // a dump would swallow events that come between its parts
    std::map<int, std::string> names_;
};

} // namespace ipvsproxy
