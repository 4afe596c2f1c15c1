// Whatever the kernel could answer about sets: decoded without harm, and what was read as an entry
// is written and read again as the same entry.
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdlib>

#include "ipset/codec.h"

using namespace ipvsproxy; // NOLINT(google-build-using-namespace): a program of one file

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

ipset::Entries read_back(const netlink::Messages& messages, const ipset::SetSpec& spec) {
    const netlink::AttributeReader attributes{messages.bytes().subspan(20)};
    const auto list = attributes.nested(IPSET_ATTR_ADT);
    ipset::GatheredEntries entries;
    require(list && ipset::decode_entries(spec, *list, entries));
    return in_order(std::move(entries));
}

void keep_meaning(const ipset::SetSpec& spec, const ipset::Entries& entries) {
    for (const auto& entry : entries) {
        netlink::Messages messages;
        require(ipset::encode_entries(messages, ipset::Operation::add, "set", spec, {&entry, 1}) ==
                1);
        require(read_back(messages, spec) == ipset::Entries{entry});
        require(!ipset::text(spec.type, entry).empty());
    }
}

void decode_all(const netlink::Message& message) {
    static_cast<void>(ipset::decode_type(message));
    static_cast<void>(ipset::decode_failed_entry(message.payload));
    const auto listing = ipset::decode_listing(message);
    if (!listing || !listing->entries) return;
    for (const auto type :
         {ipset::Type::hash_ip, ipset::Type::hash_ip_port, ipset::Type::hash_ip_port_ip,
          ipset::Type::hash_ip_port_net, ipset::Type::bitmap_port})
        for (const auto family : families) {
            const ipset::SetSpec spec{.type = type, .family = family};
            ipset::GatheredEntries entries;
            if (ipset::decode_entries(spec, *listing->entries, entries))
                keep_meaning(spec, in_order(std::move(entries)));
        }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const auto command : {IPSET_CMD_LIST, IPSET_CMD_TYPE})
        decode_all({.type = static_cast<std::uint16_t>(NFNL_SUBSYS_IPSET << 8 | command),
                    .payload = {data, size}});
    return 0;
}
