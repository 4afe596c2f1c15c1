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

bool opens_kubernetes(const DeviceAddressChanges& changes) {
    const auto address = kubernetes_address();
    return changes.add.contains({address, address.bits()}) ||
           changes.add.contains(local_route(address));
}

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

DeviceOutcome WatchedDevice::apply(const DeviceAddressChanges& changes) {
    auto outcome = device_.apply(changes);
    if (!open_at_ && opens_kubernetes(changes)) open_at_ = cpu_ns();
    return outcome;
}

void Program::open(const config::Options& options) {
    kernel_ = sync::open_kernel(options);
    meter_.watch(*kernel_);
    sync::prepare(*kernel_, options);
    auto& tables = kernel_->tables();
    device_.emplace(tables.device);
    doors_.emplace(sync::Kernel{*device_, tables.ipvs, tables.ipset, tables.rules, tables.flows});
}

void Program::begin_with_manifest(const Setting& setting, const config::Options& options) {
    input_.emplace(files::Where{{setting.manifest}, false});
    store_ = &input_->store;
    step("parse");
    open(options);
    step("open");
}

/// Two connections bring both lists in turn; the node is served default/kubernetes meanwhile.
void Program::begin_with_lists(const Setting& setting, const config::Options& options) {
    open(options);
    store_ = &listed_.emplace();
    cluster_ = sync::make_cluster(options, *store_, kernel_.get(), {});
    step("open");
    List services{*store_, api::Replica::Kind::service, setting.service_list()};
    List slices{*store_, api::Replica::Kind::slice, setting.slice_list()};
    Cost parse;
    for (bool more = true, begun = false; more;) {
        more = services.take();
        more = slices.take() || more;
        if (begun || !cluster_->derive_first()) continue;
        begun = true;
        parse += meter_.lap();
        head_start();
        step("head start");
    }
    parse += meter_.lap();
    step("parse", parse);
}

/// As the daemon does where lists are on their way (proxy/sync/daemon.cpp).
void Program::head_start() {
    if (doors_->device.present()) return;
    const auto seen = sync::snapshot(*doors_);
    cluster_->set_interfaces(seen.device.elsewhere);
    cluster_->state().observe(seen);
    auto round = cluster_->take_first_round(std::chrono::steady_clock::now());
    const auto outcome = sync::apply(*doors_, round);
    require_clean(cluster_->settle(round, outcome));
    cluster_->begin_anew();
}

Program::Program(const Setting& setting, std::string scenario, From from)
    : shape_{setting.shape.text()}, scenario_{std::move(scenario)} {
    const auto begin = cpu_ns();
    const auto options = setting.options();
    if (from == From::manifest) begin_with_manifest(setting, options);
    else begin_with_lists(setting, options);
    auto before = std::make_optional(sync::snapshot(*doors_));
    step("read");
    if (cluster_ == nullptr)
        cluster_ = sync::make_cluster(options, *store_, kernel_.get(), before->device.elsewhere);
    else cluster_->set_interfaces(before->device.elsewhere);
    cluster_->derive();
    step("derive");
    cluster_->state().observe(*before);
    before.reset();
    auto round = std::make_optional(cluster_->take_round(std::chrono::steady_clock::now()));
    step("decide");
    auto outcome = std::make_optional(sync::apply(*doors_, *round));
    step("write");
    const auto result = cluster_->settle(*round, *outcome);
    step("settle");
    report(shape_, scenario_, "whole", whole_);
    require_clean(result);
    changes_ = result.changes;
    if (device_->open_at())
        report_value(shape_, scenario_, "default/kubernetes", "cpu_ns",
                     static_cast<double>(*device_->open_at() - begin));
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
    step(name, meter_.lap());
}

void Program::step(const char* name, const Cost& cost) {
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
