// Netlink messages (struct nlmsghdr of linux/netlink.h): views of received ones, and a buffer of
// several to be sent.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "netlink/attribute_writer.h"
#include "netlink/attributes.h"

namespace ipvsproxy::netlink {

/// A received message; a view of the receive buffer.
struct Message {
    std::uint16_t type{};
    std::uint16_t flags{}; ///< NLM_F_*
    std::uint32_t sequence{};
    Bytes payload{};

    /// The family's own header (ifaddrmsg, genlmsghdr, nfgenmsg …) at the start of the payload.
    template <class Header> std::optional<Header> header() const noexcept {
        return structure<Header>(payload);
    }
    /// The attributes after that header; none when the payload is shorter than it.
    template <class Header> AttributeReader attributes() const noexcept {
        return AttributeReader{payload.subspan(std::min(aligned(sizeof(Header)), payload.size()))};
    }
};

using MessageHandler = std::function<void(const Message&)>;

/// Gives each message of a datagram to `handle`.
/// @return false when the datagram ends inside a message: that one is not given.
bool for_each_message(Bytes datagram, const MessageHandler& handle);

/// What NLMSG_ERROR says (struct nlmsgerr). An `error` of 0 is an acknowledgement.
struct ErrorReply {
    /// Positive: an errno, or from 4096 a number of ipset's own. 0 for success.
    int number{};
    std::string text; ///< NLMSGERR_ATTR_MSG, the kernel's own words; mostly empty
    Bytes request;    ///< the request's nlmsghdr, and its payload where the kernel echoes it
};

/// Nothing when the message is not an NLMSG_ERROR, or is cut off.
std::optional<ErrorReply> decode_error(const Message& message);

/// The errno at the start of NLMSG_DONE with which a dump ended, positive; 0 when it went well.
int decode_done(const Message& message) noexcept;

/// Requests, one after the other in one buffer, each written between `begin` and `finish`:
/// `auto out = requests.begin(RTM_NEWADDR, NLM_F_CREATE, ifaddrmsg{…}); out.u32(…);
/// requests.finish();`. The socket numbers them when it sends.
class Messages {
public:
    /// @param flags NLM_F_*; NLM_F_REQUEST is added.
    /// @param header the family's own (ifaddrmsg, genlmsghdr, nfgenmsg …).
    /// @return what appends the attributes; valid until `finish`.
    template <class Header>
    AttributeWriter begin(std::uint16_t type, std::uint16_t flags, const Header& header) {
        return begin_bytes(type, flags, bytes_of(header));
    }
    AttributeWriter begin_bytes(std::uint16_t type, std::uint16_t flags, Bytes header);
    void finish() noexcept;
    /// Appends the last message once more. @return its bytes, nlmsghdr and all, to be changed;
    /// valid until more is written. There must be one.
    std::span<std::uint8_t> repeat();

    bool empty() const noexcept { return starts_.size() == 0; }
    std::size_t count() const noexcept { return starts_.size() / sizeof(std::size_t); }
    void clear() noexcept;
    /// All messages.
    Bytes bytes() const noexcept { return buffer_; }
    /// The messages from index `first` up to before `last`.
    Bytes bytes(std::size_t first, std::size_t last) const noexcept;
    /// The index after the last message that fits, from `first` on, into `limit` bytes; at least
    /// one message always does.
    std::size_t fitting(std::size_t first, std::size_t limit) const noexcept;
    /// Sets nlmsg_seq of a message, and adds NLM_F_* flags.
    void stamp(std::size_t index, std::uint32_t sequence, std::uint16_t flags) noexcept;

private:
    /// Of the message at that index; behind the last one: of what would come next.
    std::size_t offset(std::size_t index) const noexcept;
    void begin_here();

    GrowingBytes buffer_;
    GrowingBytes starts_; ///< a std::size_t for each message
};

} // namespace ipvsproxy::netlink
