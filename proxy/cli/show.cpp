// ipvsproxy plan, ipvsproxy snapshot: the desired and the observed state.
#include <boost/json.hpp>
#include <iostream>

#include "proxy/cli/command.h"
#include "proxy/cli/objects.h"
#include "proxy/cli/session.h"
#include "proxy/sync/real_kernel.h"
#include "proxy/sync/startup.h"

namespace ipvsproxy::cli {

void print(const plan::NodeSnapshot& state, Output output) {
    switch (output) {
    case Output::text:
        std::cout << plan::text(state);
        break;
    case Output::json:
        std::cout << json_text(to_json(state));
        break;
    case Output::yaml:
        std::cout << yaml_text(to_json(state));
        break;
    }
}

int plan(const Invocation& call) {
    const auto options = complete_options(call);
    auto input = read_objects(call, options);
    sync::require_pod_cidrs(options, input.store);
    KernelDevice device{std::string{sync::device_name}};
    KernelSysctls sysctls;
    const auto cluster = sync::make_cluster(options, input.store, sync::supported_families(sysctls),
                                            device.snapshot().elsewhere);
    warn_contests(*cluster);
    print(cluster->state().desired(), call.output);
    return input.in_error == 0 ? exit_success : exit_failure;
}

int snapshot(const Invocation& call) {
    const auto options = complete_options(call);
    const auto kernel = sync::open_kernel(options);
    print(sync::snapshot(kernel->tables()), call.output);
    return exit_success;
}

} // namespace ipvsproxy::cli
