// How long an event takes to the kernel, in a loop that is idle otherwise but for its audit.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <random>
#include <stdexcept>
#include <utility>

#include "proxy/sync/daemon.h"
#include "tests/bench/child.h"
#include "tests/bench/program.h"
#include "tests/bench/scenarios.h"
#include "tests/bench/system_calls.h"

namespace ipvsproxy::bench {
namespace {

namespace asio = boost::asio;

constexpr std::size_t events = 2000; // with their pauses a whole period of the audit
/// Divides no number of Services, so that none gets the endpoint that it has already.
constexpr std::size_t generations = 997;

/// Notes when the loop has heard that the kernel has a change.
class Witness final : public sync::Observer {
public:
    explicit Witness(asio::io_context& io) : bell{io.get_executor()} {}
    void written(const plan::NodeChanges& /*changes*/) override {
        written_at = monotonic_ns();
        if (started_) bell.ring();
    }
    void reached(const PerFamily<bool>& /*families*/) override {
        if (!std::exchange(started_, true)) bell.ring(); // the node is filled
    }
    void drifted(sync::Part part, const std::vector<plan::Line>& /*healing*/) override {
        throw std::runtime_error{"drift: " + std::string{sync::name(part)}};
    }

    sync::Bell bell;
    std::uint64_t written_at{};

private:
    bool started_{};
};

/// Hands endpoints that change to the loop, one at a time, as a watch of the API server does.
asio::awaitable<void> send_events(sync::Daemon& daemon, model::Store& store, Witness& witness,
                                  Shape shape, std::vector<std::uint64_t>& delays) {
    constexpr auto never = plan::Moment::max();
    co_await witness.bell.wait(never); // the node is filled
    asio::steady_timer pause{co_await asio::this_coro::executor};
    std::minstd_rand chance{1}; // NOLINT(cert-msc*,bugprone-random*): the same each time
    std::uniform_int_distribution<> pauses_ms{5, 25};
    for (std::size_t i = 0; i < events; ++i) {
        pause.expires_after(std::chrono::milliseconds{pauses_ms(chance)});
        co_await pause.async_wait(asio::use_awaitable);
        const auto json =
            slices_json(shape, i * 7919 % shape.services, i % generations + 1).front();
        const auto begin = monotonic_ns();
        const auto problem = api::decode_json(
            json, [&](api::Decoded&& decoded) { put(store, std::move(decoded)); },
            api::Origin::server);
        if (problem) throw std::runtime_error{problem->text()};
        daemon.ring();
        co_await witness.bell.wait(never);
        delays.push_back(witness.written_at - begin);
    }
    daemon.stop();
}

void report_delays(const Setting& setting, std::vector<std::uint64_t> delays) {
    if (delays.size() != events) throw std::runtime_error{"events were lost"};
    std::ranges::sort(delays);
    const auto tell = [&](const char* name, std::size_t per_mille) {
        report_value(setting.shape.text(), "event to kernel", "delay", name,
                     static_cast<double>(delays.at((events - 1) * per_mille / 1000)) / 1e3);
    };
    tell("p50_us", 500);
    tell("p90_us", 900);
    tell("p99_us", 990);
    tell("most_us", 1000);
}

/// What an event may have to wait for: the longest portion of each part.
void report_portions(const Setting& setting, sync::Cluster& cluster, sync::Kernel& kernel) {
    std::map<sync::Part, std::uint64_t> longest;
    for (auto& portion : cluster.portions()) {
        const auto part = portion.part;
        cluster.fill(portion);
        const auto begin = monotonic_ns();
        sync::observe(cluster.state(), sync::look(kernel, std::move(portion)));
        longest[part] = std::max(longest[part], monotonic_ns() - begin);
    }
    for (const auto& [part, took] : longest)
        report_value(setting.shape.text(), "longest portion", sync::name(part), "us",
                     static_cast<double>(took) / 1e3);
}

void measure_delays(const Setting& setting) {
    stop_counting();
    const auto options = setting.options();
    run::Input input{files::Where{{setting.manifest}, false}};
    const auto kernel = sync::open_kernel(options);
    const auto cluster = sync::make_cluster(options, input.store, kernel.get(),
                                            kernel->tables().device.snapshot().elsewhere);
    asio::io_context io{1};
    Witness witness{io};
    const sync::Pace pace{{}, options.configuration.ipvs.sync_period};
    sync::Daemon daemon{io, *cluster, kernel->tables_with_readers(), nullptr, pace, witness};
    std::vector<std::uint64_t> delays;
    std::exception_ptr failure;
    const auto end = [&](const std::exception_ptr& error) {
        if (!error) return;
        failure = error;
        io.stop();
    };
    daemon.inputs_complete();
    asio::co_spawn(io, daemon.run(), end);
    asio::co_spawn(io, send_events(daemon, input.store, witness, setting.shape, delays), end);
    io.run();
    if (failure) std::rethrow_exception(failure);
    report_delays(setting, std::move(delays));
    report_portions(setting, *cluster, kernel->tables());
}

} // namespace

void run_latency(const Setting& setting) {
    in_child([&] { measure_delays(setting); });
}

} // namespace ipvsproxy::bench
