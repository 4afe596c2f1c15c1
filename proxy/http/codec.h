// Readers of HTTP/1.1 without a socket: bytes go in as they come, messages come out.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/message.h"

namespace ipvsproxy::http {

/// Takes the pieces of a body in their order, without their chunk framing. A piece is valid
/// during the call only.
using BodyPiece = std::function<void(std::string_view)>;

/// What a reader keeps of what others send; beyond it the message is refused.
struct Limits {
    std::size_t head{64 << 10}; ///< bytes of lines up to the body
    std::uint64_t body{std::numeric_limits<std::uint64_t>::max()}; ///< bytes, chunks joined
};

/// How the end of a body is found (RFC 9112 §6.3).
enum class BodyEnd : std::uint8_t {
    none,   ///< there is no body
    length, ///< Content-Length
    chunks, ///< chunked transfer coding
    close   ///< the end of the connection
};

/// Reads one answer to one request; a new reader for each. Interim answers (100 Continue, 103) are
/// passed over. Bodies are handed on as they come and never kept.
class ResponseReader {
public:
    /// Answers to HEAD, and those of a proxy to CONNECT, end with their head whatever it says.
    enum class Expect : std::uint8_t { body, head_only };

    explicit ResponseReader(BodyPiece piece, Expect expect = Expect::body, Limits limits = {});
    ResponseReader(ResponseReader&&) noexcept;
    ResponseReader& operator=(ResponseReader&&) noexcept;
    ~ResponseReader();

    /// @return how many of the bytes belong to the answer. Fewer than given only once it is whole:
    /// the rest is then nobody's, and the connection not to be used again (a tunnel's after
    /// CONNECT). After a problem it stays the answer to every call.
    Result<std::size_t> feed(std::string_view bytes);
    /// To be called when the peer has closed. A body that ends with the connection is whole then;
    /// any other is cut, which is the problem returned.
    std::optional<Problem> end();

    bool started() const noexcept;   ///< any byte has come
    bool head_done() const noexcept; ///< status and headers are known
    bool done() const noexcept;      ///< the answer is whole
    unsigned status() const noexcept;
    const Headers& headers() const noexcept;
    BodyEnd body_end() const noexcept;
    std::optional<std::uint64_t> content_length() const;
    /// The connection takes another request after this answer; false until it is whole.
    bool keep_alive() const noexcept;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// Reads the requests of one connection, one after the other. HTTP/1.1 without a Host is refused,
/// as is a transfer coding other than chunked, and both lengths at once (RFC 9112 §6.1).
class RequestReader {
public:
    explicit RequestReader(Limits limits = {64 << 10, 64 << 10});
    RequestReader(RequestReader&&) noexcept;
    RequestReader& operator=(RequestReader&&) noexcept;
    ~RequestReader();

    /// @return how many of the bytes belong to this request; the rest begins the next one and is
    /// fed again after take(). After a problem it stays the answer to every call.
    Result<std::size_t> feed(std::string_view bytes);

    bool started() const noexcept;
    bool head_done() const noexcept;
    bool done() const noexcept;
    /// The client waits for `100 Continue` before it sends the body.
    bool expects_continue() const noexcept;
    /// The client takes another answer on this connection (HTTP/1.0 is always closed).
    bool keep_alive() const noexcept;
    /// The request that is done(); the reader then begins with the next.
    Request take();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace ipvsproxy::http
