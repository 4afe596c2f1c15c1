// A netlink socket that keeps the kernel's errno: dumps, requests, and batches of requests.
// (Not "socket.h": libnl has a netlink/socket.h of its own, which this name would hide from it.)
#pragma once

#include <linux/netlink.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "netlink/counter.h"
#include "netlink/handle.h"
#include "netlink/message.h"

struct nl_sock;
extern "C" void nl_socket_free(nl_sock*);

namespace ipvsproxy::netlink {

/// What a socket has done since it was opened.
struct Counters {
    Counter messages; ///< requests sent
    Counter bytes;    ///< of those requests
    Counter sends;    ///< system calls that sent
    Counter receives; ///< system calls that received
};

/// A request that was refused.
struct Failure {
    std::size_t index{}; ///< of the message in its batch
    /// The kernel's errno in generic_category. ipset's own numbers (4096 and more) stand there
    /// as they are; give them their category by `value()`.
    std::error_code error{};
    std::string text{}; ///< the kernel's words, mostly empty
    Buffer request{};   ///< the nlmsghdr and what of the request the kernel echoed; ipset
                        ///< echoes it whole, with the outer LINENO overwritten
};

struct BatchOutcome {
    std::vector<Failure> failures; ///< ordered by index
    /// Answers were lost (ENOBUFS): messages that are not among the failures may have failed too.
    /// Read the table again.
    bool unknown{};
    bool clean() const noexcept { return failures.empty() && !unknown; }
};

struct SocketOptions {
    int receive_buffer_bytes{4 << 20}; ///< the kernel accounts its bookkeeping in it too
    int send_buffer_bytes{1 << 20};
    std::size_t send_limit_bytes{128 << 10}; ///< of one send in a batch
    /// How long an answer may be awaited. The kernel answers within the send, so this passes
    /// only when an answer was lost.
    std::chrono::seconds patience{10};
    /// The kernel takes the fields of a dump's request for a filter where it can
    /// (NETLINK_GET_STRICT_CHK, Linux 4.20); whoever asks must still look at each answer.
    bool strict_dumps{};
};

/// A socket in the network namespace of the thread that makes it; used by one thread at a time.
/// A handler must not use the socket it is called from, and what it throws ends the dump.
class Socket {
public:
    /// @param protocol NETLINK_GENERIC, NETLINK_ROUTE or NETLINK_NETFILTER.
    /// @throws std::system_error when it cannot be opened: EPROTONOSUPPORT where the kernel has not
    /// the protocol and cannot load it.
    explicit Socket(int protocol, SocketOptions options = {});
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) noexcept;
    ~Socket();

    /// Asks the first of `request` as a dump and gives each answer to `handle`.
    /// @return false when the table changed meanwhile (NLM_F_DUMP_INTR): some of it may have been
    /// given twice or not at all, so ask again.
    /// @throws std::system_error with the kernel's errno; ENOBUFS when answers were lost.
    bool dump(Messages& request, const MessageHandler& handle);
    /// Dumps until nothing changed meanwhile, up to `tries` times; `restart` is called before each
    /// and forgets what the one before has given.
    /// @throws like `dump`; EINTR when the table never stood still.
    void steady_dump(Messages& request, const std::function<void()>& restart,
                     const MessageHandler& handle, int tries = 5);

    /// Sends the one message of `request`, gives data it is answered with to `handle`, and
    /// waits for its acknowledgement.
    /// @return the kernel's errno in generic_category; ENOBUFS when the answer was lost.
    /// @throws std::system_error when the socket is lost.
    std::error_code request(Messages& request, const MessageHandler& handle = {});

    /// Sends all messages, as many at a time as go into one send, each send asking an
    /// acknowledgement of its last only. A message that fails does not stop those after it.
    /// @throws std::system_error when the socket is lost.
    BatchOutcome batch(Messages& messages);

    /// The number of a generic netlink family ("IPVS"), whose module the kernel loads if it can.
    /// Nothing when the kernel has no such family. Of a NETLINK_GENERIC socket only.
    /// @throws std::system_error on any other refusal.
    std::optional<std::uint16_t> resolve_family(const std::string& name);

    /// Subscribes to multicast groups (RTNLGRP_*). @throws std::system_error with the errno.
    void join(std::initializer_list<unsigned> groups);
    /// Gives all that is waiting to `handle`, without waiting itself.
    /// @return false when something had been lost (ENOBUFS) before or meanwhile.
    /// @throws std::system_error when the socket is lost.
    bool drain(const MessageHandler& handle);

    /// For waiting; stays owned by the socket.
    int fd() const noexcept;
    const Counters& counters() const noexcept { return counters_; }

private:
    struct Slots;
    enum class Wait : std::uint8_t { no, until_patience_ends };

    std::error_code send(Bytes bytes, std::size_t count);
    std::error_code receive(Wait wait, std::size_t slots, const MessageHandler& handle);
    void send_part(Messages& messages, std::size_t first, std::size_t last, BatchOutcome& outcome);
    std::error_code answers_until(bool& finished, std::size_t slots, const MessageHandler& handle);

    Handle<nl_sock, nl_socket_free> socket_;
    std::unique_ptr<Slots> slots_;
    SocketOptions options_;
    Counters counters_{};
    std::uint32_t sequence_{};
};

} // namespace ipvsproxy::netlink
