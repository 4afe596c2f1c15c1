#include "proxy/cli/objects.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "proxy/api/https_client.h"
#include "proxy/config/version.h"
#include "proxy/log/log.h"
#include "proxy/run/api_source.h"
#include "proxy/run/file_source.h"
#include "proxy/run/input.h"

namespace ipvsproxy::cli {
namespace {

/// Where the API server is and who we are to it, as the files say now.
api::Access access(const config::Options& options) {
    return api::find_access({.kubeconfig = options.configuration.client_connection.kubeconfig,
                             .master = options.master,
                             .environment = api::environment_variable});
}

std::unique_ptr<api::Client> connect(const config::Options& options,
                                     const boost::asio::any_io_executor& executor,
                                     api::ClientObserver* observer) {
    const auto& client = options.configuration.client_connection;
    api::HttpsClientSettings settings;
    settings.qps = static_cast<double>(client.qps);
    settings.burst = client.burst;
    settings.user_agent = api::user_agent(std::string{config::program_version},
                                          std::string{config::kube_proxy_version});
    settings.observer = observer;
    return api::make_https_client(executor, access(options), settings);
}

} // namespace

Objects read_objects(const Invocation& call, const config::Options& options) {
    if (call.files.empty()) {
        auto listed = run::list_once(options, connect);
        return {std::move(listed.store), listed.refused};
    }
    run::Input input{{call.files, call.recursive}};
    if (const auto unread = input.source.unread(); unread > 0)
        throw std::runtime_error{
            std::to_string(unread) +
            (unread == 1 ? " input could not be read; nothing was done, for what it holds"
                         : " inputs could not be read; nothing was done, for what they hold") +
            " would count as removed"};
    return {std::move(input.store), input.source.in_error()};
}

std::unique_ptr<run::Source> open_source(const Invocation& call, const config::Options& options) {
    if (call.files.empty()) {
        if (options.configuration.client_connection.kubeconfig.empty() && options.master.empty())
            log::info("Neither kubeconfig file nor master URL was specified, falling back to "
                      "in-cluster config");
        access(options); // what is wrong with it ends the start, before the kernel is touched
        return std::make_unique<run::ApiSource>(connect);
    }
    return std::make_unique<run::FileSource>(files::Where{call.files, call.recursive});
}

} // namespace ipvsproxy::cli
