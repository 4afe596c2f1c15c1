// The device in memory: KernelDevice's twin.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "netlink/device.h"

namespace ipvsproxy {

class MemoryDevice final : public Device {
public:
    explicit MemoryDevice(std::string name = "kube-ipvs0") : name_{std::move(name)} {}

    const std::string& name() const override { return name_; }
    bool present() override { return state_.present; }
    DeviceState snapshot() override { return state_; }
    void create() override;
    void destroy() override;
    DeviceOutcome apply(const DeviceAddressChanges& changes) override;

    /// What is there, to be set by a test: addresses of other interfaces, foreign ones of the
    /// device, a device of another kind. `elsewhere` is to be ordered.
    DeviceState& state() noexcept { return state_; }
    /// From now on every change of `key` is refused so; an empty code lifts it.
    void refuse(const DeviceAddress& key, std::error_code error);
    /// From the next call on, changes are made but their outcome is lost: refusals are not
    /// told, and `unknown` is set.
    void lose_outcomes(bool lose) noexcept { losing_ = lose; }
    /// How many times `apply` was asked for something.
    std::size_t applies() const noexcept { return applies_; }

private:
    std::error_code remove(const DeviceAddress& key);
    std::error_code update(const DeviceAddress& key, const DeviceAddressSpec& spec);
    std::error_code add(const DeviceAddress& key, const DeviceAddressSpec& spec);
    std::error_code refusal(const DeviceAddress& key) const;

    std::string name_;
    DeviceState state_{};
    std::map<DeviceAddress, std::error_code> refused_;
    bool losing_{};
    std::size_t applies_{};
};

} // namespace ipvsproxy
