#include "proxy/https/tunnel.h"

#include <array>
#include <boost/asio/error.hpp>
#include <optional>
#include <string>

#include "proxy/http/codec.h"
#include "proxy/https/base64.h"
#include "proxy/https/failure.h"

namespace ipvsproxy::https {
namespace {

namespace asio = boost::asio;

[[noreturn]] void refused(const std::string& text) {
    throw Failure{asio::error::connection_refused, text};
}

asio::awaitable<std::string> read_exactly(Stream& stream, std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
        const std::span<char> room{bytes.data() + have, count - have};
        const auto more = co_await stream.read_some(room);
        if (more == 0) refused("the SOCKS proxy closed the connection");
        have += more;
    }
    co_return bytes;
}

/// A text with its length in a byte before it, as SOCKS has them.
std::string counted(const std::string& text) {
    if (text.size() > 255) refused("a name of more than 255 bytes is none for a SOCKS proxy");
    return static_cast<char>(text.size()) + text;
}

asio::awaitable<void> log_in_to_socks(Stream& proxy, Url url) {
    const std::string request = "\x01" + counted(url.user) + counted(url.password);
    co_await proxy.write(request);
    const auto answer = co_await read_exactly(proxy, 2);
    if (answer[1] != 0) refused("the SOCKS proxy refused user and password");
}

std::string socks_destination(const Url& server) {
    std::string text;
    if (const auto address = server.address()) {
        text = address->family() == Family::v4 ? '\x01' : '\x04';
        for (const auto byte : address->bytes())
            text += static_cast<char>(byte);
    } else text = '\x03' + counted(server.host);
    text += static_cast<char>(server.port.value >> 8U);
    text += static_cast<char>(server.port.value & 0xffU);
    return text;
}

/// RFC 1928 §6
std::string socks_failure(unsigned code) {
    static constexpr std::array<const char*, 9> names{
        "no failure",          "general failure",       "not allowed by its rules",
        "network unreachable", "host unreachable",      "connection refused",
        "TTL expired",         "command not supported", "address type not supported"};
    return code < names.size() ? names[code] : "code " + std::to_string(code);
}

} // namespace

asio::awaitable<void> connect_through_http(Stream& proxy, Url proxy_url, Url server) {
    const auto destination = join_host_port(server.host, server.port);
    http::Request request{.method = "CONNECT", .target = destination};
    request.headers.add("Host", destination);
    if (!proxy_url.user.empty())
        request.headers.add("Proxy-Authorization",
                            "Basic " + to_base64(proxy_url.user + ":" + proxy_url.password));
    const std::string bytes = http::serialize(request).value();
    co_await proxy.write(bytes);
    http::ResponseReader reader{[](std::string_view) {}, http::ResponseReader::Expect::head_only};
    char byte{};
    while (!reader.done()) { // byte by byte: what follows the head is the server's
        const std::span<char> room{&byte, 1};
        const auto count = co_await proxy.read_some(room);
        if (count == 0) refused("the proxy closed the connection");
        const auto fed = reader.feed({&byte, 1});
        if (!fed) refused("the proxy does not speak HTTP: " + fed.error().reason);
    }
    if (reader.status() / 100 != 2)
        refused("the proxy answered " + std::to_string(reader.status()) + " to CONNECT " +
                destination);
}

asio::awaitable<void> connect_through_socks(Stream& proxy, Url proxy_url, Url server) {
    const bool has_user = !proxy_url.user.empty();
    const std::string greeting =
        has_user ? std::string{"\x05\x02\x00\x02", 4} : std::string{"\x05\x01\x00", 3};
    co_await proxy.write(greeting);
    const auto chosen = co_await read_exactly(proxy, 2);
    if (chosen[0] != 5) refused("the proxy does not speak SOCKS 5");
    if (chosen[1] == 2 && has_user) co_await log_in_to_socks(proxy, proxy_url);
    else if (chosen[1] != 0) refused("the SOCKS proxy wants another way to log in");
    const std::string request = std::string{"\x05\x01\x00", 3} + socks_destination(server);
    co_await proxy.write(request);
    const auto answer = co_await read_exactly(proxy, 4);
    if (answer[1] != 0)
        refused("the SOCKS proxy: " + socks_failure(static_cast<unsigned char>(answer[1])));
    // The address it connects from is of no interest; its length must be read over.
    std::size_t rest = answer[3] == 1 ? 4 : answer[3] == 4 ? 16 : 0;
    if (answer[3] == 3) {
        const auto length = co_await read_exactly(proxy, 1);
        rest = static_cast<unsigned char>(length[0]);
    }
    (void)co_await read_exactly(proxy, rest + 2);
}

} // namespace ipvsproxy::https
