// What a run of the program is to do, complete and validated.
#pragma once

#include <boost/system/result.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "netlink/device.h"
#include "netlink/ip.h"
#include "proxy/config/configuration.h"
#include "proxy/config/feature_gates.h"

namespace ipvsproxy::config {

/// Why a configuration was refused, in the words the user is to read.
struct Problem {
    std::string text;
    friend bool operator==(const Problem&, const Problem&) = default;
};
template <class T> using Result = boost::system::result<T, Problem>;

enum class LocalMode : std::uint8_t {
    cluster_cidr,
    node_cidr,
    bridge_interface,
    interface_name_prefix
};
enum class IptablesBackend : std::uint8_t { automatic, legacy, nft };
enum class LogFormat : std::uint8_t { text, json };

/// The texts of a Configuration that passed validation, parsed.
struct Parsed {
    Address bind_address{};
    std::optional<AddressPort> healthz{}; ///< none: no health server
    AddressPort metrics{};
    LocalMode local_mode{LocalMode::cluster_cidr};
    std::vector<Prefix> cluster_cidrs{};
    std::vector<Prefix> exclude_cidrs{};
    std::vector<Prefix> node_port_cidrs{}; ///< empty when node_port_primary, or for every address
    bool node_port_primary{};              ///< nodePortAddresses: [primary]
    LogFormat log_format{LogFormat::text};
    FeatureGates gates{};
    friend bool operator==(const Parsed&, const Parsed&) = default;
};

struct Options {
    Configuration configuration{}; ///< file and flags merged
    Parsed parsed{};
    std::string node_name{}; ///< never empty, lower case
    std::string config_file{}, write_config_to{}, master{};
    bool cleanup{}, init_only{};
    // What kube-proxy does not have.
    IptablesBackend iptables_backend{IptablesBackend::automatic};
    Binding vip_binding{Binding::address};
    /// How long a leaving real server may keep its connections; 0 = without limit.
    std::chrono::seconds drain_limit{std::chrono::minutes{15}};
    std::vector<std::pair<std::string, std::string>> flags{}; ///< flag_values(), for /flagz
    std::vector<std::string> warnings{}; ///< to be logged once logging is set up
};

} // namespace ipvsproxy::config
