// Kernel switches in memory: KernelSysctls' twin.
#pragma once

#include <map>

#include "netlink/sysctl.h"

namespace ipvsproxy {

/// A switch exists once a test has set it; any other is unreadable, and ENOENT to write.
class MemorySysctls final : public Sysctls {
public:
    std::optional<std::string> read(const std::string& name) override;
    std::error_code write(const std::string& name, const std::string& value) override;

    /// The switches there are.
    std::map<std::string, std::string>& values() noexcept { return values_; }
    /// From now on writing `name` is refused so; an empty code lifts it.
    void refuse(const std::string& name, std::error_code error);
    /// Successful writes so far.
    std::size_t writes() const noexcept { return writes_; }

private:
    std::map<std::string, std::string> values_;
    std::map<std::string, std::error_code> refused_;
    std::size_t writes_{};
};

} // namespace ipvsproxy
