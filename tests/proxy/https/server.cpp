#include "tests/proxy/https/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <stdexcept>

namespace ipvsproxy::https_test {
namespace {

using asio::ip::tcp;

/// The server's side of TLS.
class TlsPeer : public https::Stream {
public:
    explicit TlsPeer(asio::ssl::stream<tcp::socket> layer) : layer_{std::move(layer)} {}
    asio::awaitable<std::size_t> read_some(std::span<char> room) override {
        boost::system::error_code error;
        const auto buffer = asio::buffer(room.data(), room.size());
        const auto count = co_await layer_.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, error));
        co_return error ? 0 : count;
    }
    asio::awaitable<void> write(std::string_view bytes) override {
        const auto buffer = asio::buffer(bytes.data(), bytes.size());
        co_await asio::async_write(layer_, buffer, asio::use_awaitable);
    }
    bool quiet() override { return true; }

private:
    asio::ssl::stream<tcp::socket> layer_;
};

asio::ssl::context server_context(const ServerTls& tls) {
    asio::ssl::context context{asio::ssl::context::tls_server};
    context.use_certificate_chain(asio::buffer(tls.identity.certificate));
    context.use_private_key(asio::buffer(tls.identity.key), asio::ssl::context::pem);
    if (tls.client_ca.empty()) return context;
    context.add_certificate_authority(asio::buffer(tls.client_ca));
    context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    return context;
}

} // namespace

struct Server::State {
    asio::io_context& context;
    Serve serve;
    tcp::acceptor acceptor;
    std::optional<asio::ssl::context> tls{};
    int connections{};
};

namespace {

asio::awaitable<void> serve_one(std::shared_ptr<Server::State> state, tcp::socket socket) {
    try {
        std::unique_ptr<https::Stream> stream;
        if (state->tls) {
            asio::ssl::stream<tcp::socket> layer{std::move(socket), *state->tls};
            co_await layer.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
            stream = std::make_unique<TlsPeer>(std::move(layer));
        } else stream = https::make_stream(std::move(socket));
        const int number = ++state->connections;
        co_await state->serve(*stream, number);
    } catch (const boost::system::system_error&) { // the client is gone, or its TLS was refused
    }
}

asio::awaitable<void> accept_all(std::shared_ptr<Server::State> state) {
    for (;;) {
        boost::system::error_code error;
        tcp::socket socket{state->context};
        co_await state->acceptor.async_accept(socket,
                                              asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return;
        asio::co_spawn(state->context, serve_one(state, std::move(socket)), asio::detached);
    }
}

} // namespace

Server::Server(asio::io_context& context, Serve serve, std::optional<ServerTls> tls)
    : state_{std::make_shared<State>(
          State{context, std::move(serve), {context, {asio::ip::address_v4::loopback(), 0}}})} {
    if (tls) state_->tls.emplace(server_context(*tls));
    asio::co_spawn(context, accept_all(state_), asio::detached);
}
Server::~Server() {
    state_->acceptor.close();
}
std::uint16_t Server::port() const {
    return state_->acceptor.local_endpoint().port();
}
int Server::connections() const {
    return state_->connections;
}

asio::awaitable<std::string> read_request(https::Stream& stream) {
    std::string text;
    char byte{};
    while (!text.ends_with("\r\n\r\n")) {
        const std::span<char> room{&byte, 1};
        if (co_await stream.read_some(room) == 0) co_return std::string{};
        text += byte;
    }
    const auto at = text.find("Content-Length: ");
    std::size_t body = at == text.npos ? 0 : std::stoul(text.substr(at + 16));
    for (; body > 0; --body) {
        const std::span<char> room{&byte, 1};
        if (co_await stream.read_some(room) == 0) co_return std::string{};
        text += byte;
    }
    co_return text;
}

void run(asio::io_context& context, asio::awaitable<void> work) {
    bool ended = false;
    std::exception_ptr failure;
    asio::co_spawn(context, std::move(work), [&](std::exception_ptr thrown) {
        ended = true;
        failure = std::move(thrown);
    });
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!ended && std::chrono::steady_clock::now() < limit)
        context.run_one_for(std::chrono::seconds{1});
    if (!ended) throw std::runtime_error{"the test hangs"};
    if (failure) std::rethrow_exception(failure);
}

} // namespace ipvsproxy::https_test
