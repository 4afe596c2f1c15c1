#include "proxy/serve/health_checks.h"

#include <algorithm>

#include "proxy/log/log.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::serve {

http::Response health_check_page(const model::ObjectName& service, std::size_t count,
                                 bool healthy) {
    const auto number = std::to_string(count);
    std::string body =
        "{\n\t\"service\": {\n\t\t\"namespace\": " + log::json_quoted(service.space.text()) +
        ",\n\t\t\"name\": " + log::json_quoted(service.name.view()) +
        "\n\t},\n\t\"localEndpoints\": " + number +
        ",\n\t\"serviceProxyHealthy\": " + (healthy ? "true" : "false") + "\n}";
    return {count > 0 && healthy ? 200U : 503U,
            {{"Content-Type", "application/json"},
             {"X-Content-Type-Options", "nosniff"},
             {"X-Load-Balancing-Endpoint-Weight", number}},
            std::move(body)};
}

PerFamily<std::vector<Address>> probe_addresses(const PerFamily<std::vector<Prefix>>& node_ports,
                                                const std::optional<std::vector<Address>>& held) {
    PerFamily<std::vector<Address>> all;
    for (const auto family : families) {
        const auto& prefixes = node_ports[family];
        const bool every = std::ranges::any_of(
            prefixes, [](const Prefix& prefix) { return prefix.length() == 0; });
        if (prefixes.empty() || every || !held) {
            all[family] = {*Address::parse(family == Family::v4 ? "0.0.0.0" : "::")};
            continue;
        }
        for (const auto& address : *held)
            if (std::ranges::any_of(prefixes,
                                    [&](const Prefix& prefix) { return prefix.contains(address); }))
                all[family].push_back(address);
        std::ranges::sort(all[family]);
        all[family].erase(std::unique(all[family].begin(), all[family].end()), all[family].end());
    }
    return all;
}

HealthCheckServers::HealthCheckServers(boost::asio::any_io_executor executor,
                                       const HealthState& health,
                                       PerFamily<std::vector<Address>> addresses, Failed failed)
    : executor_{std::move(executor)}, health_{health},
      addresses_{std::move(addresses)}, failed_{std::move(failed)} {}

void HealthCheckServers::sync(const Wanted& wanted, const std::set<model::ObjectName>& changed,
                              const PerFamily<bool>& families_taken) {
    for (const auto family : families) {
        due_[family].insert(changed.begin(), changed.end());
        if (families_taken[family]) sync(wanted, family);
    }
}

void HealthCheckServers::sync(const Wanted& wanted, Family family) {
    auto& servers = servers_[family];
    std::map<model::ObjectName, const plan::HealthCheck*> to_open;
    for (const auto& name : std::exchange(due_[family], {})) {
        const auto at = wanted.find(name);
        const auto* wish =
            at != wanted.end() && at->second.local_endpoints[family] ? &at->second : nullptr;
        const auto served = servers.find(name);
        const bool stays =
            wish != nullptr && served != servers.end() && served->second.port == wish->port;
        if (stays) *served->second.count = *wish->local_endpoints[family];
        else if (served != servers.end()) close(name, family);
        if (wish == nullptr) told_.erase({name, family});
        else if (!stays) to_open.emplace(name, wish);
    }
    for (const auto& [name, wish] : to_open) // a port may have been that of one just closed
        open(name, wish->port, *wish->local_endpoints[family], family);
}

void HealthCheckServers::close(const model::ObjectName& name, Family family) {
    const auto served = servers_[family].find(name);
    log::verbose(2, "Closing the health check of a Service",
                 {{"service", name}, {"port", served->second.port.value}});
    servers_[family].erase(served);
}

void HealthCheckServers::open(const model::ObjectName& name, Port port, std::size_t count,
                              Family family) {
    const auto shared = std::make_shared<std::size_t>(count);
    auto server = std::make_unique<http::Server>(
        executor_, [this, name, shared](const http::Request& /*request*/) {
            return health_check_page(name, *shared, health_.healthy(Instant::now()));
        });
    try {
        for (const auto& address : addresses_[family])
            server->listen({address, port}, http::Reach::own_family);
    } catch (const std::exception& error) {
        fail(name, port, family, error.what());
        return;
    }
    told_.erase({name, family});
    log::verbose(2, "Answering the health check of a Service",
                 {{"service", name}, {"port", port.value}, {"family", ipvsproxy::name(family)}});
    servers_[family].emplace(name, Served{port, shared, std::move(server)});
}

void HealthCheckServers::fail(const model::ObjectName& name, Port port, Family family,
                              const std::string& why) {
    due_[family].insert(name);
    if (std::exchange(told_[{name, family}], why) != why)
        log::error("The health check of a Service cannot be served; tried again after the next "
                   "sync",
                   {{"service", name}, {"port", port.value}, {"err", why}});
    if (failed_) failed_(name, port, why);
}

void HealthCheckServers::close() {
    for (const auto family : families)
        for (auto& [name, served] : servers_[family])
            served.server->close();
}

boost::asio::awaitable<void> HealthCheckServers::closed(std::chrono::milliseconds grace) {
    const auto end = std::chrono::steady_clock::now() + grace;
    for (const auto family : families)
        for (auto& [name, served] : servers_[family]) {
            const auto left = end - std::chrono::steady_clock::now();
            co_await served.server->closed(
                std::chrono::duration_cast<std::chrono::milliseconds>(left));
        }
}

} // namespace ipvsproxy::serve
