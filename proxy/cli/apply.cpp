// ipvsproxy apply: one reconcile.
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <iostream>

#include "proxy/cli/command.h"
#include "proxy/cli/objects.h"
#include "proxy/cli/session.h"
#include "proxy/sync/audit.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::cli {
namespace {

namespace json = boost::json;

/// What the whole command came to.
struct Result {
    std::size_t changes{};
    std::vector<sync::RefusedObject> refused{};
    ipvs::Destinations leaving{};
    std::size_t forgotten_flows{};
};

void take(Result& result, sync::Report report) {
    result.changes += report.changes;
    result.forgotten_flows += report.forgotten_flows;
    result.leaving.merge(report.leaving);
    result.refused = std::move(report.refused); // what still stands after the last round
}

/// One round. @return whether it changed anything. What it held is free before all is read again.
bool write(sync::Cluster& cluster, sync::Kernel& kernel, Result& result) {
    auto round = cluster.take_round(std::chrono::steady_clock::now());
    if (round.empty()) return false;
    const bool writes = !round.changes.empty();
    const auto outcome = sync::apply(kernel, round);
    take(result, cluster.settle(round, outcome));
    return writes;
}

/// Wishes come from the objects and, where they depend on them, the interfaces; then the rest of
/// the kernel's state is compared as it is read.
std::unique_ptr<sync::Cluster> compare(const config::Options& options, model::Store& store,
                                       sync::RealKernel& kernel) {
    using sync::Part;
    auto seen = kernel.tables().device.snapshot();
    auto cluster = sync::make_cluster(options, store, &kernel, seen.elsewhere);
    cluster->state().observe_device(seen);
    seen = {}; // not held beside all that follows
    sync::audit(*cluster, kernel.tables(),
                {Part::sets, Part::rules, Part::services, Part::destinations});
    return cluster;
}

/// Writes what differs and looks whether it took. What another program undoes meanwhile is written
/// again, three times at most.
Result reconcile(sync::Cluster& cluster, sync::Kernel& kernel) {
    Result result;
    for (int attempt = 0; attempt < 3; ++attempt) {
        if (!write(cluster, kernel, result)) break;
        sync::audit(cluster, kernel);
    }
    const bool device_refused = std::ranges::any_of(result.refused, [](const auto& refused) {
        return refused.object == sync::name(sync::Part::device);
    });
    const auto left = cluster.state().changes(std::chrono::steady_clock::now());
    for (const auto& line : plan::describe(left, cluster.state()))
        if (line.table != "link" || !device_refused) // told, with its reason
            result.refused.push_back({line.command, "still differs: " + line.reason,
                                      "another program may be undoing it"});
    return result;
}

void print_text(const Result& result) {
    for (const auto& line : plan::describe_leaving(result.leaving))
        std::cout << "draining: " << line.command << "  # " << line.reason << '\n';
    std::cout << result.changes << (result.changes == 1 ? " change" : " changes") << " made, "
              << result.leaving.size() << " real servers draining, " << result.refused.size()
              << " refused\n";
}

void print_json(const Result& result) {
    json::array refused, leaving;
    for (const auto& one : result.refused)
        refused.push_back(
            json::object{{"object", one.object}, {"cause", one.cause}, {"remedy", one.remedy}});
    for (const auto& [key, spec] : result.leaving)
        leaving.emplace_back(key.text());
    std::cout << json_text(json::object{{"changes", result.changes},
                                        {"draining", std::move(leaving)},
                                        {"refused", std::move(refused)},
                                        {"forgottenFlows", result.forgotten_flows}});
}

} // namespace

int apply(const Invocation& call) {
    const auto options = complete_options(call);
    auto input = read_objects(call, options);
    sync::require_pod_cidrs(options, input.store);
    const auto kernel = sync::open_kernel(options);
    const auto switches = sync::prepare(*kernel, options);
    const auto cluster = compare(options, input.store, *kernel);
    auto result = reconcile(*cluster, kernel->tables());
    result.changes += switches;
    warn_contests(*cluster);
    for (const auto& refused : result.refused)
        std::cerr << "refused: " << refused.text() << '\n';
    if (call.output == Output::text) print_text(result);
    else print_json(result);
    return result.refused.empty() && input.in_error == 0 ? exit_success : exit_failure;
}

} // namespace ipvsproxy::cli
