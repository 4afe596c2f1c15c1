#include "proxy/https/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <ctime>
#include <stdexcept>

#include "netlink/handle.h"

namespace ipvsproxy::https {
namespace {

using Memory = Handle<BIO, BIO_free_all>;
using Certificate = Handle<X509, X509_free>;
using PrivateKey = Handle<EVP_PKEY, EVP_PKEY_free>;

/// OpenSSL's reason for the last failure; the queue is empty afterwards.
std::string last_error() {
    const auto code = ERR_peek_last_error();
    ERR_clear_error();
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "no reason given";
}

Memory reading(const std::string& pem) {
    return Memory{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
}

Certificate next_certificate(BIO* pem) {
    return Certificate{PEM_read_bio_X509(pem, nullptr, nullptr, nullptr)};
}

void trust(SSL_CTX* context, const std::string& pem) {
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    const auto text = reading(pem);
    std::size_t count = 0;
    while (const auto certificate = next_certificate(text.get())) {
        X509_STORE_add_cert(store, certificate.get());
        ++count;
    }
    // The end of the text is PEM_R_NO_START_LINE; Go passes over what it cannot read as well.
    const auto reason = last_error();
    if (count == 0) throw std::runtime_error{"no certificate in the CA bundle: " + reason};
}

/// A key that asks for a password is refused instead of asking the terminal.
int no_password(char*, int, int, void*) {
    return -1;
}

void present(SSL_CTX* context, const TlsSettings& settings) {
    const auto certificates = reading(settings.certificate_pem);
    const auto own = next_certificate(certificates.get());
    if (!own) throw std::runtime_error{"no client certificate: " + last_error()};
    const auto text = reading(settings.key_pem);
    const PrivateKey key{PEM_read_bio_PrivateKey(text.get(), nullptr, no_password, nullptr)};
    if (!key)
        throw std::runtime_error{"no usable client key (encrypted keys are not): " + last_error()};
    if (SSL_CTX_use_certificate(context, own.get()) != 1)
        throw std::runtime_error{"the client certificate is of no use: " + last_error()};
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1)
        throw std::runtime_error{"the client key does not fit the certificate: " + last_error()};
    while (auto above = next_certificate(certificates.get()))
        if (SSL_CTX_add_extra_chain_cert(context, above.get()) == 1) (void)above.release();
    ERR_clear_error();
}

} // namespace

TlsContext make_tls_context(const TlsSettings& settings) {
    ERR_clear_error();
    TlsContext context{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    if (!context) throw std::runtime_error{"TLS cannot be used: " + last_error()};
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    static constexpr std::array<unsigned char, 9> http{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(context.get(), http.data(), http.size());
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context.get(), settings.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       nullptr);
    if (!settings.insecure) {
        if (settings.ca_pem.empty()) SSL_CTX_set_default_verify_paths(context.get());
        else trust(context.get(), settings.ca_pem);
        X509_STORE_set_flags(SSL_CTX_get_cert_store(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
    }
    if (!settings.certificate_pem.empty()) present(context.get(), settings);
    return context;
}

std::string certificate_end(const std::string& pem) {
    const auto text = reading(pem);
    const auto certificate = next_certificate(text.get());
    ERR_clear_error();
    std::tm end{};
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1)
        return {};
    std::array<char, 32> room{};
    return {room.data(), std::strftime(room.data(), room.size(), "%FT%TZ", &end)};
}

} // namespace ipvsproxy::https
