// Links and their addresses on the wire (linux/rtnetlink.h, if_link.h, if_addr.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "netlink/device.h"
#include "netlink/message.h"

namespace ipvsproxy::netlink {

struct Link {
    int index{};
    std::string name;
    std::string kind; ///< IFLA_INFO_KIND; empty when the link says none
    bool up{};        ///< IFF_UP: administratively
    friend bool operator==(const Link&, const Link&) = default;
};

/// Of RTM_NEWLINK or RTM_DELLINK; nothing when it is another message or names no link.
std::optional<Link> decode_link(const Message& message);

struct LinkAddress {
    int link_index{};
    DeviceAddress key;
    DeviceAddressSpec spec;
    friend bool operator==(const LinkAddress&, const LinkAddress&) = default;
};

/// Of RTM_NEWADDR or RTM_DELADDR; nothing when it is another message or family, or holds no
/// address. The address is the link's own (IFA_LOCAL), not that of a peer.
std::optional<LinkAddress> decode_address(const Message& message);

/// RTM_GETLINK, to be dumped; without counters.
Messages links_request();
/// RTM_GETLINK of one link.
Messages link_request(const std::string& name);
/// RTM_GETADDR of both families, to be dumped.
Messages addresses_request();
/// RTM_NEWLINK of a dummy device that does not exist yet (EEXIST otherwise): down, no queue.
Messages create_dummy_request(const std::string& name);
/// RTM_DELLINK.
Messages delete_link_request(const std::string& name);

enum class Write : std::uint8_t {
    create,  ///< EEXIST where the address is there
    replace, ///< sets the lifetimes of an address that is there, otherwise creates it
};
/// Appends RTM_NEWADDR: scope global, IFA_LOCAL = IFA_ADDRESS, no label, no broadcast address.
void put_new_address(Messages& out, int link_index, const DeviceAddress& key,
                     const DeviceAddressSpec& spec, Write write);
/// Puts new addresses one after the other, as `put_new_address` does. Most differ from the one
/// before in the address alone: such a request is a copy of that one, with its own address in it.
class NewAddressEncoder {
public:
    /// @param out the same each time. Others may append to it, but not between clearing it and
    /// this.
    void put(Messages& out, int link_index, const DeviceAddress& key, const DeviceAddressSpec& spec,
             Write write);

private:
    /// Of the request that was put last; its address is of no meaning.
    struct Last {
        int link_index{};
        DeviceAddress key;
        DeviceAddressSpec spec;
        Write write{};
    } last_;
    std::size_t count_{}; ///< of the messages when it had been put; 0: nothing was put yet
};
/// Appends RTM_DELADDR; EADDRNOTAVAIL when there is no such address.
void put_delete_address(Messages& out, int link_index, const DeviceAddress& key);

} // namespace ipvsproxy::netlink
