// The door to an API server: a request goes in, an answer comes out in the pieces it arrives in.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ipvsproxy::api {

/// One request. Who asks, and which server is asked, is the client's.
struct Request {
    std::string method{"GET"};
    std::string target{}; ///< `/api/v1/services?watch=1`: below the server's URL, escaped
    std::string accept{"application/json"};
    std::string content_type{}; ///< of the body, when there is one
    std::string body{};
    /// How long the head of the answer may take; kube-apiserver gives up after a minute itself
    /// (--request-timeout).
    std::chrono::nanoseconds head_limit{std::chrono::seconds{70}};
    /// No byte of the body for so long: it has stalled. A watch is silent between its bookmarks,
    /// which come only roughly once a minute where they are asked for: it needs a longer limit.
    std::chrono::nanoseconds idle_limit{std::chrono::seconds{70}};
};

/// An answer whose head is there. Read to its end, its connection serves another request; destroyed
/// before, the connection is closed.
class Answer {
public:
    virtual ~Answer() = default;
    virtual unsigned status() const = 0;
    /// The first header field of that name, in any case.
    virtual std::optional<std::string> header(std::string_view name) const = 0;
    /// The next bytes of the body, decoded (gzip); empty at its orderly end, and ever after. Valid
    /// until the next call.
    /// @throws boost::system::system_error when the connection is cut in mid-body, `timed_out` when
    /// it has been silent for the request's idle_limit. What was read before stays good.
    virtual boost::asio::awaitable<std::string_view> more() = 0;
    /// From the next more() on, another idle_limit: what the answer brings has become of another
    /// kind.
    virtual void limit_idle(std::chrono::nanoseconds limit) = 0;
};

/// One API server. Requests may be under way side by side, all on the thread of one executor; both
/// calls take cancellation.
class Client {
public:
    virtual ~Client() = default;
    /// Waits for the rate limit, logs in, sends, and gives the answer once its head is there,
    /// whatever its status. What is tried again before that: a kept connection that turns out to be
    /// dead (once, when the method is idempotent), 401 with new credentials (once), 429 and 5xx
    /// that name a Retry-After (ten times, as client-go). Every other failure is the caller's to
    /// repeat.
    /// @throws boost::system::system_error when no answer came; its text names server and cause.
    /// std::runtime_error when there are no credentials to log in with.
    virtual boost::asio::awaitable<std::unique_ptr<Answer>> send(Request request) = 0;
};

/// One sending of a request: what the metrics rest_client_* are made of.
struct Exchange {
    std::string_view method;
    std::string_view host;           ///< host and port of the server, as in its URL
    unsigned status{};               ///< 0: no answer came
    std::chrono::nanoseconds took{}; ///< until the head was there
    std::size_t request_bytes{};     ///< of the body
};

/// Is told on the client's thread; texts are valid during the call only.
class ClientObserver {
public:
    virtual ~ClientObserver() = default;
    /// Also told when there was no wait (rest_client_rate_limiter_duration_seconds).
    virtual void rate_limited(std::string_view method, std::string_view host,
                              std::chrono::nanoseconds waited) = 0;
    /// rest_client_requests_total, …_request_duration_seconds, …_request_size_bytes
    virtual void exchanged(const Exchange& exchange) = 0;
    /// The body was read to its end (rest_client_response_size_bytes).
    /// @param bytes as they came, before they were decoded.
    virtual void read_whole(std::string_view method, std::string_view host, std::size_t bytes) = 0;
    /// It is sent again because of this answer (rest_client_request_retries_total).
    virtual void retried(std::string_view method, std::string_view host, unsigned status) = 0;
    /// A credential plugin ended (rest_client_exec_plugin_call_total).
    /// @param call_status `no_error`, `plugin_execution_error`, `plugin_not_found_error`,
    /// `client_internal_error`: client-go's words. @param exit_code 1 where there is none.
    virtual void plugin_called(int exit_code, std::string_view call_status) = 0;
};

} // namespace ipvsproxy::api
