// The only source that includes Boost.Beast: its parser knows the grammar, this file the rest.
#include "proxy/http/codec.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cassert>
#include <utility>

namespace ipvsproxy::http {
namespace {

namespace beast = boost::beast;
using Error = beast::error_code;
using Text = beast::string_view;

std::string_view view(Text text) noexcept {
    return {text.data(), text.size()};
}

/// What the parser calls. Virtual functions of Beast's, whose names are not ours to choose.
template <bool IsRequest> class Parser final : public beast::http::basic_parser<IsRequest> {
public:
    Parser(const Limits& limits, bool head_only, const BodyPiece& piece) : piece_{piece} {
        constexpr std::size_t largest = std::numeric_limits<std::uint32_t>::max();
        this->header_limit(static_cast<std::uint32_t>(std::min(limits.head, largest)));
        this->body_limit(limits.body);
        if (head_only) this->skip(true);
    }

    std::string method, target;
    unsigned status{};
    int version{};
    Headers headers;
    bool unknown_coding{};

    bool in_chunk() const noexcept { return chunk_left_ != 0; }

private:
    void on_request_impl(beast::http::verb /*verb*/, Text name, Text where, int number,
                         Error& /*error*/) override {
        method = view(name);
        target = view(where);
        version = number;
    }
    void on_response_impl(int code, Text /*reason*/, int number, Error& /*error*/) override {
        status = static_cast<unsigned>(code);
        version = number;
    }
    void on_field_impl(beast::http::field field, Text name, Text value, Error& error) override {
        if (in_body_) return; // a trailer
        if (field == beast::http::field::transfer_encoding && !same_word(view(value), "chunked")) {
            unknown_coding = true;
            error = beast::http::error::bad_transfer_encoding;
        }
        headers.add(std::string{view(name)}, std::string{view(value)});
    }
    void on_header_impl(Error& /*error*/) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                           Error& /*error*/) override {
        in_body_ = true;
    }
    std::size_t on_body_impl(Text body, Error& /*error*/) override {
        piece_(view(body));
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t size, Text /*extensions*/, Error& /*error*/) override {
        chunk_left_ = size;
    }
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, Text body, Error& /*error*/) override {
        if (!body.empty()) piece_(view(body));
        chunk_left_ -= body.size();
        return body.size();
    }
    void on_finish_impl(Error& /*error*/) override {}

    const BodyPiece& piece_;
    bool in_body_{};
    std::uint64_t chunk_left_{};
};

template <bool IsRequest> Problem problem(const Parser<IsRequest>& parser, const Error& error) {
    if (parser.unknown_coding) return {501, "its Transfer-Encoding is not chunked"};
    if (error == beast::http::error::header_limit) return {431, "its head is too large"};
    if (error == beast::http::error::body_limit) return {413, "its body is too large"};
    return {400, "it is not HTTP/1.1: " + error.message()};
}

/// Feeds a parser from pieces of any size: it wants each line whole, so the begun one is kept.
template <bool IsRequest> class Feed {
public:
    Feed(Limits limits, bool head_only, BodyPiece piece)
        : limits_{limits}, head_only_{head_only}, piece_{std::move(piece)} {
        restart();
    }
    Feed(const Feed&) = delete; // the parser refers to piece_
    Feed& operator=(const Feed&) = delete;

    void restart() {
        parser_.emplace(limits_, head_only_, piece_);
        kept_.clear();
        head_size_ = 0;
        started_ = false;
    }

    /// @return how many bytes belong to the message.
    Result<std::size_t> put(std::string_view bytes) {
        if (failure_) return *failure_;
        if (bytes.empty() || done()) return std::size_t{0};
        started_ = true;
        const bool joined = !kept_.empty();
        if (joined) kept_.append(bytes);
        const std::string_view all = joined ? std::string_view{kept_} : bytes;
        const auto parsed = parse(all);
        if (!parsed) return fail(parsed.error());
        const auto used = *parsed;
        const auto rest = all.size() - used;
        if (head_size_ > limits_.head || (!done() && rest > limits_.head))
            return fail({431, "its head is too large"});
        if (done()) {
            kept_.clear();
            return bytes.size() - rest;
        }
        if (joined) kept_.erase(0, used);
        else kept_.assign(all.substr(used));
        return bytes.size();
    }

    Problem fail(Problem why) {
        failure_ = std::move(why);
        return *failure_;
    }
    const std::optional<Problem>& failure() const noexcept { return failure_; }
    Parser<IsRequest>& parser() noexcept { return *parser_; }
    const Parser<IsRequest>& parser() const noexcept { return *parser_; }
    bool started() const noexcept { return started_; }
    bool head_done() const noexcept { return parser_->is_header_done(); }
    bool done() const noexcept { return parser_->is_done(); }

private:
    /// @return how much of it the parser took; what is left is the beginning of a line.
    Result<std::size_t> parse(std::string_view bytes) {
        std::size_t used = 0;
        while (used < bytes.size() && !done()) {
            Error error;
            const bool in_head = !parser_->is_header_done();
            const auto rest = bytes.substr(used);
            if (foreign(rest)) return Problem{400, "it is not HTTP"};
            if (too_short(rest)) break;
            const auto taken = parser_->put(boost::asio::buffer(rest.data(), rest.size()), error);
            used += taken;
            if (in_head) head_size_ += taken;
            if (error == beast::http::error::need_more) break;
            if (error) return problem(*parser_, error);
        }
        return used;
    }
    /// Answers of other protocols are told by their first bytes, without waiting for a line's end.
    bool foreign(std::string_view rest) const {
        return !IsRequest && parser_->version == 0 &&
               !std::string_view{"HTTP/"}.starts_with(rest.substr(0, 5));
    }
    /// Beast 1.81 asserts that the last chunk does not come in four bytes and one. Between chunks
    /// there are always five to come: at least `0`, a line end, and another.
    bool too_short(std::string_view rest) const {
        return parser_->is_header_done() && parser_->chunked() && !parser_->in_chunk() &&
               rest.size() < 5;
    }

    Limits limits_;
    bool head_only_;
    BodyPiece piece_;
    std::optional<Parser<IsRequest>> parser_;
    std::string kept_; ///< a line that has begun
    std::size_t head_size_{};
    bool started_{};
    std::optional<Problem> failure_;
};

/// No server sends more before its answer; Go's client gives up there too.
constexpr int most_interim = 5;

} // namespace

struct ResponseReader::Parts {
    Feed<false> feed;
    bool head_only;
    bool started{};
    int interim{};
    bool closed{}; ///< the peer's close has ended the body

    bool is_interim() const { return feed.done() && feed.parser().status / 100 == 1; }
};

ResponseReader::ResponseReader(BodyPiece piece, Expect expect, Limits limits)
    : parts_{new Parts{Feed<false>{limits, expect == Expect::head_only, std::move(piece)},
                       expect == Expect::head_only}} {}
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;
ResponseReader::~ResponseReader() = default;

Result<std::size_t> ResponseReader::feed(std::string_view bytes) {
    auto& feed = parts_->feed;
    parts_->started |= !bytes.empty();
    std::size_t used = 0;
    for (;;) {
        const auto taken = feed.put(bytes.substr(used));
        if (!taken) return taken.error();
        used += *taken;
        if (!parts_->is_interim()) return used;
        if (feed.parser().status == 101)
            return feed.fail({400, "it switches to a protocol that was not asked for"});
        if (++parts_->interim > most_interim)
            return feed.fail({400, "too many interim answers came before it"});
        feed.restart();
    }
}

std::optional<Problem> ResponseReader::end() {
    auto& feed = parts_->feed;
    if (feed.failure()) return feed.failure();
    if (done()) return {};
    if (!started()) return feed.fail({400, "the connection was closed before it came"});
    if (!feed.head_done()) return feed.fail({400, "the connection was closed within its head"});
    if (body_end() != BodyEnd::close)
        return feed.fail({400, "the connection was closed within its body"});
    parts_->closed = true;
    return {};
}

bool ResponseReader::started() const noexcept {
    return parts_->started;
}
bool ResponseReader::head_done() const noexcept {
    return parts_->feed.head_done();
}
bool ResponseReader::done() const noexcept {
    return parts_->closed || parts_->feed.done();
}
unsigned ResponseReader::status() const noexcept {
    return parts_->feed.parser().status;
}
const Headers& ResponseReader::headers() const noexcept {
    return parts_->feed.parser().headers;
}

BodyEnd ResponseReader::body_end() const noexcept {
    const auto& parser = parts_->feed.parser();
    const auto code = parser.status;
    if (!head_done() || parts_->head_only || code / 100 == 1 || code == 204 || code == 304)
        return BodyEnd::none;
    if (parser.chunked()) return BodyEnd::chunks;
    return parser.need_eof() ? BodyEnd::close : BodyEnd::length;
}

std::optional<std::uint64_t> ResponseReader::content_length() const {
    if (!head_done()) return {};
    const auto length = parts_->feed.parser().content_length();
    return length ? std::optional{*length} : std::nullopt;
}

bool ResponseReader::keep_alive() const noexcept {
    const auto& feed = parts_->feed;
    return feed.done() && !feed.failure() && feed.parser().keep_alive();
}

struct RequestReader::Parts {
    std::string body;
    Feed<true> feed;

    explicit Parts(Limits limits)
        : feed{limits, false, [this](std::string_view piece) { body.append(piece); }} {}
};

RequestReader::RequestReader(Limits limits) : parts_{std::make_unique<Parts>(limits)} {}
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;
RequestReader::~RequestReader() = default;

Result<std::size_t> RequestReader::feed(std::string_view bytes) {
    auto& feed = parts_->feed;
    const bool had_head = feed.head_done();
    auto taken = feed.put(bytes);
    const auto& parser = feed.parser();
    if (taken && !had_head && feed.head_done() && parser.version >= 11 &&
        !parser.headers.contains("Host"))
        return feed.fail({400, "it has no Host header"});
    return taken;
}

bool RequestReader::started() const noexcept {
    return parts_->feed.started();
}
bool RequestReader::head_done() const noexcept {
    return parts_->feed.head_done();
}
bool RequestReader::done() const noexcept {
    return parts_->feed.done() && !parts_->feed.failure();
}

bool RequestReader::expects_continue() const noexcept {
    if (!head_done() || parts_->feed.done()) return false;
    const auto* expect = parts_->feed.parser().headers.find("Expect");
    return expect != nullptr && same_word(*expect, "100-continue");
}

bool RequestReader::keep_alive() const noexcept {
    const auto& parser = parts_->feed.parser();
    return done() && parser.version >= 11 && parser.keep_alive();
}

Request RequestReader::take() {
    assert(done());
    auto& parser = parts_->feed.parser();
    Request request{std::move(parser.method), std::move(parser.target), std::move(parser.headers),
                    std::exchange(parts_->body, {})};
    parts_->feed.restart();
    return request;
}

} // namespace ipvsproxy::http
