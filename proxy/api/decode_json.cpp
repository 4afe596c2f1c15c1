#include <algorithm>
#include <bit>
#include <boost/json/basic_parser_impl.hpp>
#include <cstring>

#include "proxy/api/decode_sieve.h"
#include "proxy/api/decode_walk_steps.h"

namespace ipvsproxy::api {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

/// The line of the last token seen. Counts in manifests only: in lists from the API nobody asks,
/// and counting is not free.
class JsonPosition final : public Position {
public:
    explicit JsonPosition(bool counts) : counts_{counts} {}
    std::size_t line() const override {
        if (!counts_ || at_ == nullptr) return seen_line_;
        count_to(at_);
        return lines_ + 1;
    }
    void begin(std::string_view chunk) {
        if (!counts_) return; // else no token stands in the chunk
        chunk_ = chunk;
        counted_to_ = chunk.data();
    }
    void end() {
        if (!counts_) return;
        seen_line_ = line();
        count_to(chunk_.data() + chunk_.size());
        at_ = nullptr;
    }
    /// A token that stands in the chunk, or in a buffer of the parser's: then its place is not
    /// known.
    void see(string_view token) {
        // As numbers: pointers into different buffers have no difference.
        const auto offset = std::bit_cast<std::uintptr_t>(token.data()) -
                            std::bit_cast<std::uintptr_t>(chunk_.data());
        if (offset <= chunk_.size()) [[likely]]
            at_ = token.data();
    }

private:
    /// Tokens are seen in their order, so that each byte is looked at once, however many ask.
    void count_to(const char* end) const {
        while (counted_to_ != end) { // memchr reads 32 bytes at a time
            const auto left = static_cast<std::size_t>(end - counted_to_);
            const auto* found = static_cast<const char*>(std::memchr(counted_to_, '\n', left));
            if (found != nullptr) ++lines_;
            counted_to_ = found == nullptr ? end : found + 1;
        }
    }

    bool counts_;
    mutable std::size_t lines_{}; ///< before counted_to_
    mutable const char* counted_to_{};
    std::size_t seen_line_{};
    std::string_view chunk_{};
    const char* at_{}; ///< in the chunk; nothing when nothing was seen there yet
};

/// Boost.JSON's events to the walk's: joins strings that come in pieces.
struct JsonHandler {
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = std::size_t{1} << 20U;
    static constexpr std::size_t max_string_size = std::size_t{1} << 28U;

    Walk* walk{};
    JsonPosition* position{};
    std::string pieces{};

    [[gnu::noinline, gnu::cold]] bool collect(bool wanted, string_view piece) {
        if (wanted && pieces.size() + piece.size() <= max_text) pieces.append(piece);
        else if (wanted) pieces.resize(max_text + 1); // remembered as too long
        return true;
    }
    template <void (Walk::*Take)(std::string_view)> bool take(string_view last) {
        position->see(last);
        if (pieces.empty() && last.size() <= max_text) (walk->*Take)({last.data(), last.size()});
        else take_pieces(last, Take);
        return true;
    }
    /// Apart from take(), which is short without it.
    [[gnu::noinline, gnu::cold]] void take_pieces(string_view last,
                                                  void (Walk::*take_text)(std::string_view)) {
        collect(true, last);
        if (pieces.size() > max_text) {
            pieces.resize(64);
            walk->refuse("longer than 65536 bytes");
        }
        (walk->*take_text)(pieces);
        pieces.clear();
    }

    static bool on_document_begin(error_code&) { return true; }
    static bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        walk->begin_object();
        return true;
    }
    bool on_object_end(std::size_t, error_code&) {
        walk->end_object();
        return true;
    }
    bool on_array_begin(error_code&) {
        walk->begin_list();
        return true;
    }
    bool on_array_end(std::size_t, error_code&) {
        walk->end_list();
        return true;
    }
    bool on_key_part(string_view text, std::size_t, error_code&) {
        return collect(walk->wants_key(), text);
    }
    bool on_key(string_view text, std::size_t, error_code&) {
        return !walk->wants_key() || take<&Walk::key>(text);
    }
    bool on_string_part(string_view text, std::size_t, error_code&) {
        return collect(walk->wants_value(), text);
    }
    bool on_string(string_view text, std::size_t, error_code&) {
        if (!walk->wants_value()) {
            walk->pass_over();
            return true;
        }
        return take<&Walk::text>(text);
    }
    static bool on_number_part(string_view, error_code&) { return true; }
    bool on_int64(std::int64_t value, string_view last, error_code&) {
        if (walk->wants_value()) position->see(last);
        walk->integer(value);
        return true;
    }
    bool on_uint64(std::uint64_t, string_view, error_code&) {
        walk->number(); // past the greatest int64: no field goes there
        return true;
    }
    bool on_double(double, string_view, error_code&) {
        walk->number();
        return true;
    }
    bool on_bool(bool value, error_code&) {
        walk->boolean(value);
        return true;
    }
    bool on_null(error_code&) {
        walk->null();
        return true;
    }
    static bool on_comment_part(string_view, error_code&) { return true; }
    static bool on_comment(string_view, error_code&) { return true; }
};

json::parse_options options() {
    json::parse_options chosen;
    chosen.max_depth = 256; // the parser recurses; no Kubernetes object is a tenth as deep
    return chosen;
}

} // namespace

struct JsonDecoder::Parts {
    Parts(Receiver receiver, Origin origin)
        : of_server{origin == Origin::server}, position{!of_server}, walk{std::move(receiver),
                                                                          origin, position} {
        parser.handler().walk = &walk;
        parser.handler().position = &position;
    }
    Problem broken(const error_code& error) {
        return {walk.path(), "not JSON: " + error.message(), position.line()};
    }

    bool of_server;
    Sieve sieve{}; ///< for the server's; a manifest's lines are counted, all of them
    JsonPosition position;
    Walk walk;
    json::basic_parser<JsonHandler> parser{options()};
    bool within{}; ///< a value has begun and not ended
    std::optional<Problem> problem{};
};

JsonDecoder::JsonDecoder(Receiver receiver, Origin origin)
    : parts_{std::make_unique<Parts>(std::move(receiver), origin)} {}
JsonDecoder::~JsonDecoder() = default;

std::optional<Problem> JsonDecoder::feed(std::string_view bytes) {
    auto& [of_server, sieve, position, walk, parser, within, problem] = *parts_;
    if (problem) return problem;
    if (of_server) bytes = sieve.pass(bytes);
    position.begin(bytes);
    while (!bytes.empty()) {
        if (!within) {
            const auto next = bytes.find_first_not_of(" \t\r\n");
            if (next == std::string_view::npos) break;
            bytes.remove_prefix(next);
            position.see({bytes.data(), 1});
            parser.reset();
            within = true;
        }
        error_code error;
        const auto taken = parser.write_some(true, bytes.data(), bytes.size(), error);
        if (error) {
            position.see({bytes.data() + std::min(taken, bytes.size()), 0});
            return problem = parts_->broken(error);
        }
        bytes.remove_prefix(taken);
        within = !parser.done();
    }
    position.end();
    return std::nullopt;
}

std::optional<Problem> JsonDecoder::finish() {
    auto& [of_server, sieve, position, walk, parser, within, problem] = *parts_;
    if (problem || !within) return problem;
    error_code error;
    parser.write_some(false, "", 0, error);
    if (error) return problem = parts_->broken(error);
    within = false;
    return std::nullopt;
}

const std::optional<ListEnd>& JsonDecoder::list_end() const {
    return parts_->walk.list_end();
}

std::optional<Problem> decode_json(std::string_view text, const Receiver& receiver, Origin origin) {
    JsonDecoder decoder{receiver, origin};
    if (auto problem = decoder.feed(text)) return problem;
    return decoder.finish();
}

} // namespace ipvsproxy::api
