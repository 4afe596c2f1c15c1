#include "netlink/message.h"

#include <algorithm>
#include <cstddef>

namespace ipvsproxy::netlink {

namespace {

constexpr std::size_t message_header = sizeof(nlmsghdr);

/// Where the attributes of an extended answer begin: after the echoed request, of which
/// NLM_F_CAPPED leaves only the header.
std::size_t end_of_echo(const Message& message, const nlmsgerr& reply) noexcept {
    if ((message.flags & NLM_F_CAPPED) != 0) return sizeof(nlmsgerr);
    return sizeof(int) + aligned(std::max<std::size_t>(reply.msg.nlmsg_len, message_header));
}

} // namespace

bool for_each_message(Bytes datagram, const MessageHandler& handle) {
    while (!datagram.empty()) {
        const auto header = structure<nlmsghdr>(datagram);
        if (!header || header->nlmsg_len < message_header || header->nlmsg_len > datagram.size())
            return false;
        handle({.type = header->nlmsg_type,
                .flags = header->nlmsg_flags,
                .sequence = header->nlmsg_seq,
                .payload = datagram.first(header->nlmsg_len).subspan(message_header)});
        datagram = datagram.subspan(
            std::min(aligned(header->nlmsg_len), datagram.size())); // the last may lack padding
    }
    return true;
}

std::optional<ErrorReply> decode_error(const Message& message) {
    const auto reply = message.header<nlmsgerr>();
    if (message.type != NLMSG_ERROR || !reply || reply->error > 0 || reply->error < -65535)
        return {};
    ErrorReply result;
    result.number = -reply->error;
    const std::size_t end = std::min(end_of_echo(message, *reply), message.payload.size());
    result.request = message.payload.first(end).subspan(sizeof(int));
    if ((message.flags & NLM_F_ACK_TLVS) != 0)
        result.text = AttributeReader{message.payload.subspan(end)}
                          .string(NLMSGERR_ATTR_MSG)
                          .value_or(std::string_view{});
    return result;
}

int decode_done(const Message& message) noexcept {
    const auto error = structure<int>(message.payload);
    return error && *error < 0 && *error >= -65535 ? -*error : 0;
}

AttributeWriter Messages::begin_bytes(std::uint16_t type, std::uint16_t flags, Bytes header) {
    begin_here();
    const nlmsghdr first{.nlmsg_len = 0,
                         .nlmsg_type = type,
                         .nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST),
                         .nlmsg_seq = 0,
                         .nlmsg_pid = 0};
    const std::size_t length = message_header + header.size();
    std::uint8_t* const at = buffer_.extend(aligned(length));
    std::memcpy(at, &first, message_header);
    if (!header.empty()) std::memcpy(at + message_header, header.data(), header.size());
    std::fill(at + length, at + aligned(length), std::uint8_t{0});
    return AttributeWriter{buffer_};
}

void Messages::finish() noexcept {
    const std::size_t start = offset(count() - 1);
    const auto length = static_cast<std::uint32_t>(buffer_.size() - start);
    std::memcpy(buffer_.data() + start, &length, sizeof length);
}

std::span<std::uint8_t> Messages::repeat() {
    const std::size_t start = offset(count() - 1), size = buffer_.size() - start;
    begin_here();
    std::uint8_t* const copy = buffer_.extend(size);
    std::memcpy(copy, buffer_.data() + start, size);
    return {copy, size};
}

void Messages::clear() noexcept {
    buffer_.clear();
    starts_.clear();
}

std::size_t Messages::offset(std::size_t index) const noexcept {
    if (index >= count()) return buffer_.size();
    std::size_t start = 0;
    std::memcpy(&start, starts_.data() + index * sizeof start, sizeof start);
    return start;
}

void Messages::begin_here() {
    const std::size_t start = buffer_.size();
    std::memcpy(starts_.extend(sizeof start), &start, sizeof start);
}

Bytes Messages::bytes(std::size_t first, std::size_t last) const noexcept {
    return Bytes{buffer_}.subspan(offset(first), offset(last) - offset(first));
}

std::size_t Messages::fitting(std::size_t first, std::size_t limit) const noexcept {
    if (buffer_.size() - offset(first) <= limit) return std::max(count(), first + 1); // mostly all
    std::size_t last = first + 1;
    while (last < count() && offset(last + 1) - offset(first) <= limit)
        ++last;
    return last;
}

void Messages::stamp(std::size_t index, std::uint32_t sequence, std::uint16_t flags) noexcept {
    std::uint8_t* const at = buffer_.data() + offset(index);
    std::memcpy(at + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof sequence);
    if (flags == 0) return; // as of all messages of a batch but the last
    nlmsghdr header;
    std::memcpy(&header, at, sizeof header);
    header.nlmsg_flags = static_cast<std::uint16_t>(header.nlmsg_flags | flags);
    std::memcpy(at, &header, sizeof header);
}

} // namespace ipvsproxy::netlink
