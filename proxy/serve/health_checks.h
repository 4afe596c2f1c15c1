// The servers of healthCheckNodePort: load balancers ask them whether a node has local endpoints.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proxy/http/server.h"
#include "proxy/model/objects.h"
#include "proxy/plan/contribution.h"
#include "proxy/serve/health.h"

namespace ipvsproxy::serve {

/// The answer to a probe, whatever its path and method.
/// @param count distinct addresses of ready local endpoints
http::Response health_check_page(const model::ObjectName& service, std::size_t count, bool healthy);

/// nodePortAddresses against what the interfaces hold: the unspecified address alone where every
/// address counts, otherwise each that a prefix of its family holds; none when none does.
/// @param held nothing when the interfaces could not be read: then every address counts
PerFamily<std::vector<Address>> probe_addresses(const PerFamily<std::vector<Prefix>>& node_ports,
                                                const std::optional<std::vector<Address>>& held);

/// One server a Service and family, on a port of its own.
class HealthCheckServers {
public:
    /// Told of a Service that cannot be listened for, at every try: name, port, why. It is tried
    /// again at every sync(); the log has it once, until the reason changes.
    using Failed = std::function<void(const model::ObjectName&, Port, const std::string&)>;
    using Wanted = std::map<model::ObjectName, plan::HealthCheck>;

    /// @param health is asked at every probe; it outlives this.
    HealthCheckServers(boost::asio::any_io_executor executor, const HealthState& health,
                       PerFamily<std::vector<Address>> addresses, Failed failed);

    /// Opens what is new, closes what has gone, and takes over the counts. A Service that keeps its
    /// port keeps its server.
    /// @param changed all whose wish is another than at the last call; no other is looked at
    /// @param families those whose last sync was successful; the others stay as they are, until
    /// theirs is
    void sync(const Wanted& wanted, const std::set<model::ObjectName>& changed,
              const PerFamily<bool>& families);
    /// No more connections; running requests are answered.
    void close();
    /// Ends when they are, or after `grace`.
    boost::asio::awaitable<void> closed(std::chrono::milliseconds grace);
    std::size_t size() const noexcept { return servers_.v4.size() + servers_.v6.size(); }

private:
    struct Served {
        Port port;
        std::shared_ptr<std::size_t> count; ///< shared with the handler
        std::unique_ptr<http::Server> server;
    };
    using Servers = std::map<model::ObjectName, Served>;
    using Key = std::pair<model::ObjectName, Family>;

    void sync(const Wanted& wanted, Family family);
    void close(const model::ObjectName& name, Family family);
    void open(const model::ObjectName& name, Port port, std::size_t count, Family family);
    void fail(const model::ObjectName& name, Port port, Family family, const std::string& why);

    boost::asio::any_io_executor executor_;
    const HealthState& health_;
    PerFamily<std::vector<Address>> addresses_;
    Failed failed_;
    PerFamily<Servers> servers_;
    PerFamily<std::set<model::ObjectName>> due_; ///< changed, or not to be listened for
    std::map<Key, std::string> told_;
};

} // namespace ipvsproxy::serve
