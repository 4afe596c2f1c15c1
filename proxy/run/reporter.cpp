#include "proxy/run/reporter.h"

#include <utility>

#include "proxy/api/clock.h"
#include "proxy/api/events.h"
#include "proxy/log/quote.h"
#include "proxy/run/chance.h"

namespace ipvsproxy::run {

namespace asio = boost::asio;

struct Reporter::Sender {
    Sender(const asio::any_io_executor& executor, std::unique_ptr<api::Client> to,
           const std::string& node_name)
        : client{std::move(to)}, events{executor, *client, node_name, clock, chance()} {}
    std::unique_ptr<api::Client> client;
    api::RealClock clock{};
    api::Events events;
};

Reporter::Reporter(std::string node_name) : node_name_{std::move(node_name)} {}

void Reporter::report_to(const asio::any_io_executor& executor,
                         std::unique_ptr<api::Client> client) {
    if (client) sender_ = std::make_shared<Sender>(executor, std::move(client), node_name_);
}

asio::awaitable<void> Reporter::run() {
    const auto sender = sender_;
    if (sender) co_await sender->events.run();
}

asio::awaitable<void> Reporter::last_words(std::chrono::nanoseconds limit) {
    const auto sender = sender_;
    if (sender) co_await sender->events.written(limit);
}

void Reporter::record(const api::ApiEvent& event) {
    if (sender_) sender_->events.record(event);
}

api::ApiEvent Reporter::of_node(std::string type, std::string reason, std::string note) const {
    return {.type = std::move(type),
            .reason = std::move(reason),
            .action = "StartKubeProxy",
            .regarding = {.kind = "Node", .name = node_name_},
            .note = std::move(note)};
}

void Reporter::starting() {
    record(of_node("Normal", "Starting", ""));
}

void Reporter::listener_failed(serve::Listener which, const std::string& why) {
    const bool health = which == serve::Listener::health;
    record(of_node("Warning",
                   health ? "FailedToStartProxierHealthcheck" : "FailedToStartMetricServer", why));
}

void Reporter::health_check_failed(const model::ObjectName& service, Port port,
                                   const std::string& why) {
    const std::string name = service.text();
    // kube-proxy knows no uid and says the name in its place; it names no apiVersion.
    record({.type = "Warning",
            .reason = "FailedToStartServiceHealthcheck",
            .action = "Listen",
            .regarding = {.api_version = {},
                          .kind = "Service",
                          .name = service.name.text(),
                          .name_space = service.space.text(),
                          .uid = name},
            .note = "node " + node_name_ + " failed to start healthcheck " + log::quoted(name) +
                    " on port " + std::to_string(port.value) + ": " + why});
}

} // namespace ipvsproxy::run
