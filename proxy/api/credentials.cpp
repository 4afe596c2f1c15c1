#include "proxy/api/credentials.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>
#include <system_error>

#include "proxy/https/base64.h"
#include "proxy/log/log.h"

namespace ipvsproxy::api {
namespace {

constexpr std::chrono::minutes token_period{1};
constexpr std::chrono::seconds certificate_period{10};

std::optional<RotatingFile> rotating(const std::string& path, std::chrono::nanoseconds period) {
    if (path.empty()) return std::nullopt;
    return RotatingFile{path, period};
}

std::string trimmed(const std::string& text) {
    const auto* const blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    return first == std::string::npos
               ? ""
               : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

} // namespace

/// While one lives the plugin runs; its end is told to those who wait for it.
class Credentials::Turn {
public:
    explicit Turn(Credentials& owner) : owner_{owner} { owner_.plugin_runs_ = true; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
        owner_.plugin_runs_ = false;
        owner_.plugin_ends_.cancel();
    }

private:
    Credentials& owner_;
};

Credentials::Credentials(const boost::asio::any_io_executor& executor, const Access& access,
                         Clock& clock, ClientObserver* observer)
    : access_{access}, clock_{clock}, observer_{observer},
      token_{rotating(access.token.file, token_period)}, ca_{rotating(access.ca.file,
                                                                      certificate_period)},
      certificate_{rotating(access.certificate.file, certificate_period)},
      key_{rotating(access.key.file, certificate_period)}, plugin_ends_{executor} {}

std::string Credentials::material(const Material& material, std::optional<RotatingFile>& file) {
    if (!material.text.empty() || !file) return material.text;
    try {
        return file->text(clock_.now());
    } catch (const std::system_error& error) {
        throw std::runtime_error{access_.origin +
                                 " names a file that cannot be read: " + error.what()};
    }
}

https::TlsSettings Credentials::tls_settings() {
    https::TlsSettings settings{.insecure = access_.insecure};
    if (!settings.insecure) settings.ca_pem = material(access_.ca, ca_);
    if (given_ && !given_->key_pem.empty()) {
        settings.certificate_pem = given_->certificate_pem;
        settings.key_pem = given_->key_pem;
    } else {
        settings.certificate_pem = material(access_.certificate, certificate_);
        settings.key_pem = material(access_.key, key_);
    }
    return settings;
}

void Credentials::refresh_tls() {
    if (access_.server.scheme != "https") return;
    auto settings = tls_settings();
    if (settings == settings_ || settings == refused_settings_) return;
    try {
        tls_ = https::make_tls_context(settings);
    } catch (const std::runtime_error& error) {
        if (!tls_) throw std::runtime_error{access_.origin + ": " + error.what()};
        // A certificate and its key are two files: seen between their two writings they do not fit.
        log::warning("Certificates cannot be used; those before stay in use",
                     {{"from", access_.origin}, {"err", error.what()}});
        refused_settings_ = std::move(settings);
        return;
    }
    if (settings_)
        log::info("Certificates for the API server have changed",
                  {{"from", access_.origin},
                   {"clientCertificateEnds", https::certificate_end(settings.certificate_pem)}});
    settings_ = std::move(settings);
    refused_settings_.reset();
    ++generation_;
}

std::string Credentials::authorization() {
    if (token_) {
        std::string token;
        try {
            token = trimmed(token_->text(clock_.now()));
        } catch (const std::system_error& error) {
            token = access_.token.text; // client-go: the text counts until the file can be read
            if (token.empty())
                throw std::runtime_error{
                    access_.origin + " names a token file that cannot be read: " + error.what()};
        }
        if (token.empty()) throw std::runtime_error{"token file " + token_->path() + " is empty"};
        return "Bearer " + token;
    }
    if (!access_.token.text.empty()) return "Bearer " + access_.token.text;
    if (!access_.username.empty())
        return "Basic " + https::to_base64(access_.username + ":" + access_.password);
    if (given_ && !given_->token.empty()) return "Bearer " + given_->token;
    return {};
}

boost::asio::awaitable<void> Credentials::run_plugin_when_due() {
    while (plugin_runs_) { // somebody else's run is as good as ours
        boost::system::error_code ended;
        plugin_ends_.expires_at(std::chrono::steady_clock::time_point::max());
        co_await plugin_ends_.async_wait(
            boost::asio::redirect_error(boost::asio::use_awaitable, ended));
    }
    if (given_ && (!given_->expires || clock_.date() < *given_->expires)) co_return;
    const Turn turn{*this};
    const std::string ca = material(access_.ca, ca_);
    given_ = co_await run_exec_plugin(access_, ca, observer_);
}

boost::asio::awaitable<Login> Credentials::login() {
    // As in client-go, a plugin is for those who have no other credentials.
    if (access_.exec && access_.token.empty() && access_.username.empty())
        co_await run_plugin_when_due();
    refresh_tls();
    auto now = authorization();
    if (now != authorization_) {
        authorization_ = std::move(now);
        ++generation_;
    }
    co_return Login{.authorization = authorization_, .tls = tls_, .generation = generation_};
}

bool Credentials::refused(const Login& used) {
    if (used.generation != generation_) return true; // others have found new ones meanwhile
    if (access_.exec) given_.reset();
    for (auto* const file : {&token_, &ca_, &certificate_, &key_})
        if (*file) (*file)->doubt();
    return access_.exec || token_ || certificate_;
}

} // namespace ipvsproxy::api
