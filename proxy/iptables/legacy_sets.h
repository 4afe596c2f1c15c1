// The kernel's names and numbers of sets, as the match "set" wants them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "netlink/handle.h"
#include "proxy/iptables/legacy_codec.h"

namespace ipvsproxy::iptables {

/// Asks by getsockopt(SOL_IP, SO_IP_SET) (linux/netfilter/ipset/ip_set.h), each name and number
/// once: make one for each pass over the tables, for a swap or rename changes what they mean.
class KernelSetNames final : public SetNames {
public:
    explicit KernelSetNames(Family family) : family_(family) {}

    /// Nothing, too, when the set is of the other IP family. @throws std::system_error
    std::optional<std::uint16_t> index(std::string_view name) override;
    /// @throws std::system_error
    std::optional<std::string> name(std::uint16_t index) override;

private:
    bool open();

    Family family_;
    FileDescriptor socket_;
    unsigned version_{};
    std::map<std::string, std::optional<std::uint16_t>, std::less<>> indexes_;
    std::map<std::uint16_t, std::optional<std::string>> names_;
};

} // namespace ipvsproxy::iptables
