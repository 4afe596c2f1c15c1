// All that the daemon serves: health, metrics, and the health checks of Services.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>

#include "proxy/http/server.h"
#include "proxy/serve/client_metrics.h"
#include "proxy/serve/health.h"
#include "proxy/serve/health_checks.h"
#include "proxy/serve/own_metrics.h"
#include "proxy/serve/pages.h"
#include "proxy/serve/process_metrics.h"
#include "proxy/serve/sync_metrics.h"
#include "proxy/sync/observers.h"

namespace ipvsproxy::serve {

enum class Listener : std::uint8_t { health, metrics };

/// Is told what is to become an Event (events.k8s.io).
class Witness {
public:
    virtual ~Witness() = default;
    /// The process ends because of it (bindAddressHardFail).
    virtual void listener_failed(Listener /*which*/, const std::string& /*why*/) {}
    virtual void health_check_failed(const model::ObjectName& /*service*/, Port /*port*/,
                                     const std::string& /*why*/) {}
};

/// Used on the loop's thread. Observes the loop by itself once observe() was called.
class Serving final : private sync::Observer {
public:
    struct Setting {
        const config::Options& options;
        PerFamily<bool> enabled; ///< families that are kept
        OwnMetrics::Cost cost;
        std::function<std::uint64_t()> relists; ///< of the API server, so far
    };

    /// @param witness outlives this.
    Serving(boost::asio::io_context& io, Setting setting, Witness& witness);

    /// Adds the metrics and the health to those who are told of the loop.
    void observe(sync::Observers& all);
    /// The loop begins with this cluster, which outlives it.
    /// @param held all addresses of the node; nothing when they could not be read
    void attach(sync::Cluster& cluster, const std::optional<std::vector<Address>>& held);
    /// Null: there is no such Node now.
    void take_node(const model::Node* node) { health_.set_node(node); }
    /// Nobody describes the Node: it is as good as any.
    void do_without_node() { health_.do_without_node(); }

    /// Listens where the options say, if they do. What cannot be listened on is tried again every
    /// five seconds. @throws std::runtime_error instead where bindAddressHardFail is set.
    boost::asio::awaitable<void> listen(Listener which);
    /// Running requests are answered, for at most `grace`.
    boost::asio::awaitable<void> close(std::chrono::milliseconds grace);

    /// To be told of the requests to the API server.
    api::ClientObserver& client_observer() noexcept { return client_metrics_; }

    /// As GET /metrics answers.
    std::string metrics();
    /// @name The answers of the two servers.
    ///@{
    http::Response health_page(const http::Request& request);
    http::Response metrics_page(const http::Request& request) const {
        return pages_.answer(request);
    }
    ///@}

private:
    void queued() override;
    void reached(const PerFamily<bool>& families) override;

    void add_pages();
    http::Response ping(const http::Request& request);
    http::Response slis(const http::Request& request);
    boost::asio::awaitable<void> listen(Listener which, http::Server& server, AddressPort where);

    boost::asio::io_context& io_;
    About about_;
    PerFamily<bool> enabled_;
    std::function<std::uint64_t()> relists_;
    Witness& witness_;
    HealthState health_;
    prometheus::Registry registry_;
    SyncMetrics sync_metrics_;
    OwnMetrics own_metrics_;
    ClientMetrics client_metrics_;
    ProcessMetrics process_metrics_;
    std::optional<prometheus::Registry> slis_; ///< of /metrics/slis, until they are reset
    Pages pages_;
    sync::Cluster* cluster_{};
    std::optional<HealthCheckServers> health_checks_;
    http::Server health_server_, metrics_server_;
};

} // namespace ipvsproxy::serve
