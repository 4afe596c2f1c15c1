// An answer that is being read from its connection.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/api/client.h"
#include "proxy/api/clock.h"
#include "proxy/api/connection_pool.h"
#include "proxy/http/codec.h"
#include "proxy/https/inflate.h"

namespace ipvsproxy::api {

/// A connection and what it takes to give it back.
struct Lent {
    std::unique_ptr<https::Stream> stream;
    https::TlsContext credentials{};
    std::shared_ptr<ConnectionPool> pool; ///< may outlive the client, with an answer
};

/// What goes with an answer to the metrics; the texts outlive it.
struct Told {
    ClientObserver* observer{};
    std::string method{}, host{};
};

class HttpAnswer : public Answer {
public:
    HttpAnswer(Lent connection, const Request& request, Told told);

    /// Reads up to the end of the head. @throws https::Failure; connection_reset when the
    /// connection ended before the first byte of an answer.
    boost::asio::awaitable<void> read_head();
    /// Reads what is left, if it is little, so that the connection can be used again.
    boost::asio::awaitable<void> drain();

    unsigned status() const override { return reader_.status(); }
    std::optional<std::string> header(std::string_view name) const override;
    boost::asio::awaitable<std::string_view> more() override;
    void limit_idle(std::chrono::nanoseconds limit) override { idle_limit_ = limit; }

private:
    boost::asio::awaitable<void> read_once();
    void take(std::string_view piece);
    void finish();

    Lent connection_;
    Told told_;
    std::chrono::nanoseconds head_limit_, idle_limit_;
    http::ResponseReader reader_;
    std::optional<https::Inflater> inflater_{};
    std::string room_, fresh_{}, shown_{}; ///< as read; decoded; handed out
    std::size_t body_bytes_{};
    bool head_known_{}, finished_{}, surplus_{};
};

} // namespace ipvsproxy::api
