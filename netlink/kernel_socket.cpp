#include "netlink/kernel_socket.h"

#include <linux/genetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

namespace ipvsproxy::netlink {

namespace {

std::error_code errno_code(int number) {
    return {number, std::generic_category()};
}

[[noreturn]] void fail(int number, const char* what) {
    throw std::system_error(errno_code(number), what);
}

/// Buffers above the system's limit want CAP_NET_ADMIN; without it the limit is taken.
void set_buffer(int fd, int forced, int plain, int bytes) noexcept {
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

void set_options(int fd, const SocketOptions& options) {
    const int on = 1;
    // An error need not repeat the request, and may say in words what was wrong.
    if (setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) != 0)
        fail(errno, "netlink socket options");
    if (options.strict_dumps) // an older kernel merely tells more
        setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer_bytes);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer_bytes);
    const timeval patience{.tv_sec = options.patience.count(), .tv_usec = 0};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        fail(errno, "netlink receive timeout");
}

bool is_data(const Message& message) noexcept {
    return message.type >= NLMSG_MIN_TYPE;
}

} // namespace

/// Where datagrams are received, several in one system call. The kernel makes parts of a dump of
/// up to 32 KiB when it has seen such room offered, but echoes ipset requests of nearly 64 KiB
/// whole. Memory that no datagram reaches is never touched, so never taken.
struct Socket::Slots {
    static constexpr std::size_t count = 16;
    /// Of a dump, each part of which fills 32 KiB: more at once would save nothing but some system
    /// calls, and keep the kernel busy for so long that nothing else runs on that core.
    static constexpr std::size_t of_dump = 4;
    static constexpr std::size_t size = 96 << 10;

    using Memory = std::array<std::uint8_t, count * size>;
    std::unique_ptr<Memory> bytes{std::make_unique_for_overwrite<Memory>()};
    std::array<iovec, count> vectors{};
    std::array<sockaddr_nl, count> senders{};
    std::array<mmsghdr, count> headers{};

    /// Offers every slot whole again: the kernel overwrites the lengths.
    mmsghdr* offer() noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            vectors.at(i) = {.iov_base = bytes->data() + i * size, .iov_len = size};
            msghdr& header = headers.at(i).msg_hdr;
            header = {};
            header.msg_name = &senders.at(i);
            header.msg_namelen = sizeof(sockaddr_nl);
            header.msg_iov = &vectors.at(i);
            header.msg_iovlen = 1;
        }
        return headers.data();
    }
    Bytes datagram(std::size_t i) const noexcept {
        return {bytes->data() + i * size, headers.at(i).msg_len};
    }
    bool cut(std::size_t i) const noexcept {
        return (headers.at(i).msg_hdr.msg_flags & MSG_TRUNC) != 0;
    }
    /// Other processes may send to a netlink socket too; only port 0 is the kernel.
    bool from_kernel(std::size_t i) const noexcept { return senders.at(i).nl_pid == 0; }
};

Socket::Socket(int protocol, SocketOptions options)
    : socket_{nl_socket_alloc()}, slots_{std::make_unique<Slots>()}, options_{options} {
    if (!socket_) fail(ENOMEM, "netlink socket");
    errno = 0;
    if (nl_connect(socket_.get(), protocol) < 0) {
        const int number = errno != 0 ? errno : EPROTONOSUPPORT;
        const bool absent = number == EPROTONOSUPPORT && protocol == NETLINK_NETFILTER;
        fail(number, absent ? "the kernel has no nfnetlink: the module is not loaded and the "
                              "kernel could not load it by itself; run `modprobe nfnetlink` on "
                              "the node"
                            : "netlink socket");
    }
    set_options(fd(), options_);
}

Socket::Socket(Socket&& other) noexcept = default;
Socket& Socket::operator=(Socket&& other) noexcept = default;
Socket::~Socket() = default;

int Socket::fd() const noexcept {
    return nl_socket_get_fd(socket_.get());
}

std::error_code Socket::send(Bytes bytes, std::size_t count) {
    ssize_t sent = -1;
    do {
        ++counters_.sends;
        sent = ::send(fd(), bytes.data(), bytes.size(), 0);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        const int number = errno;
        if (number == EMSGSIZE || number == ENOBUFS || number == ENOMEM) return errno_code(number);
        fail(number, "netlink send");
    }
    counters_.messages += count;
    counters_.bytes += bytes.size();
    return {};
}

/// One receiving system call. EAGAIN when nothing (more) is there, ENOBUFS when something was lost.
std::error_code Socket::receive(Wait wait, std::size_t slots, const MessageHandler& handle) {
    const int flags = wait == Wait::no ? MSG_DONTWAIT : MSG_WAITFORONE;
    ++counters_.receives;
    const int received =
        recvmmsg(fd(), slots_->offer(), static_cast<unsigned>(slots), flags, nullptr);
    if (received < 0) {
        if (errno == EINTR) return {};
        if (errno == EAGAIN || errno == ENOBUFS) return errno_code(errno);
        fail(errno, "netlink receive");
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
        if (!slots_->from_kernel(i)) continue;
        if (slots_->cut(i)) fail(EMSGSIZE, "netlink receive");
        if (!for_each_message(slots_->datagram(i), handle)) fail(EBADMSG, "netlink receive");
    }
    return {};
}

/// Receives until `finished` was set by the handler. ENOBUFS when answers were lost, the last one
/// perhaps among them; all others have been handled then, and nothing is left in the queue.
std::error_code Socket::answers_until(bool& finished, std::size_t slots,
                                      const MessageHandler& handle) {
    try {
        while (!finished) {
            const std::error_code error = receive(Wait::until_patience_ends, slots, handle);
            if (!error) continue;
            if (error == std::errc::no_buffer_space) drain(handle);
            return errno_code(ENOBUFS);
        }
    } catch (...) {
        drain({}); // the socket takes no new dump before the old one has been read to its end
        throw;
    }
    return {};
}

bool Socket::drain(const MessageHandler& handle) {
    const MessageHandler ignore = [](const Message&) {};
    bool whole = true;
    for (;;) {
        const std::error_code error = receive(Wait::no, Slots::count, handle ? handle : ignore);
        if (error == std::errc::no_buffer_space) whole = false;
        else if (error) return whole;
    }
}

bool Socket::dump(Messages& request, const MessageHandler& handle) {
    assert(request.count() == 1);
    const std::uint32_t sequence = ++sequence_;
    request.stamp(0, sequence, NLM_F_DUMP);
    if (const auto error = send(request.bytes(), 1)) fail(error.value(), "netlink dump");
    bool finished = false;
    bool steady = true;
    int refused = 0;
    const auto lost = answers_until(finished, Slots::of_dump, [&](const Message& message) {
        if (message.sequence != sequence) return;
        if ((message.flags & NLM_F_DUMP_INTR) != 0) steady = false;
        if (is_data(message)) {
            handle(message);
        } else if (message.type == NLMSG_DONE) {
            refused = decode_done(message);
            finished = true;
        } else if (const auto reply = decode_error(message)) {
            refused = reply->number;
            finished = true;
        }
    });
    if (lost) fail(lost.value(), "netlink dump");
    if (refused != 0) fail(refused, "netlink dump");
    return steady;
}

void Socket::steady_dump(Messages& request, const std::function<void()>& restart,
                         const MessageHandler& handle, int tries) {
    for (int i = 0; i < tries; ++i) {
        restart();
        if (dump(request, handle)) return;
    }
    fail(EINTR, "netlink dump");
}

std::error_code Socket::request(Messages& request, const MessageHandler& handle) {
    assert(request.count() == 1);
    const std::uint32_t sequence = ++sequence_;
    request.stamp(0, sequence, NLM_F_ACK);
    if (const auto error = send(request.bytes(), 1)) return error;
    bool finished = false;
    int refused = 0;
    const auto lost = answers_until(finished, Slots::count, [&](const Message& message) {
        if (message.sequence != sequence) return;
        if (is_data(message)) {
            if (handle) handle(message);
        } else if (const auto reply = decode_error(message)) {
            refused = reply->number;
            finished = true;
        }
    });
    if (lost && !finished) return lost;
    return errno_code(refused);
}

BatchOutcome Socket::batch(Messages& messages) {
    BatchOutcome outcome;
    for (std::size_t first = 0; first < messages.count();) {
        const std::size_t last = messages.fitting(first, options_.send_limit_bytes);
        send_part(messages, first, last, outcome);
        first = last;
    }
    return outcome;
}

/// The kernel works through a send in order and answers before the send returns: every error, but
/// success only where it was asked for. So the answer of the last message ends the part, and
/// what was not answered by then succeeded.
void Socket::send_part(Messages& messages, std::size_t first, std::size_t last,
                       BatchOutcome& outcome) {
    const std::uint32_t base = sequence_ + 1;
    for (std::size_t i = first; i < last; ++i)
        messages.stamp(i, ++sequence_, i + 1 == last ? NLM_F_ACK : 0);
    if (const auto error = send(messages.bytes(first, last), last - first)) {
        for (std::size_t i = first; i < last; ++i)
            outcome.failures.push_back({i, error});
        return;
    }
    bool finished = false;
    const auto lost = answers_until(finished, Slots::count, [&](const Message& message) {
        const std::uint32_t position = message.sequence - base;
        const auto reply = decode_error(message);
        if (!reply || position >= last - first) return;
        const std::size_t index = first + position;
        if (reply->number != 0)
            outcome.failures.push_back({index, errno_code(reply->number), reply->text,
                                        Buffer(reply->request.begin(), reply->request.end())});
        if (index + 1 == last) finished = true;
    });
    if (lost) outcome.unknown = true;
}

std::optional<std::uint16_t> Socket::resolve_family(const std::string& name) {
    Messages query;
    auto out = query.begin(GENL_ID_CTRL, 0,
                           genlmsghdr{.cmd = CTRL_CMD_GETFAMILY, .version = 1, .reserved = 0});
    out.string(CTRL_ATTR_FAMILY_NAME, name);
    query.finish();
    std::optional<std::uint16_t> family;
    const auto error = request(query, [&](const Message& message) {
        family = message.attributes<genlmsghdr>().u16(CTRL_ATTR_FAMILY_ID);
    });
    if (error && error != std::errc::no_such_file_or_directory)
        throw std::system_error(error, "netlink family " + name);
    return family;
}

void Socket::join(std::initializer_list<unsigned> groups) {
    for (const unsigned group : groups)
        if (setsockopt(fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
            fail(errno, "netlink multicast group");
}

} // namespace ipvsproxy::netlink
