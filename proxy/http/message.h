// HTTP/1.1 messages as values, and the bytes they are written as (RFC 9110, RFC 9112).
#pragma once

#include <boost/system/result.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ipvsproxy::http {

/// Why bytes are no message, or a message cannot be written.
struct Problem {
    unsigned status{400}; ///< what a server answers to a request that has it
    std::string reason{};
    // No aggregate: a Result's value must not be taken for its problem.
    Problem() = default;
    Problem(unsigned number, std::string why) : status{number}, reason{std::move(why)} {}
    const std::string& text() const noexcept { return reason; }
    friend bool operator==(const Problem&, const Problem&) = default;
};
template <class T> using Result = boost::system::result<T, Problem>;

/// As `value()` of such a result throws it: std::runtime_error with the reason.
[[noreturn]] void throw_exception_from_error(const Problem& problem, const boost::source_location&);

struct Header {
    std::string name, value;
    friend bool operator==(const Header&, const Header&) = default;
};

/// The header fields of a message in their order. Names differ in letter case without differing.
class Headers {
public:
    Headers() = default;
    Headers(std::initializer_list<Header> headers) : list_{headers} {}

    void add(std::string name, std::string value);
    /// The value of the first field of that name; null when there is none.
    const std::string* find(std::string_view name) const noexcept;
    bool contains(std::string_view name) const noexcept { return find(name) != nullptr; }
    /// Of all fields of that name, joined by `, ` (RFC 9110 §5.3); empty when there is none.
    std::string joined(std::string_view name) const;

    auto begin() const noexcept { return list_.begin(); }
    auto end() const noexcept { return list_.end(); }
    std::size_t size() const noexcept { return list_.size(); }
    friend bool operator==(const Headers&, const Headers&) = default;

private:
    std::vector<Header> list_;
};

/// Whether two texts are the same but for the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b) noexcept;

struct Request {
    std::string method{"GET"};
    std::string target{"/"}; ///< as on the wire: path and query, still escaped
    Headers headers{};
    std::string body{};
    /// The target up to `?`, and what follows it.
    std::string_view path() const noexcept;
    std::string_view query() const noexcept;
    friend bool operator==(const Request&, const Request&) = default;
};

struct Response {
    unsigned status{200};
    Headers headers{};
    std::string body{};
    friend bool operator==(const Response&, const Response&) = default;
};

/// Answers at once, on the loop's thread: pages are made of what is in memory. What it throws is
/// logged and answered 500.
using Handler = std::function<Response(const Request&)>;

/// The words that go with a status (RFC 9110 §15); empty for one that is not registered.
std::string_view reason_phrase(unsigned status) noexcept;

/// The bytes of a request. Content-Length is written for a body, and for methods that have one
/// even if it is empty (POST, PUT, PATCH); all else, Host too, is the caller's. Refused: a method
/// or name that is no token, a blank in the target, a line break or other control in any of them.
Result<std::string> serialize(const Request& request);

/// What becomes of the connection after an answer.
enum class Connection : bool { close, keep };

/// The bytes of a response, with its Content-Length; `Connection: close` is written where it is.
/// @param head_only for answers to HEAD: the length is told, the body is not sent.
Result<std::string> serialize(const Response& response, Connection after, bool head_only = false);

} // namespace ipvsproxy::http
