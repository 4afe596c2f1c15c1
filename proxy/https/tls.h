// Whom a TLS client trusts, and who it says it is.
#pragma once

#include <memory>
#include <string>

struct ssl_ctx_st;

namespace ipvsproxy::https {

struct TlsSettings {
    std::string ca_pem{};          ///< certificates that are trusted; empty: the system's
    bool insecure{};               ///< any certificate will do
    std::string certificate_pem{}; ///< our own, its chain after it; empty: none
    std::string key_pem{};
    friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

/// OpenSSL's SSL_CTX, counted.
using TlsContext = std::shared_ptr<ssl_ctx_st>;

/// TLS 1.2 and later, ALPN http/1.1. As in Go, a trusted certificate need not be a root.
/// @throws std::runtime_error that says which of the settings is of no use, and why.
TlsContext make_tls_context(const TlsSettings& settings);

/// When the first certificate of a PEM text ends, for messages: `2027-01-31T12:00:00Z`; empty when
/// there is none.
std::string certificate_end(const std::string& pem);

} // namespace ipvsproxy::https
