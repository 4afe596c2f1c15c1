#include "proxy/api/https_client.h"

#include <sys/utsname.h>

#include <boost/asio/error.hpp>
#include <charconv>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "proxy/api/credentials.h"
#include "proxy/api/http_answer.h"
#include "proxy/api/token_bucket.h"
#include "proxy/http/message.h"
#include "proxy/https/failure.h"
#include "proxy/https/within.h"

namespace ipvsproxy::api {
namespace {

namespace asio = boost::asio;
using boost::system::system_error;

constexpr int most_retries = 10; // client-go's rest.Request
/// A server that wants to be left alone for longer is the caller's to wait for.
constexpr std::chrono::minutes longest_retry_after{2};

bool idempotent(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

/// How long to wait before the same again, where the answer asks for that. As client-go: whole
/// seconds only, with 429 and all of 5xx.
std::optional<std::chrono::seconds> asks_to_retry(const Answer& answer) {
    if (answer.status() != 429 && answer.status() / 100 != 5) return std::nullopt;
    const auto text = answer.header("Retry-After");
    std::uint32_t seconds{};
    if (!text) return std::nullopt;
    const auto* const end = text->data() + text->size();
    const auto [rest, error] = std::from_chars(text->data(), end, seconds);
    if (error != std::errc{} || rest != end || std::chrono::seconds{seconds} > longest_retry_after)
        return std::nullopt;
    return std::chrono::seconds{seconds};
}

class HttpsClient : public Client {
public:
    HttpsClient(const asio::any_io_executor& executor, Access access, HttpsClientSettings settings)
        : access_{std::move(access)}, settings_{std::move(settings)}, clock_{settings_.clock !=
                                                                                     nullptr
                                                                                 ? *settings_.clock
                                                                                 : real_clock_},
          bucket_{settings_.qps, settings_.burst}, dialer_{settings_.dial},
          credentials_{executor, access_, clock_, settings_.observer},
          pool_{std::make_shared<ConnectionPool>(settings_.idle_connections, settings_.idle_time)} {
    }

    asio::awaitable<std::unique_ptr<Answer>> send(Request request) override {
        bool logged_in_again = false;
        for (int retries = 0;;) {
            co_await wait_for_turn(request.method);
            const Login login = co_await credentials_.login();
            auto answer = co_await exchange(request, login);
            if (answer->status() == 401 && !logged_in_again && credentials_.refused(login)) {
                logged_in_again = true;
                co_await answer->drain();
                continue;
            }
            const auto pause = asks_to_retry(*answer);
            if (!pause || retries == most_retries) co_return answer;
            ++retries;
            if (settings_.observer != nullptr)
                settings_.observer->retried(request.method, host(), answer->status());
            co_await answer->drain();
            answer.reset();
            co_await clock_.pause(*pause);
        }
    }

private:
    const std::string& host() const { return access_.server.authority; }

    asio::awaitable<void> wait_for_turn(const std::string& method) {
        const auto wait = bucket_.take(clock_.now());
        if (wait.count() > 0) co_await clock_.pause(wait);
        if (settings_.observer != nullptr) settings_.observer->rate_limited(method, host(), wait);
    }

    /// One request, one answer; told to the observer either way.
    asio::awaitable<std::unique_ptr<HttpAnswer>> exchange(const Request& request,
                                                          const Login& login) {
        const auto start = clock_.now();
        Exchange told{
            .method = request.method, .host = host(), .request_bytes = request.body.size()};
        std::exception_ptr failure;
        std::unique_ptr<HttpAnswer> answer;
        try {
            answer = co_await answer_to(request, login);
            told.status = answer->status();
        } catch (const system_error& error) {
            failure = std::make_exception_ptr(https::Failure::of(access_.server.text(), error));
        }
        told.took = clock_.now() - start;
        if (settings_.observer != nullptr) settings_.observer->exchanged(told);
        if (failure) std::rethrow_exception(failure);
        co_return answer;
    }

    asio::awaitable<std::unique_ptr<HttpAnswer>> answer_to(const Request& request,
                                                           const Login& login) {
        const auto message = http::serialize(http_request(request, login));
        if (!message)
            throw std::runtime_error{"a request cannot be written: " + message.error().reason};
        if (auto kept = pool_->take(login.tls, std::chrono::steady_clock::now())) {
            auto answer = co_await on_kept(std::move(kept), request, login, *message);
            if (answer) co_return answer;
        }
        auto way = route(login);
        auto fresh = co_await dialer_.dial(std::move(way));
        co_return co_await on(std::move(fresh), request, login, *message);
    }

    /// @return null when the connection turned out to be dead before the request was answered, and
    /// the request may be sent again.
    asio::awaitable<std::unique_ptr<HttpAnswer>> on_kept(std::unique_ptr<https::Stream> stream,
                                                         const Request& request, const Login& login,
                                                         const std::string& message) {
        try {
            co_return co_await on(std::move(stream), request, login, message);
        } catch (const system_error& error) {
            const bool died = error.code() == asio::error::connection_reset ||
                              error.code() == asio::error::broken_pipe;
            if (!died || !idempotent(request.method)) throw;
        }
        co_return nullptr;
    }

    asio::awaitable<std::unique_ptr<HttpAnswer>> on(std::unique_ptr<https::Stream> stream,
                                                    const Request& request, const Login& login,
                                                    const std::string& message) {
        Lent lent{.stream = std::move(stream), .credentials = login.tls, .pool = pool_};
        auto& writing = *lent.stream;
        Told told{.observer = settings_.observer, .method = request.method, .host = host()};
        auto answer = std::make_unique<HttpAnswer>(std::move(lent), request, std::move(told));
        co_await https::within(request.head_limit, writing.write(message));
        co_await answer->read_head();
        co_return answer;
    }

    http::Request http_request(const Request& request, const Login& login) const {
        http::Request message{.method = request.method,
                              .target = access_.server.path + request.target,
                              .body = request.body};
        auto& headers = message.headers;
        headers.add("Host", host());
        headers.add("User-Agent", settings_.user_agent);
        headers.add("Accept", request.accept);
        if (access_.compression) headers.add("Accept-Encoding", "gzip");
        if (!login.authorization.empty()) headers.add("Authorization", login.authorization);
        for (const auto& [name, value] : access_.impersonation)
            headers.add(name, value);
        if (!request.content_type.empty()) headers.add("Content-Type", request.content_type);
        return message;
    }

    https::Route route(const Login& login) {
        if (access_.proxy && access_.proxy->scheme == "https" && !proxy_tls_)
            proxy_tls_ =
                https::make_tls_context({}); // a proxy is known to the system's CAs, or not at all
        return {.server = access_.server,
                .proxy = access_.proxy,
                .tls = login.tls,
                .proxy_tls = proxy_tls_,
                .server_name = access_.server_name};
    }

    const Access access_;
    const HttpsClientSettings settings_;
    RealClock real_clock_{};
    Clock& clock_;
    TokenBucket bucket_;
    https::Dialer dialer_;
    Credentials credentials_;
    std::shared_ptr<ConnectionPool> pool_;
    https::TlsContext proxy_tls_{};
};

} // namespace

std::string user_agent(const std::string& version, const std::string& reference) {
    utsname machine{};
    std::string name = ::uname(&machine) == 0 ? machine.machine : "unknown";
    if (name == "x86_64") name = "amd64"; // as Go names them
    if (name == "aarch64") name = "arm64";
    return "ipvsproxy/" + version + " (linux/" + name + ") kube-proxy/" + reference;
}

std::unique_ptr<Client> make_https_client(const asio::any_io_executor& executor, Access access,
                                          HttpsClientSettings settings) {
    return std::make_unique<HttpsClient>(executor, std::move(access), std::move(settings));
}

} // namespace ipvsproxy::api
