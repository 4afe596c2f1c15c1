// Doors to twins that two threads may use: each call has the tables to itself.
#pragma once

#include <functional>
#include <mutex>

#include "tests/proxy/sync/paper_node.h"

namespace ipvsproxy::sync {

/// What the doors to one node's twins share.
struct Sharing {
    PaperTables& tables;
    std::mutex turn{};
    template <class Call> auto alone(const Call& call) {
        const std::lock_guard guard{turn};
        return call();
    }
};

/// Is called on the reading thread when a part has been read, with no lock held. What it throws the
/// table throws.
using AfterRead = std::function<void(Part)>;

class SharedDevice final : public Device {
public:
    SharedDevice(Sharing& sharing, AfterRead after) : to_{sharing}, after_{std::move(after)} {}
    const std::string& name() const override { return to_.tables.device.name(); }
    bool present() override {
        return to_.alone([&] { return to_.tables.device.present(); });
    }
    DeviceState snapshot() override {
        auto seen = to_.alone([&] { return to_.tables.device.snapshot(); });
        if (after_) after_(Part::device);
        return seen;
    }
    void create() override {
        to_.alone([&] { to_.tables.device.create(); });
    }
    void destroy() override {
        to_.alone([&] { to_.tables.device.destroy(); });
    }
    DeviceOutcome apply(const DeviceAddressChanges& changes) override {
        return to_.alone([&] { return to_.tables.device.apply(changes); });
    }

private:
    Sharing& to_;
    AfterRead after_;
};

class SharedIpvs final : public ipvs::Table {
public:
    SharedIpvs(Sharing& sharing, AfterRead after) : to_{sharing}, after_{std::move(after)} {}
    ipvs::Services services() override {
        auto seen = to_.alone([&] { return to_.tables.ipvs.services(); });
        if (after_) after_(Part::services);
        return seen;
    }
    ipvs::ObservedDestinations destinations(std::span<const ipvs::ServiceKey> services) override {
        auto seen = to_.alone([&] { return to_.tables.ipvs.destinations(services); });
        if (after_) after_(Part::destinations);
        return seen;
    }
    ipvs::Outcome apply(const ipvs::TableChanges& changes) override {
        return to_.alone([&] { return to_.tables.ipvs.apply(changes); });
    }
    ipvs::Timeouts timeouts() override { return to_.tables.ipvs.timeouts(); }
    void set_timeouts(const ipvs::Timeouts& timeouts) override {
        to_.tables.ipvs.set_timeouts(timeouts);
    }

private:
    Sharing& to_;
    AfterRead after_;
};

class SharedSets final : public ipset::Table {
public:
    explicit SharedSets(Sharing& sharing) : to_{sharing} {}
    ipset::SetHeaders headers() override {
        return to_.alone([&] { return to_.tables.ipset.headers(); });
    }
    std::optional<ipset::Entries> entries(const std::string& name) override {
        return to_.alone([&] { return to_.tables.ipset.entries(name); });
    }
    ipset::Outcome apply(const ipset::TableChanges& changes) override {
        return to_.alone([&] { return to_.tables.ipset.apply(changes); });
    }

private:
    Sharing& to_;
};

class SharedRules final : public iptables::Tables {
public:
    SharedRules(Sharing& sharing, Family family) : to_{sharing}, family_{family} {}
    Family family() const override { return family_; }
    iptables::Backend backend() const override { return iptables::Backend::legacy; }
    bool random_fully() const override { return true; }
    iptables::Chains snapshot() override {
        return to_.alone([&] { return to_.tables.rules[family_].snapshot(); });
    }
    std::vector<iptables::TableRefusal> apply(const iptables::TableChanges& changes) override {
        return to_.alone([&] { return to_.tables.rules[family_].apply(changes); });
    }

private:
    Sharing& to_;
    Family family_;
};

/// One thread's doors.
class SharedDoors {
public:
    SharedDoors(Sharing& sharing, const AfterRead& after)
        : device_{sharing, after}, ipvs_{sharing, after}, sets_{sharing},
          rules_{SharedRules{sharing, Family::v4}, SharedRules{sharing, Family::v6}},
          kernel{device_, ipvs_, sets_, {&rules_.v4, &rules_.v6}, sharing.tables.flows} {}

private:
    SharedDevice device_;
    SharedIpvs ipvs_;
    SharedSets sets_;
    PerFamily<SharedRules> rules_;

public:
    Kernel kernel;
};

} // namespace ipvsproxy::sync
