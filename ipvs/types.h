// Virtual servers and real servers of one network namespace, as values.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>

#include "ipvs/name.h"
#include "netlink/change.h"
#include "netlink/ip.h"

namespace ipvsproxy::ipvs {

/// Names a virtual server: equal keys are the same kernel object. Virtual servers that are known
/// by a firewall mark have no such key; they are nobody's Service and are never touched.
struct ServiceKey {
    Address address;
    Port port;
    Protocol protocol{Protocol::tcp};
    /// `10.96.0.10:80/TCP`, `[2001:db8::1]:80/UDP`.
    std::string text() const;
    friend auto operator<=>(const ServiceKey&, const ServiceKey&) = default;
};

/// IP_VS_SVC_F_* of linux/ip_vs.h that a user chooses.
inline constexpr std::uint32_t flag_persistent = 0x1;
inline constexpr std::uint32_t flag_one_packet = 0x4;
inline constexpr std::uint32_t flag_scheduler_1 = 0x8;  ///< sh-fallback, mh-fallback
inline constexpr std::uint32_t flag_scheduler_2 = 0x10; ///< sh-port, mh-port
inline constexpr std::uint32_t flag_scheduler_3 = 0x20;

/// What we choose. Every member is compared, so every difference costs a kernel write.
struct ServiceSpec {
    Name scheduler{"rr"};
    std::uint32_t flags{};             ///< without IP_VS_SVC_F_HASHED, which the kernel adds
    std::uint32_t timeout_seconds{};   ///< of a persistence template; 0 when not persistent
    std::uint8_t persistence_prefix{}; ///< clients are grouped by it: 32 or 128 = each alone
    Name persistence_engine{};         ///< IPVS_SVC_ATTR_PE_NAME ("sip"); ours never have one
    friend bool operator==(const ServiceSpec&, const ServiceSpec&) = default;
};

/// Names a real server of a virtual server.
struct DestinationKey {
    ServiceKey service;
    Address address;
    Port port;
    /// `10.96.0.10:80/TCP -> 10.244.2.7:8080`.
    std::string text() const;
    friend auto operator<=>(const DestinationKey&, const DestinationKey&) = default;
};

/// IP_VS_CONN_F_FWD_MASK of linux/ip_vs.h.
enum class Forward : std::uint8_t { masquerade = 0, local = 1, tunnel = 2, route = 3, bypass = 4 };

struct DestinationSpec {
    Forward forward{Forward::masquerade};
    std::int32_t weight{1}; ///< 0: keeps its connections, takes no new ones
    std::uint32_t upper_threshold{}, lower_threshold{}; ///< connections; 0 = none
    friend bool operator==(const DestinationSpec&, const DestinationSpec&) = default;
};

/// What the kernel counts. Never compared: traffic must not look like drift.
struct DestinationStatus {
    std::uint32_t active_connections{}, inactive_connections{}, persistent_connections{};
    /// Connections that a removal would cut (persistence templates are no connections).
    std::uint32_t connections() const noexcept { return active_connections + inactive_connections; }
    friend bool operator==(const DestinationStatus&, const DestinationStatus&) = default;
};

// Ordered: snapshots print and compare alike.
using Services = SortedMap<ServiceKey, ServiceSpec>;
using Destinations = SortedMap<DestinationKey, DestinationSpec>;
using ServiceChanges = Changes<ServiceKey, ServiceSpec>;
using DestinationChanges = Changes<DestinationKey, DestinationSpec>;

/// Real servers as read, and the counts of those that have any connection.
struct ObservedDestinations {
    Destinations specs;
    std::map<DestinationKey, DestinationStatus> busy;
};

/// net.ipv4.vs connection timeouts (`ipvsadm --set`). Zero leaves a value as it is.
struct Timeouts {
    std::chrono::seconds tcp{}, tcp_fin{}, udp{};
    friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

std::ostream& operator<<(std::ostream& out, const ServiceKey& key);
std::ostream& operator<<(std::ostream& out, const ServiceSpec& spec);
std::ostream& operator<<(std::ostream& out, const DestinationKey& key);
std::ostream& operator<<(std::ostream& out, const DestinationSpec& spec);

} // namespace ipvsproxy::ipvs
