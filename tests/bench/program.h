// The program's own parts put together as `ipvsproxy apply` does, each step measured.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/api/decode.h"
#include "proxy/run/input.h"
#include "proxy/sync/startup.h"
#include "tests/bench/meter.h"
#include "tests/bench/setting.h"

namespace ipvsproxy::bench {

/// Services and slices. @throws std::runtime_error when the object was refused.
void put(model::Store& store, api::Decoded&& decoded);

/// Where the objects come from.
enum class From {
    manifest,
    lists ///< as the API server answers in protobuf, read from files
};

/// Notes when default/kubernetes can be reached: its address is the last of its steps.
class WatchedDevice final : public Device {
public:
    explicit WatchedDevice(Device& device) : device_{device} {}

    const std::string& name() const override { return device_.name(); }
    bool present() override { return device_.present(); }
    DeviceState snapshot() override { return device_.snapshot(); }
    void create() override { device_.create(); }
    void destroy() override { device_.destroy(); }
    DeviceOutcome apply(const DeviceAddressChanges& changes) override;
    /// By cpu_ns().
    const std::optional<std::uint64_t>& open_at() const noexcept { return open_at_; }

private:
    Device& device_;
    std::optional<std::uint64_t> open_at_;
};

/// A start: process, state and kernel as they are afterwards.
class Program {
public:
    /// Reports each step, and their sum as the step "whole", as `scenario`.
    /// @throws std::runtime_error when the kernel refuses anything.
    Program(const Setting& setting, std::string scenario, From from = From::manifest);

    /// How many changes were written.
    std::size_t changes() const noexcept { return changes_; }
    /// Takes an object in, as an event brings it, and writes what follows. @return what it cost.
    Cost take(const std::string& json);
    /// Reads all of the kernel's state, as the audit of one period does.
    /// @throws std::runtime_error when any of it is otherwise than believed.
    Cost audit();
    const std::string& shape() const noexcept { return shape_; }

private:
    void open(const config::Options& options);
    void begin_with_manifest(const Setting& setting, const config::Options& options);
    void begin_with_lists(const Setting& setting, const config::Options& options);
    void head_start();
    void step(const char* name);
    void step(const char* name, const Cost& cost);
    void round();

    std::string shape_, scenario_;
    Meter meter_;
    Cost whole_;
    std::optional<run::Input> input_;    ///< of a manifest
    std::optional<model::Store> listed_; ///< of lists
    model::Store* store_{};              ///< that of the one or the other
    std::unique_ptr<sync::RealKernel> kernel_;
    std::optional<WatchedDevice> device_;
    std::optional<sync::Kernel> doors_; ///< to the kernel, with that device
    std::unique_ptr<sync::Cluster> cluster_;
    std::size_t changes_{};
};

} // namespace ipvsproxy::bench
