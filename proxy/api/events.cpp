#include "proxy/api/events.h"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <stdexcept>
#include <utility>

#include "proxy/log/log.h"

namespace ipvsproxy::api {
namespace {

constexpr std::size_t longest_queue = 1000; // client-go's broadcaster
constexpr int most_tries = 12;
constexpr std::chrono::seconds pause{10};
constexpr std::chrono::minutes between_looks{1}; ///< at the series

std::string about(const EventRecord& record) {
    const auto& object = record.event.regarding;
    return object.kind + " " + (object.name_space.empty() ? "" : object.name_space + "/") +
           object.name;
}

void tell_refused(const EventRecord& record, unsigned status) {
    std::string cause = "HTTP status " + std::to_string(status);
    if (status == 403)
        cause += "; bind the service account to a role that may create and patch events of "
                 "events.k8s.io, as ClusterRole system:node-proxier may";
    log::error("The API server refused an event, which is dropped",
               {{"reason", record.event.reason}, {"regarding", about(record)}, {"err", cause}});
}

} // namespace

Events::Events(const boost::asio::any_io_executor& executor, Client& client, std::string host,
               Clock& clock, std::function<double()> chance)
    : client_{client}, host_{std::move(host)}, clock_{clock}, chance_{std::move(chance)},
      bell_{executor}, all_written_{executor} {}

void Events::record(const ApiEvent& event) {
    if (auto record = log_.observe(event, clock_.date())) enqueue(std::move(*record));
    bell_.cancel();
}

void Events::enqueue(EventRecord record) {
    const bool full = queue_.size() >= longest_queue;
    if (full && !overflowing_)
        log::error("Events are dropped: too many wait for the API server",
                   {{"reason", record.event.reason}, {"regarding", about(record)}});
    overflowing_ = full;
    if (!full) queue_.push_back(std::move(record));
}

boost::asio::awaitable<void> Events::run() {
    for (;;) {
        for (auto& series : log_.due(clock_.date()))
            enqueue(std::move(series));
        if (queue_.empty()) {
            all_written_.cancel();
            boost::system::error_code rung;
            if (log_.empty()) bell_.expires_at(std::chrono::steady_clock::time_point::max());
            else bell_.expires_after(between_looks);
            co_await bell_.async_wait(
                boost::asio::redirect_error(boost::asio::use_awaitable, rung));
            continue;
        }
        auto next = std::move(queue_.front());
        queue_.pop_front();
        writing_ = true;
        co_await write(std::move(next));
        writing_ = false;
    }
}

boost::asio::awaitable<void> Events::written(std::chrono::nanoseconds limit) {
    if (queue_.empty() && !writing_) co_return;
    all_written_.expires_after(limit);
    boost::system::error_code sooner;
    co_await all_written_.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, sooner));
}

boost::asio::awaitable<void> Events::write(EventRecord record) {
    for (int tries = 1;; ++tries) {
        if (co_await attempt(record) == Outcome::done) co_return;
        if (tries == most_tries) break;
        const std::chrono::duration<double> jittered = pause * (1 + 0.25 * chance_());
        co_await clock_.pause(std::chrono::duration_cast<std::chrono::nanoseconds>(jittered));
    }
    log::error("An event could not be written and is dropped", {{"reason", record.event.reason},
                                                                {"regarding", about(record)},
                                                                {"note", record.event.note},
                                                                {"tries", most_tries}});
}

boost::asio::awaitable<unsigned> Events::status_of(Request request) {
    const auto answer = co_await client_.send(std::move(request));
    for (;;) { // to its end, so that the connection serves others
        const auto piece = co_await answer->more();
        if (piece.empty()) co_return answer->status();
    }
}

boost::asio::awaitable<Events::Outcome> Events::attempt(EventRecord record) {
    const bool is_series = record.count > 1;
    try {
        unsigned status = 404;
        if (is_series) {
            auto patch = series_request(record);
            status = co_await status_of(std::move(patch));
        }
        if (status == 404) { // new, or the event has expired meanwhile
            auto create = create_request(record, host_);
            status = co_await status_of(std::move(create));
            if (is_series && status == 409)
                co_return Outcome::again; // it is there after all: patch it
        }
        if (status / 100 != 2) tell_refused(record, status);
        co_return Outcome::done;
    } catch (const boost::system::system_error& error) {
        if (error.code() == boost::asio::error::operation_aborted) throw; // nobody waits any more
        log::verbose(2, "An event could not be written yet",
                     {{"reason", record.event.reason}, {"err", error.what()}});
    } catch (const std::runtime_error& error) { // no credentials
        log::verbose(2, "An event could not be written yet",
                     {{"reason", record.event.reason}, {"err", error.what()}});
    }
    co_return Outcome::again;
}

} // namespace ipvsproxy::api
