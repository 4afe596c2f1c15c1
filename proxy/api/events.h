// Sends events to the API server, when it can be reached.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <string>

#include "proxy/api/client.h"
#include "proxy/api/clock.h"
#include "proxy/api/event_log.h"

namespace ipvsproxy::api {

/// As client-go's recorder: an event is tried twelve times, with ten seconds and up to a quarter
/// more between, while the server cannot be reached; what the server refuses is not tried again.
/// Either way the end is a line in the log: nothing waits for an event.
class Events {
public:
    /// @param host the node's name. @param chance gives numbers from 0 to 1. Client and clock
    /// outlive this.
    Events(const boost::asio::any_io_executor& executor, Client& client, std::string host,
           Clock& clock, std::function<double()> chance);

    /// Puts it into the queue, which holds a thousand; beyond them it is dropped, with a line in
    /// the log. On the thread of the executor.
    void record(const ApiEvent& event);
    /// Sends what is recorded, one after the other, for ever.
    boost::asio::awaitable<void> run();
    std::size_t waiting() const noexcept { return queue_.size(); }
    /// Ends when nothing waits to be written and nothing is being written, or after `limit`.
    boost::asio::awaitable<void> written(std::chrono::nanoseconds limit);

private:
    enum class Outcome : std::uint8_t { done, again };
    boost::asio::awaitable<void> write(EventRecord record);
    boost::asio::awaitable<Outcome> attempt(EventRecord record);
    boost::asio::awaitable<unsigned> status_of(Request request);
    void enqueue(EventRecord record);

    Client& client_;
    std::string host_;
    Clock& clock_;
    std::function<double()> chance_;
    EventLog log_{};
    std::deque<EventRecord> queue_{};
    boost::asio::steady_timer bell_, all_written_;
    bool overflowing_{}, writing_{};
};

} // namespace ipvsproxy::api
