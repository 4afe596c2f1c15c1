// Feeds the readers of HTTP any bytes, whole and cut in two: what is read may not depend on the
// cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <tuple>
#include <vector>

#include "proxy/http/codec.h"

using namespace ipvsproxy::http;

namespace {

constexpr Limits limits{512, 4096};

void require(bool truth) {
    if (!truth) std::abort();
}

struct Answer {
    std::string body;
    bool done{}, refused{};
    std::size_t taken{};
    friend bool operator==(const Answer&, const Answer&) = default;
};

Answer read_answer(std::string_view first, std::string_view second, ResponseReader::Expect expect) {
    Answer answer;
    ResponseReader reader{[&](std::string_view piece) { answer.body += piece; }, expect, limits};
    for (const auto bytes : {first, second}) {
        const auto taken = reader.feed(bytes);
        answer.refused = taken.has_error();
        if (answer.refused) break;
        require(*taken <= bytes.size());
        require(*taken == bytes.size() || reader.done());
        answer.taken += *taken;
    }
    answer.done = reader.done();
    require(answer.body.size() <= limits.body);
    require(!reader.keep_alive() || (reader.done() && reader.body_end() != BodyEnd::close));
    const auto cut = reader.end();
    require(cut.has_value() == !reader.done() || answer.refused);
    return answer;
}

/// Requests that follow each other, up to the first that is cut or refused.
std::vector<Request> read_requests(std::string_view bytes, std::size_t cut) {
    std::vector<Request> requests;
    RequestReader reader{limits};
    for (std::size_t at = 0; at < bytes.size();) {
        const auto end = at < cut ? cut : bytes.size();
        const auto taken = reader.feed(bytes.substr(at, end - at));
        if (!taken) {
            require(taken.error().status >= 400 && !taken.error().reason.empty());
            break;
        }
        at += *taken;
        require(at == end || reader.done());
        if (!reader.done()) continue;
        requests.push_back(reader.take());
        require(requests.back().body.size() <= limits.body);
    }
    return requests;
}

/// What was read can be written, and reads the same again.
void check_written(Request request) {
    const bool sized =
        request.headers.contains("Content-Length") || request.headers.contains("Transfer-Encoding");
    if (sized || !request.headers.contains("Host")) request.headers = {{"Host", "h"}};
    const auto bytes = serialize(request);
    if (!bytes) return;
    RequestReader reader{{4096, 8192}};
    const auto taken = reader.feed(*bytes);
    require(taken && *taken == bytes->size() && reader.done());
    const auto again = reader.take();
    require(again.method == request.method && again.target == request.target);
    require(again.body == request.body);
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name for it
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view all{reinterpret_cast<const char*>(data), size};
    const auto text = all.substr(2);
    const auto cut = (static_cast<std::size_t>(data[0]) << 8U | data[1]) % (text.size() + 1);
    for (const auto expect : {ResponseReader::Expect::body, ResponseReader::Expect::head_only}) {
        const auto at_once = read_answer(text, {}, expect);
        const auto in_two = read_answer(text.substr(0, cut), text.substr(cut), expect);
        const bool whole = at_once.done && !at_once.refused;
        require(whole == (in_two.done && !in_two.refused));
        require(!whole || at_once == in_two);
    }
    const auto requests = read_requests(text, cut);
    require(requests == read_requests(text, 0));
    for (const auto& request : requests)
        check_written(request);
    return 0;
}
