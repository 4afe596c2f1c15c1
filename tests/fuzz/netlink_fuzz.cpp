// Feeds the decoders of netlink any bytes, as a datagram the kernel might have sent.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "netlink/attributes.h"
#include "netlink/conntrack_codec.h"
#include "netlink/link_codec.h"
#include "netlink/message.h"
#include "netlink/route_codec.h"

using namespace ipvsproxy;
using namespace ipvsproxy::netlink;

namespace {

void require(bool truth) {
    if (!truth) std::abort();
}

/// Walks every attribute at every depth, and reads each in every way.
void walk(const AttributeReader& reader, int depth) {
    for (const Attribute& attribute : reader) {
        std::size_t sum = attribute.string().size();
        sum += attribute.u8().value_or(0) + attribute.u16().value_or(0) +
               attribute.u32().value_or(0) + attribute.u64().value_or(0) +
               attribute.be16().value_or(0) + attribute.be32().value_or(0);
        for (const std::uint8_t byte : attribute.payload)
            sum += byte;
        [[maybe_unused]] static volatile std::size_t sink;
        sink = sum;
        require(reader.find(attribute.type).has_value());
        if (depth > 0) walk(attribute.nested(), depth - 1);
    }
    (void)reader.whole();
}

/// The decoders as they are used: what they accept can be written, and reads back alike.
void decode(const Message& message) {
    walk(AttributeReader{message.payload}, 4);
    if (const auto reply = decode_error(message)) {
        require(reply->number >= 0);
        walk(AttributeReader{reply->request}, 1);
    }
    require(decode_done(message) >= 0);
    (void)decode_link(message);
    if (const auto address = decode_address(message)) {
        Messages out;
        put_new_address(out, address->link_index, address->key, address->spec, Write::create);
        for_each_message(out.bytes(), [&](const Message& written) {
            // An IPv4-mapped IPv6 address counts as IPv4, whose prefixes end at 32.
            if (address->key.prefix_length <= address->key.address.bits())
                require(decode_address(written) == address);
        });
    }
    if (const auto address = decode_route(message)) {
        Messages out;
        put_new_route(out, *address);
        for_each_message(out.bytes(), [&](const Message& written) {
            require(decode_route(written) == address);
        });
    }
    if (const auto flow = decode_flow(message)) {
        Messages out;
        put_delete_flow(out, *flow);
        require(out.bytes().size() >= 60); // never an empty tuple: that would delete all flows
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> copy(data, data + size); // so that a read past its end is seen
    for_each_message(copy, decode);
    walk(AttributeReader{copy}, 4);
    return 0;
}
