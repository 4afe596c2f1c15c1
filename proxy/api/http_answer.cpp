#include "proxy/api/http_answer.h"

#include <boost/asio/error.hpp>
#include <stdexcept>
#include <utility>

#include "proxy/https/failure.h"
#include "proxy/https/within.h"

namespace ipvsproxy::api {
namespace asio = boost::asio;

namespace {

constexpr std::size_t room_size = 32U << 10U;
constexpr std::size_t worth_draining = 64U << 10U;

[[noreturn]] void broken(const std::string& why) {
    throw https::Failure{boost::system::errc::make_error_code(boost::system::errc::protocol_error),
                         why};
}

} // namespace

HttpAnswer::HttpAnswer(Lent connection, const Request& request, Told told)
    : connection_{std::move(connection)}, told_{std::move(told)}, head_limit_{request.head_limit},
      idle_limit_{request.idle_limit}, reader_{[this](std::string_view piece) { take(piece); }},
      room_(room_size, '\0') {}

/// Called from within the reader, with pieces of the body.
void HttpAnswer::take(std::string_view piece) {
    if (!head_known_) { // the first piece comes with the head still being fed
        head_known_ = true;
        const auto* const coding = reader_.headers().find("Content-Encoding");
        if (coding != nullptr && http::same_word(*coding, "gzip")) inflater_.emplace();
        else if (coding != nullptr && !http::same_word(*coding, "identity"))
            broken("the answer is packed as \"" + *coding + "\", which nobody asked for");
    }
    body_bytes_ += piece.size();
    if (!inflater_) {
        fresh_ += piece;
        return;
    }
    try {
        inflater_->feed(piece, fresh_);
    } catch (const std::runtime_error& error) {
        broken(error.what());
    }
}

asio::awaitable<void> HttpAnswer::read_once() {
    const std::span<char> room{room_};
    const auto count = co_await connection_.stream->read_some(room);
    if (count == 0) {
        if (!reader_.started())
            throw https::Failure{asio::error::connection_reset,
                                 "the connection was closed before an answer came"};
        if (const auto problem = reader_.end())
            throw https::Failure{asio::error::eof,
                                 "the connection was closed in the middle of the answer: " +
                                     problem->reason};
        surplus_ = true; // whole, but there is no connection any more
        co_return;
    }
    const auto fed = reader_.feed({room_.data(), count});
    if (!fed) broken("the answer is no HTTP: " + fed.error().reason);
    surplus_ = *fed < count;
}

asio::awaitable<void> HttpAnswer::read_head() {
    const auto whole_head = [](HttpAnswer& answer) -> asio::awaitable<void> {
        while (!answer.reader_.head_done())
            co_await answer.read_once();
    };
    co_await https::within(head_limit_, whole_head(*this));
}

void HttpAnswer::finish() {
    finished_ = true;
    if (inflater_ && !inflater_->whole() && body_bytes_ > 0)
        broken("the answer's gzip ends in the middle");
    if (told_.observer != nullptr)
        told_.observer->read_whole(told_.method, told_.host, body_bytes_);
    if (reader_.keep_alive() && !surplus_)
        connection_.pool->give(std::move(connection_.stream), connection_.credentials,
                               std::chrono::steady_clock::now());
    connection_.stream.reset();
}

asio::awaitable<std::string_view> HttpAnswer::more() {
    while (fresh_.empty() && !reader_.done())
        co_await https::within(idle_limit_, read_once());
    if (fresh_.empty()) {
        if (!finished_) finish();
        co_return std::string_view{};
    }
    shown_.clear();
    std::swap(shown_, fresh_);
    co_return shown_;
}

asio::awaitable<void> HttpAnswer::drain() {
    try {
        std::size_t seen = 0;
        while (seen < worth_draining) {
            const auto piece = co_await more();
            if (piece.empty()) co_return;
            seen += piece.size();
        }
    } catch (const std::exception&) {
        connection_.stream.reset(); // it is of no more use; the answer was to be thrown away anyhow
    }
}

std::optional<std::string> HttpAnswer::header(std::string_view name) const {
    const auto* const value = reader_.headers().find(name);
    return value == nullptr ? std::nullopt : std::optional{*value};
}

} // namespace ipvsproxy::api
