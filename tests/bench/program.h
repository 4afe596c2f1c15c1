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
    void read_input(const Setting& setting, From from);
    void step(const char* name);
    void round();

    std::string shape_, scenario_;
    Meter meter_;
    Cost whole_;
    std::optional<run::Input> input_;    ///< of a manifest
    std::optional<model::Store> listed_; ///< of lists
    model::Store* store_{};              ///< that of the one or the other
    std::unique_ptr<sync::RealKernel> kernel_;
    std::unique_ptr<sync::Cluster> cluster_;
    std::size_t changes_{};
};

} // namespace ipvsproxy::bench
