// ipvsproxy version.
#include <boost/json.hpp>
#include <iostream>

#include "proxy/cli/command.h"
#include "proxy/cli/version_data.h"

namespace ipvsproxy::cli {

int version(const Invocation& call) {
    if (call.output == Output::text) {
        std::cout << "ipvsproxy " << program_version << " (in place of kube-proxy "
                  << kube_proxy_version << ")\n";
        return exit_success;
    }
    const boost::json::object all{{"version", program_version},
                                  {"kubeProxyVersion", kube_proxy_version}};
    std::cout << (call.output == Output::json ? json_text(all) : yaml_text(all));
    return exit_success;
}

} // namespace ipvsproxy::cli
