// Requests and answers of the generic netlink family "IPVS" (linux/ip_vs.h): bytes and values.
// Pure: no socket, no clock. Any bytes at all may be given to the decoders.
#pragma once

#include <cstdint>
#include <optional>

#include "ipvs/operations.h"
#include "ipvs/types.h"
#include "netlink/gathered.h"
#include "netlink/message.h"

namespace ipvsproxy::ipvs {

/// Virtual servers in the order in which the kernel tells them, which is that of its hashes.
using GatheredServices = Gathered<ServiceKey, ServiceSpec>;

/// Nothing for a protocol (IANA number) that has no virtual servers of ours.
std::optional<Protocol> known_protocol(std::uint16_t number) noexcept;

/// `family` is the number that the kernel gave the family "IPVS" (nlmsg_type).
void put_operation(netlink::Messages& out, std::uint16_t family, const Operation& operation);

/// Where the values of a key stand, from the beginning of its message.
struct KeyPlaces {
    std::size_t protocol{}, address{}, port{};   ///< of the virtual server
    std::size_t server_address{}, server_port{}; ///< of the real server
};

/// Puts operations one after the other, as `put_operation` does. Most differ from the one before in
/// their key alone: such a request is a copy of that one, with its own key in it.
class OperationEncoder {
public:
    /// @param out outlives this; nobody else puts anything there, but it may be cleared.
    OperationEncoder(netlink::Messages& out, std::uint16_t family) : out_{out}, family_{family} {}
    /// @param operation where it is, it stays until the next one was put.
    void put(const Operation& operation);

private:
    void put(const ServiceOperation& operation);
    void put(const DestinationOperation& operation);

    netlink::Messages& out_;
    std::uint16_t family_;
    const ServiceOperation* service_{};         ///< the last message's, where it is one of these
    const DestinationOperation* destination_{}; ///< the same
    KeyPlaces places_;                          ///< in that message
};

/// Every virtual server; to be sent as a dump.
void put_services_query(netlink::Messages& out, std::uint16_t family);
/// The real servers of one virtual server; to be sent as a dump.
void put_destinations_query(netlink::Messages& out, std::uint16_t family,
                            const ServiceKey& service);
void put_timeouts_query(netlink::Messages& out, std::uint16_t family);
/// @param timeouts within 0..4294967295 s; more is cut to that, and refused by the kernel.
void put_timeouts(netlink::Messages& out, std::uint16_t family, const Timeouts& timeouts);

/// Adds the virtual server of an answer to `out`, without the flag IP_VS_SVC_F_HASHED. Those that
/// no key of ours can name (a firewall mark, an IPv4 address written as IPv6) add nothing.
/// @param payload of the message: genlmsghdr and attributes.
/// @return false when the answer cannot be read: attributes are missing or cut, or the kernel says
/// of the virtual server that it is in no table (flag IP_VS_SVC_F_HASHED not set).
bool decode_service(netlink::Bytes payload, GatheredServices& out);
/// In the order of their keys.
Services in_order(GatheredServices services);

/// Adds the real server of an answer to `out`, and its counts if it has any.
/// @param service the virtual server whose real servers were asked for; the answer does not say.
/// @return false when the answer cannot be read.
bool decode_destination(netlink::Bytes payload, const ServiceKey& service,
                        ObservedDestinations& out);

/// Nothing when the answer is not of this form. A protocol the kernel was built without has 0.
std::optional<Timeouts> decode_timeouts(netlink::Bytes payload);

/// The real server of a virtual server, in whichever form it was read. Counts of zero are no news.
void add_destination(ObservedDestinations& out, const DestinationKey& key,
                     const DestinationSpec& spec, const DestinationStatus& status);

} // namespace ipvsproxy::ipvs
