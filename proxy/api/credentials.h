// Who we are to the API server at this moment: tokens and certificates that rotate.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "proxy/api/access.h"
#include "proxy/api/client.h"
#include "proxy/api/clock.h"
#include "proxy/api/exec_plugin.h"
#include "proxy/api/read_file.h"
#include "proxy/https/tls.h"

namespace ipvsproxy::api {

/// What a request is sent with.
struct Login {
    std::string authorization{}; ///< the header's value; empty: none
    https::TlsContext tls{};     ///< null for a server of http
    std::uint64_t generation{};  ///< of all of it; another one after a refresh that found something
};

/// Keeps them fresh. Token files are read again when a minute old, as client-go does, and
/// certificate files when ten seconds old; what cannot be read leaves what was read before in use.
/// A credential plugin runs once at a time, and again when what it gave has expired or was refused.
class Credentials {
public:
    /// @param observer null, or there for as long as the executor runs. The others outlive this.
    Credentials(const boost::asio::any_io_executor& executor, const Access& access, Clock& clock,
                ClientObserver* observer);

    /// @throws std::runtime_error when there is nothing to log in with, naming file or plugin.
    boost::asio::awaitable<Login> login();
    /// The server refused (401) what `used` names.
    /// @return whether there is any use in another login(): files are read, the plugin is run anew.
    bool refused(const Login& used);

private:
    class Turn;

    boost::asio::awaitable<void> run_plugin_when_due();
    std::string authorization();
    void refresh_tls();
    https::TlsSettings tls_settings();
    std::string material(const Material& material, std::optional<RotatingFile>& file);

    const Access& access_;
    Clock& clock_;
    ClientObserver* observer_;
    std::optional<RotatingFile> token_{}, ca_{}, certificate_{}, key_{};
    std::optional<ExecCredential> given_{}; ///< by the plugin
    boost::asio::steady_timer plugin_ends_;
    bool plugin_runs_{};
    std::optional<https::TlsSettings> settings_{}, refused_settings_{};
    https::TlsContext tls_{};
    std::string authorization_{};
    std::uint64_t generation_{};
};

} // namespace ipvsproxy::api
