// The switches of the running kernel, files under /proc/sys.
#pragma once

#include "netlink/sysctl.h"

namespace ipvsproxy {

/// Those below net/ are the ones of the network namespace of the thread that asks.
class KernelSysctls final : public Sysctls {
public:
    /// @param root where the switches are; another folder than /proc/sys only in tests.
    explicit KernelSysctls(std::string root = "/proc/sys") : root_{std::move(root)} {}
    std::optional<std::string> read(const std::string& name) override;
    std::error_code write(const std::string& name, const std::string& value) override;

private:
    std::string root_;
};

} // namespace ipvsproxy
