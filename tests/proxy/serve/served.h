// What is served, over a node on paper.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "proxy/config/flags.h"
#include "proxy/serve/serving.h"
#include "tests/proxy/sync/paper_node.h"

namespace ipvsproxy::serve {

inline config::Options options(std::map<std::string, std::vector<std::string>, std::less<>> given) {
    given.try_emplace("hostname-override", std::vector<std::string>{"node-1"});
    return *config::complete(config::Flags{std::move(given)}, std::nullopt, "node-1");
}

struct Heard final : Witness {
    std::vector<std::string> listeners;
    void listener_failed(Listener which, const std::string& why) override {
        listeners.push_back((which == Listener::health ? "health: " : "metrics: ") + why);
    }
};

/// Serves a node on paper without listening.
struct Served {
    explicit Served(config::Options with = options({})) : chosen{std::move(with)} {
        serving.observe(loop);
        serving.attach(node.cluster(), std::nullopt);
        const model::Node object{.name = "node-1"};
        serving.take_node(&object);
        node.adopt();
    }
    /// A turn of the loop.
    void turn() {
        node.cluster().derive();
        auto round = node.cluster().take_round(node.now);
        const auto outcome = sync::apply(node.tables.kernel, round);
        const auto report = node.cluster().settle(round, outcome);
        loop.settled(round, report, std::chrono::milliseconds{3});
        for (const auto& trigger : node.cluster().take_triggers({true, true}))
            loop.programmed(trigger.family, trigger.at);
        loop.reached({true, true});
    }
    http::Response health(std::string target) {
        return serving.health_page({.target = std::move(target)});
    }
    http::Response page(std::string target, std::string method = "GET") {
        return serving.metrics_page({.method = std::move(method), .target = std::move(target)});
    }
    std::string metrics() { return page("/metrics").body; }

    config::Options chosen;
    sync::PaperNode node;
    boost::asio::io_context io{1};
    Heard heard;
    sync::Observers loop;
    Serving serving{io,
                    {chosen,
                     {true, true},
                     [] {
                         return sync::KernelCost{3, 400, 5};
                     },
                     [] { return std::uint64_t{2}; }},
                    heard};
};

inline std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);)
        all.push_back(line);
    return all;
}

/// A node with a service, a change of which the control plane saw after the start.
inline void serve_something(Served& served) {
    auto web = sync::service("web", "10.96.0.80");
    auto slice = sync::backends(web, "R.1");
    slice.triggered = std::chrono::system_clock::now();
    served.node.store().put(web);
    served.node.store().put(slice);
    served.loop.queued();
    served.turn();
}

} // namespace ipvsproxy::serve
