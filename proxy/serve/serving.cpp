#include "proxy/serve/serving.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

#include "proxy/log/log.h"

namespace ipvsproxy::serve {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds pause_before_listening_again{5};

std::string_view name(Listener which) noexcept {
    return which == Listener::health ? "healthz" : "metrics";
}

} // namespace

Serving::Serving(asio::io_context& io, Setting setting, Witness& witness)
    : io_{io}, about_{setting.options, Instant::now()}, enabled_{setting.enabled},
      relists_{std::move(setting.relists)}, witness_{witness},
      health_{setting.options.configuration.ipvs.sync_period}, sync_metrics_{registry_, enabled_,
                                                                             about_.started},
      own_metrics_{registry_, about_.started, std::move(setting.cost)}, client_metrics_{registry_},
      process_metrics_{registry_, setting.options.parsed.gates, about_.started},
      health_server_{io.get_executor(),
                     [this](const http::Request& request) { return health_page(request); }},
      metrics_server_{io.get_executor(),
                      [this](const http::Request& request) { return metrics_page(request); }} {
    health_.starting();
    add_pages();
    process_metrics_.count(registry_);
}

void Serving::observe(sync::Observers& all) {
    all.add(sync_metrics_);
    all.add(own_metrics_);
    all.add(*this);
}

void Serving::attach(sync::Cluster& cluster, const std::optional<std::vector<Address>>& held) {
    cluster_ = &cluster;
    own_metrics_.attach(cluster);
    const auto& settings = cluster.state().settings();
    health_checks_.emplace(
        io_.get_executor(), health_, probe_addresses(settings.node_port_cidrs, held),
        [this](const model::ObjectName& service, Port port, const std::string& why) {
            witness_.health_check_failed(service, port, why);
        });
    for (const auto family : families)
        if (enabled_[family]) health_.updated(family, Instant::now());
}

void Serving::queued() {
    for (const auto family : families)
        if (enabled_[family]) health_.queued(family, Instant::now());
}

/// The first turn of the loop ends after all has been read, and what differed written.
void Serving::reached(const PerFamily<bool>& families_reached) {
    health_.ready();
    for (const auto family : families)
        if (families_reached[family]) health_.updated(family, Instant::now());
    health_checks_->sync(cluster_->health_checks(), cluster_->take_changed_health_checks(),
                         families_reached);
}

http::Response Serving::health_page(const http::Request& request) {
    const bool healthz = request.path() == "/healthz";
    if (!healthz && request.path() != "/livez") return not_found();
    const auto now = Instant::now();
    auto page = healthz ? health_.healthz(now) : health_.livez(now);
    (healthz ? sync_metrics_.healthz(page.status) : sync_metrics_.livez(page.status)).Increment();
    return page;
}

std::string Serving::metrics() {
    if (cluster_ != nullptr) sync_metrics_.refresh(*cluster_, cluster_->store());
    own_metrics_.relists(relists_());
    own_metrics_.refresh();
    process_metrics_.refresh();
    return exposition(registry_.Collect());
}

http::Response Serving::ping(const http::Request& request) {
    if (!slis_) slis_.emplace();
    const std::string check{"ping"};
    gauges(*slis_, "kubernetes_healthcheck",
           "[STABLE] This metric records the result of a single healthcheck.")
        .Add({{"name", check}, {"type", "healthz"}})
        .Set(1);
    counters(*slis_, "kubernetes_healthchecks_total",
             "[STABLE] This metric records the results of all healthcheck.")
        .Add({{"name", check}, {"type", "healthz"}, {"status", "success"}})
        .Increment();
    return ping_page(request);
}

http::Response Serving::slis(const http::Request& request) {
    if (request.method == "DELETE") {
        slis_.reset();
        return text_page("metrics reset\n");
    }
    auto page = text_page(slis_ ? exposition(slis_->Collect()) : "");
    page.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
    return page;
}

void Serving::add_pages() {
    using http::Request;
    const auto& gates = about_.options.parsed.gates;
    pages_.add("/configz", [this](const Request&) { return configz(about_); });
    if (about_.options.configuration.enable_profiling) {
        pages_.add("/debug/flags/v", verbosity_flag);
        pages_.add("/debug/pprof/", [](const Request&) { return no_profile(); });
    }
    if (gates.enabled("ComponentFlagz"))
        pages_.add("/flagz", [this](const Request& request) { return flagz(request, about_); });
    pages_.add("/healthz", [this](const Request& request) { return ping(request); });
    pages_.add("/healthz/ping", [](const Request&) { return text_page("ok"); });
    pages_.add("/metrics", [this](const Request&) {
        return http::Response{
            200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, metrics()};
    });
    pages_.add("/metrics/slis", [this](const Request& request) { return slis(request); });
    pages_.add("/proxyMode", [](const Request&) { return text_page("ipvs"); });
    if (gates.enabled("ComponentStatusz"))
        pages_.add("/statusz", [this](const Request& request) {
            return statusz(request, about_, Instant::now(), pages_.paths());
        });
}

asio::awaitable<void> Serving::listen(Listener which, http::Server& server, AddressPort where) {
    asio::steady_timer timer{io_};
    for (;;) {
        std::string why;
        try {
            server.listen(where, http::Reach::every_family);
            log::info("Serving", {{"what", name(which)}, {"address", where.text()}});
            co_return;
        } catch (const std::exception& error) {
            why = error.what();
        }
        if (about_.options.configuration.bind_address_hard_fail) {
            witness_.listener_failed(which, why);
            throw std::runtime_error{std::string{name(which)} + " server: " + why +
                                     "; bindAddressHardFail makes this fatal: free the address or "
                                     "choose another"};
        }
        log::error("An address cannot be listened on; tried again in 5 s",
                   {{"what", name(which)}, {"err", why}});
        timer.expires_after(pause_before_listening_again);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> Serving::listen(Listener which) {
    const auto& parsed = about_.options.parsed;
    if (which == Listener::metrics) return listen(which, metrics_server_, parsed.metrics);
    if (parsed.healthz) return listen(which, health_server_, *parsed.healthz);
    return []() -> asio::awaitable<void> { co_return; }(); // --healthz-port=0
}

asio::awaitable<void> Serving::close(std::chrono::milliseconds grace) {
    health_server_.close();
    metrics_server_.close();
    if (health_checks_) health_checks_->close();
    const auto end = std::chrono::steady_clock::now() + grace;
    const auto left = [end] {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
    };
    co_await health_server_.closed(left());
    co_await metrics_server_.closed(left());
    if (health_checks_) co_await health_checks_->closed(left());
}

} // namespace ipvsproxy::serve
