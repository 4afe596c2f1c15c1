#include "proxy/https/stream.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <utility>

#include "netlink/ip.h"
#include "proxy/https/failure.h"

namespace ipvsproxy::https {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

template <int Level, int Name> using Option = asio::detail::socket_option::integer<Level, Name>;

/// What is set is a wish; a kernel that refuses it changes nothing for the requests.
void tune(tcp::socket& socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay{true}, ignored);
    socket.set_option(asio::socket_base::keep_alive{true}, ignored);
    socket.set_option(Option<IPPROTO_TCP, TCP_KEEPIDLE>{15}, ignored);
    socket.set_option(Option<IPPROTO_TCP, TCP_KEEPINTVL>{15}, ignored);
    socket.set_option(Option<IPPROTO_TCP, TCP_KEEPCNT>{3}, ignored);
    socket.set_option(Option<IPPROTO_TCP, TCP_USER_TIMEOUT>{60'000}, ignored);
}

bool quiet_socket(int descriptor) {
    char byte{};
    return ::recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

/// What all kinds of stream have in common; `Layer` is Asio's socket or TLS over one.
template <class Layer> class LayerStream : public Stream {
public:
    explicit LayerStream(Layer layer) : layer_{std::move(layer)} {}

    asio::awaitable<std::size_t> read_some(std::span<char> room) override {
        error_code error;
        const auto buffer = asio::buffer(room.data(), room.size());
        const auto count = co_await layer_.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) co_return 0;
        if (error) throw boost::system::system_error{error};
        co_return count;
    }
    asio::awaitable<void> write(std::string_view bytes) override {
        const auto buffer = asio::buffer(bytes.data(), bytes.size());
        co_await asio::async_write(layer_, buffer, asio::use_awaitable);
    }
    bool quiet() override { return quiet_socket(layer_.lowest_layer().native_handle()); }

    Layer take() { return std::move(layer_); }

private:
    Layer layer_;
};

/// Asio's wrapper of a context that others go on to use.
asio::ssl::context shared(const TlsContext& context) {
    SSL_CTX_up_ref(context.get());
    return asio::ssl::context{context.get()};
}

/// Asks OpenSSL to check the certificate's names; the subject's common name does not count, as in
/// Go.
void expect_name(SSL* session, const std::string& name) {
    X509_VERIFY_PARAM* rules = SSL_get0_param(session);
    const auto address = Address::parse(name);
    if (address) {
        X509_VERIFY_PARAM_set1_ip(rules, address->bytes().data(), address->bytes().size());
        return; // an address is no server name (RFC 6066 §3)
    }
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(rules, name.data(), name.size());
    SSL_set_tlsext_host_name(session, name.c_str());
}

[[noreturn]] void throw_handshake(SSL* session, error_code error, const std::string& name) {
    const auto verdict = SSL_get_verify_result(session);
    std::string why = error.message();
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
        why = "its certificate is for other names than " + name +
              " (tls-server-name may say another)";
    else if (verdict != X509_V_OK)
        why = std::string{"its certificate is not trusted: "} +
              X509_verify_cert_error_string(verdict);
    throw Failure{error, "TLS: " + why};
}

template <class Below> asio::awaitable<std::unique_ptr<Stream>>
handshake(Below below, TlsContext context, std::string name) {
    auto shared_context = shared(context);
    asio::ssl::stream<Below> tls{std::move(below), shared_context};
    expect_name(tls.native_handle(), name);
    error_code error;
    co_await tls.async_handshake(asio::ssl::stream_base::client,
                                 asio::redirect_error(asio::use_awaitable, error));
    if (error) throw_handshake(tls.native_handle(), error, name);
    co_return std::make_unique<LayerStream<asio::ssl::stream<Below>>>(std::move(tls));
}

using Plain = LayerStream<tcp::socket>;
using Tls = LayerStream<asio::ssl::stream<tcp::socket>>;

} // namespace

std::unique_ptr<Stream> make_stream(tcp::socket socket) {
    tune(socket);
    return std::make_unique<Plain>(std::move(socket));
}

asio::awaitable<std::unique_ptr<Stream>> start_tls(std::unique_ptr<Stream> below,
                                                   TlsContext context, std::string name) {
    if (auto* const plain = dynamic_cast<Plain*>(below.get()))
        co_return co_await handshake(plain->take(), std::move(context), std::move(name));
    auto& tls = dynamic_cast<Tls&>(*below); // a proxy that speaks TLS itself
    co_return co_await handshake(tls.take(), std::move(context), std::move(name));
}

} // namespace ipvsproxy::https
