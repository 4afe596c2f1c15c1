#include "netlink/address_events.h"

#include <linux/rtnetlink.h>

#include "netlink/link_codec.h"

namespace ipvsproxy {

AddressEvents::AddressEvents(netlink::SocketOptions options)
    : events_{NETLINK_ROUTE, options}, questions_{NETLINK_ROUTE} {
    events_.join({RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR});
    read_names();
}

void AddressEvents::read_names() {
    auto request = netlink::links_request();
    questions_.steady_dump(
        request, [&] { names_.clear(); },
        [&](const netlink::Message& message) {
            if (auto link = decode_link(message)) names_.insert_or_assign(link->index, link->name);
        });
}

void AddressEvents::note(const netlink::Message& message, AddressNews& news) {
    if (const auto link = decode_link(message)) {
        news.links.insert(link->name);
        const auto known = names_.find(link->index);
        if (known != names_.end() && known->second != link->name)
            news.links.insert(known->second); // renamed: both names have changed their meaning
        if (message.type == RTM_DELLINK) names_.erase(link->index);
        else names_.insert_or_assign(link->index, link->name);
    } else if (const auto address = decode_address(message)) {
        const auto known = names_.find(address->link_index);
        news.addresses.push_back(
            {.interface = known == names_.end() ? std::string{} : known->second,
             .address = address->key.address,
             .prefix_length = address->key.prefix_length,
             .added = message.type == RTM_NEWADDR});
    }
}

AddressNews AddressEvents::read() {
    AddressNews news;
    news.overrun = !events_.drain([&](const netlink::Message& message) { note(message, news); });
    if (news.overrun) read_names(); // the event that named a link may be among the lost
    return news;
}

} // namespace ipvsproxy
