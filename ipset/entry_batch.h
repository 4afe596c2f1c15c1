// Entries of many sets written in few messages and fewer sends.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "ipset/codec.h"
#include "ipset/table.h"
#include "netlink/kernel_socket.h"

namespace ipvsproxy::ipset {

/// Entries to be added to one set, or removed from it.
struct EntryJob {
    std::string_view set;
    SetSpec spec;
    Operation operation{};
    std::span<const Entry> entries{};
};

/// Does the jobs in order. Each message holds many entries and the kernel leaves it at the first
/// it refuses; what follows in that message is sent again one entry a message, so the cost stays
/// in proportion to the entries however many are refused. A missing set is refused as a whole,
/// once.
/// @throws std::system_error when the socket is lost.
void write_entries(netlink::Socket& socket, std::span<const EntryJob> jobs, Outcome& outcome);

} // namespace ipvsproxy::ipset
