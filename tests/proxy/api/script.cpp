#include "tests/proxy/api/script.h"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace ipvsproxy::api {

namespace asio = boost::asio;

namespace {

/// Sleeps until the bell is rung. @throws operation_aborted when the coroutine is cancelled.
asio::awaitable<void> sleep(asio::steady_timer& bell) {
    const auto state = co_await asio::this_coro::cancellation_state;
    bell.expires_at(asio::steady_timer::time_point::max());
    boost::system::error_code rung;
    co_await bell.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error{asio::error::operation_aborted};
}

class ScriptedAnswer final : public Answer {
public:
    ScriptedAnswer(const Line& line, std::shared_ptr<Channel> channel)
        : status_{line.status}, headers_{line.headers}, channel_{std::move(channel)} {}

    unsigned status() const override { return status_; }
    std::optional<std::string> header(std::string_view name) const override {
        const auto found = headers_.find(std::string{name});
        if (found == headers_.end()) return std::nullopt;
        return found->second;
    }
    asio::awaitable<std::string_view> more() override {
        while (channel_->pieces.empty() && channel_->then == Then::hold)
            co_await sleep(channel_->bell);
        if (!channel_->pieces.empty()) {
            piece_ = std::move(channel_->pieces.front());
            channel_->pieces.pop_front();
            co_return std::string_view{piece_};
        }
        if (channel_->then == Then::cut)
            throw boost::system::system_error{asio::error::connection_reset};
        if (channel_->then == Then::stall)
            throw boost::system::system_error{asio::error::timed_out};
        co_return std::string_view{};
    }
    void limit_idle(std::chrono::nanoseconds limit) override { channel_->idle_limit = limit; }

private:
    unsigned status_;
    std::map<std::string, std::string> headers_;
    std::shared_ptr<Channel> channel_;
    std::string piece_;
};

std::string path_of(const std::string& target) {
    return target.substr(0, target.find('?'));
}

} // namespace

Channel::Channel(const asio::any_io_executor& executor, Line line)
    : pieces{line.pieces.begin(), line.pieces.end()}, then{line.then}, bell{executor} {}

void Script::push(const std::string& path, std::string piece) {
    held_.at(path)->pieces.push_back(std::move(piece));
    held_.at(path)->bell.cancel();
}

void Script::finish(const std::string& path, Then then) {
    held_.at(path)->then = then;
    held_.at(path)->bell.cancel();
}

std::vector<std::string> Script::asked(const std::string& path) const {
    std::vector<std::string> targets;
    if (const auto found = requests_.find(path); found != requests_.end())
        for (const auto& request : found->second)
            targets.push_back(request.target.substr(path.size()));
    return targets;
}

asio::awaitable<std::unique_ptr<Answer>> Script::send(Request request) {
    const auto path = path_of(request.target);
    const auto idle_limit = request.idle_limit;
    requests_[path].push_back(std::move(request));
    auto& lines = lines_[path];
    asio::steady_timer never{executor_};
    while (lines.empty())
        co_await sleep(never);
    const auto line = std::move(lines.front());
    lines.pop_front();
    if (line.refuses) throw boost::system::system_error{line.refuses, "api.test:6443"};
    auto channel = std::make_shared<Channel>(executor_, line);
    channel->idle_limit = idle_limit;
    held_[path] = channel;
    co_return std::make_unique<ScriptedAnswer>(line, std::move(channel));
}

} // namespace ipvsproxy::api
