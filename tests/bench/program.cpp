#include "tests/bench/program.h"

#include <malloc.h>

#include <optional>
#include <stdexcept>
#include <utility>

#include "proxy/sync/audit.h"
#include "proxy/sync/startup.h"
#include "tests/bench/lists.h"
#include "tests/bench/workload.h"

namespace ipvsproxy::bench {
namespace {

/// Notes when default/kubernetes can be reached: its address is the last of its steps.
class WatchedDevice final : public Device {
public:
    explicit WatchedDevice(Device& device) : device_{device} {}

    const std::string& name() const override { return device_.name(); }
    bool present() override { return device_.present(); }
    DeviceState snapshot() override { return device_.snapshot(); }
    void create() override { device_.create(); }
    void destroy() override { device_.destroy(); }
    DeviceOutcome apply(const DeviceAddressChanges& changes) override {
        auto outcome = device_.apply(changes);
        if (!open_at_ && opens_kubernetes(changes)) open_at_ = cpu_ns();
        return outcome;
    }
    const std::optional<std::uint64_t>& open_at() const noexcept { return open_at_; }

private:
    static bool opens_kubernetes(const DeviceAddressChanges& changes) {
        const auto address = kubernetes_address();
        return changes.add.contains({address, address.bits()}) ||
               changes.add.contains(local_route(address));
    }

    Device& device_;
    std::optional<std::uint64_t> open_at_;
};

void require_clean(const sync::Report& report) {
    if (!report.refused.empty()) throw std::runtime_error{report.refused.front().text()};
    if (!report.clean()) throw std::runtime_error{"answers of the kernel were lost"};
}

} // namespace

void put(model::Store& store, api::Decoded&& decoded) {
    if (!decoded.object) throw std::runtime_error{decoded.object.error().text()};
    auto& object = *decoded.object;
    if (auto* slice = std::get_if<model::EndpointSlice>(&object)) store.put(std::move(*slice));
    else store.put(std::get<model::Service>(std::move(object)));
}

void Program::read_input(const Setting& setting, From from) {
    if (from == From::manifest) {
        input_.emplace(files::Where{{setting.manifest}, false});
        store_ = &input_->store;
        return;
    }
    store_ = &listed_.emplace();
    take_list(*store_, api::Replica::Kind::service, setting.service_list());
    take_list(*store_, api::Replica::Kind::slice, setting.slice_list());
}

Program::Program(const Setting& setting, std::string scenario, From from)
    : shape_{setting.shape.text()}, scenario_{std::move(scenario)} {
    const auto begin = cpu_ns();
    const auto options = setting.options();
    read_input(setting, from);
    step("parse");
    kernel_ = sync::open_kernel(options);
    meter_.watch(*kernel_);
    sync::prepare(*kernel_, options);
    step("open");
    auto before = std::make_optional(sync::snapshot(kernel_->tables()));
    step("read");
    cluster_ = sync::make_cluster(options, *store_, kernel_.get(), before->device.elsewhere);
    step("derive");
    cluster_->state().observe(*before);
    before.reset();
    auto round = std::make_optional(cluster_->take_round(std::chrono::steady_clock::now()));
    step("decide");
    auto& tables = kernel_->tables();
    WatchedDevice device{tables.device};
    sync::Kernel doors{device, tables.ipvs, tables.ipset, tables.rules, tables.flows};
    auto outcome = std::make_optional(sync::apply(doors, *round));
    step("write");
    const auto result = cluster_->settle(*round, *outcome);
    step("settle");
    report(shape_, scenario_, "whole", whole_);
    require_clean(result);
    changes_ = result.changes;
    if (device.open_at())
        report_value(shape_, scenario_, "default/kubernetes", "cpu_ns",
                     static_cast<double>(*device.open_at() - begin));
    report_value(shape_, scenario_, "memory", "peak_kib",
                 static_cast<double>(memory_of(self).peak_kib));
    outcome.reset();
    round.reset();
    ::malloc_trim(0);
    report_value(shape_, scenario_, "memory", "rest_kib",
                 static_cast<double>(memory_of(self).now_kib));
    meter_.lap();
}

void Program::step(const char* name) {
    const auto cost = meter_.lap();
    whole_ += cost;
    report(shape_, scenario_, name, cost);
    meter_.lap(); // printing is no step of the program's
}

void Program::round() {
    cluster_->derive();
    auto round = cluster_->take_round(std::chrono::steady_clock::now());
    const auto outcome = sync::apply(kernel_->tables(), round);
    require_clean(cluster_->settle(round, outcome));
}

Cost Program::take(const std::string& json) {
    meter_.lap();
    const auto problem = api::decode_json(
        json, [this](api::Decoded&& decoded) { put(*store_, std::move(decoded)); },
        api::Origin::server);
    if (problem) throw std::runtime_error{problem->text()};
    round();
    return meter_.lap();
}

Cost Program::audit() {
    meter_.lap();
    const auto drift = sync::audit(*cluster_, kernel_->tables());
    const auto cost = meter_.lap();
    if (drift > 0)
        throw std::runtime_error{std::to_string(drift) + " objects are not as they were written"};
    return cost;
}

} // namespace ipvsproxy::bench
