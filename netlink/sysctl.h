// Kernel switches under /proc/sys.
#pragma once

#include <optional>
#include <string>
#include <system_error>

namespace ipvsproxy {

/// KernelSysctls reads and writes files under /proc/sys; MemorySysctls is a map.
class Sysctls {
public:
    virtual ~Sysctls() = default;
    /// @param name with slashes, below /proc/sys: "net/ipv4/ip_forward".
    /// @return the value without its line end; nothing when it cannot be read.
    virtual std::optional<std::string> read(const std::string& name) = 0;
    /// @return the errno of a failed write (generic_category); success otherwise.
    virtual std::error_code write(const std::string& name, const std::string& value) = 0;
};

} // namespace ipvsproxy
