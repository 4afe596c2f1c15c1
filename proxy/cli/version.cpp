// ipvsproxy version.
#include <boost/json.hpp>
#include <iostream>
#include <string>

#include "proxy/cli/command.h"
#include "proxy/config/version.h"

namespace ipvsproxy::cli {

std::string version_line() {
    std::string line{"ipvsproxy "};
    line.append(config::program_version)
        .append(" (in place of kube-proxy ")
        .append(config::kube_proxy_version);
    return line += ')';
}

int version(const Invocation& call) {
    if (call.output == Output::text) {
        std::cout << version_line() << '\n';
        return exit_success;
    }
    const boost::json::object all{{"version", config::program_version},
                                  {"kubeProxyVersion", config::kube_proxy_version}};
    std::cout << (call.output == Output::json ? json_text(all) : yaml_text(all));
    return exit_success;
}

} // namespace ipvsproxy::cli
