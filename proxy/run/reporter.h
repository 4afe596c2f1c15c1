// What happens on this node, told to the API server as Events.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "proxy/api/client.h"
#include "proxy/api/event_log.h"
#include "proxy/serve/serving.h"

namespace ipvsproxy::run {

/// kube-proxy's Events, about the Node or a Service (operations.md §6 of its contract). Without
/// somebody to tell, nothing is told. Nothing waits for an Event, but last_words().
class Reporter final : public serve::Witness {
public:
    explicit Reporter(std::string node_name);

    /// From now on what happens is sent; run() does that. @param client null: there is nobody.
    void report_to(const boost::asio::any_io_executor& executor,
                   std::unique_ptr<api::Client> client);
    /// Sends for as long as the executor runs; ends at once where there is nobody to tell.
    boost::asio::awaitable<void> run();
    /// Ends when all that happened was sent or given up, or after `limit`.
    boost::asio::awaitable<void> last_words(std::chrono::nanoseconds limit);

    /// The proxy begins its work.
    void starting();
    void listener_failed(serve::Listener which, const std::string& why) override;
    void health_check_failed(const model::ObjectName& service, Port port,
                             const std::string& why) override;

private:
    struct Sender;
    void record(const api::ApiEvent& event);
    api::ApiEvent of_node(std::string type, std::string reason, std::string note) const;

    std::string node_name_;
    std::shared_ptr<Sender> sender_; ///< shared with those who wait in it, who may go later
};

} // namespace ipvsproxy::run
