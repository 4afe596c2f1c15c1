#include "proxy/http/server.h"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <ctime>
#include <list>
#include <vector>

#include "proxy/http/codec.h"
#include "proxy/log/log.h"

namespace ipvsproxy::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Error = boost::system::error_code;

/// How long accepting rests after an error such as a lack of file descriptors.
constexpr std::chrono::milliseconds pause_after_error{100};
/// How often closed() looks whether all have ended.
constexpr std::chrono::milliseconds look_again{10};

/// `Sat, 21 Nov 2026 02:03:40 GMT` (RFC 9110 §5.6.7), whatever the locale.
std::string date(std::time_t now) {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm at{};
    ::gmtime_r(&now, &at);
    std::array<char, 64> text{};
    const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                   days.at(static_cast<std::size_t>(at.tm_wday)), at.tm_mday,
                                   months.at(static_cast<std::size_t>(at.tm_mon)),
                                   at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
    return {text.data(), static_cast<std::size_t>(size)};
}

tcp::endpoint endpoint(const AddressPort& where) {
    const auto bytes = where.address.bytes();
    if (where.address.family() == Family::v4) {
        asio::ip::address_v4::bytes_type raw{};
        std::ranges::copy(bytes, raw.begin());
        return {asio::ip::address_v4{raw}, where.port.value};
    }
    asio::ip::address_v6::bytes_type raw{};
    std::ranges::copy(bytes, raw.begin());
    return {asio::ip::address_v6{raw}, where.port.value};
}

Response plain(unsigned status, const std::string& text) {
    return {status,
            {{"Content-Type", "text/plain; charset=utf-8"}, {"X-Content-Type-Options", "nosniff"}},
            text + '\n'};
}

/// One client. Its deadline closes the socket, which ends whatever waits for it.
struct Client {
    explicit Client(tcp::socket accepted)
        : socket{std::move(accepted)}, deadline{socket.get_executor()} {}

    void allow(const std::shared_ptr<Client>& self, std::chrono::milliseconds time) {
        deadline.expires_after(time);
        deadline.async_wait([self](Error error) {
            if (!error && self->deadline.expiry() <= asio::steady_timer::clock_type::now())
                self->cut();
        });
    }
    void cut() {
        Error ignored;
        socket.close(ignored);
    }

    tcp::socket socket;
    asio::steady_timer deadline;
    bool idle{true}; ///< between two requests
};

} // namespace

/// What the coroutines share; it lives as long as the last of them.
class Server::Shared : public std::enable_shared_from_this<Server::Shared> {
public:
    Shared(asio::any_io_executor executor, Handler handler, Patience patience)
        : executor_{std::move(executor)}, handler_{std::move(handler)}, patience_{patience} {}

    void listen(const AddressPort& where, Reach reach);
    AddressPort local(std::size_t n) const;
    void close();
    void cut();
    asio::awaitable<void> closed(std::chrono::milliseconds grace);

private:
    using Acceptor = std::shared_ptr<tcp::acceptor>;
    Acceptor open(const tcp::endpoint& where, bool both) const;
    asio::awaitable<void> accept(std::shared_ptr<Shared> self, Acceptor acceptor);
    void welcome(tcp::socket socket);
    asio::awaitable<void> serve(std::shared_ptr<Shared> self, std::shared_ptr<Client> client);
    asio::awaitable<bool> read(std::shared_ptr<Client> client, std::string& into);
    asio::awaitable<bool> receive(std::shared_ptr<Client> client, RequestReader& reader,
                                  std::string& rest);
    asio::awaitable<bool> send(std::shared_ptr<Client> client, std::string bytes);
    std::string answer(const Request& request, Connection after) const;

    asio::any_io_executor executor_;
    Handler handler_;
    Patience patience_;
    std::vector<Acceptor> acceptors_;
    std::list<std::shared_ptr<Client>> clients_; ///< the one that was active last is at the end
    bool closing_{};
};

Server::Shared::Acceptor Server::Shared::open(const tcp::endpoint& where, bool both) const {
    auto acceptor = std::make_shared<tcp::acceptor>(executor_);
    acceptor->open(where.protocol());
    acceptor->set_option(tcp::acceptor::reuse_address{true});
    if (where.protocol() == tcp::v6()) acceptor->set_option(asio::ip::v6_only{!both});
    acceptor->bind(where);
    acceptor->listen();
    return acceptor;
}

void Server::Shared::listen(const AddressPort& where, Reach reach) {
    const auto asked = endpoint(where);
    const bool both = reach == Reach::every_family && asked.address().is_unspecified();
    Acceptor acceptor;
    try {
        if (both) {
            try {
                acceptor = open({asio::ip::address_v6::any(), where.port.value}, true);
            } catch (const boost::system::system_error& error) {
                const bool without_v6 = error.code() == asio::error::address_family_not_supported ||
                                        error.code() == boost::system::errc::address_not_available;
                if (!without_v6 || asked.protocol() == tcp::v6()) throw;
            }
        }
        if (!acceptor) acceptor = open(asked, false);
    } catch (const boost::system::system_error& error) {
        throw std::system_error{error.code(), "listen tcp " + where.text() + ": bind"};
    }
    acceptors_.push_back(acceptor);
    asio::co_spawn(executor_, accept(shared_from_this(), acceptor), asio::detached);
}

AddressPort Server::Shared::local(std::size_t n) const {
    const auto end = acceptors_.at(n)->local_endpoint();
    return {*Address::parse(end.address().to_string()), Port{end.port()}};
}

asio::awaitable<void> Server::Shared::accept(std::shared_ptr<Shared> self, Acceptor acceptor) {
    asio::steady_timer timer{self->executor_};
    bool told = false;
    while (acceptor->is_open()) {
        Error error;
        auto socket =
            co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (!acceptor->is_open()) break;
        if (!error) {
            told = false;
            self->welcome(std::move(socket));
            continue;
        }
        if (!std::exchange(told, true))
            log::error("A connection could not be accepted; tried again",
                       {{"err", error.message()}});
        timer.expires_after(pause_after_error);
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
}

void Server::Shared::welcome(tcp::socket socket) {
    if (clients_.size() >= patience_.connections) {
        const auto idle = std::ranges::find_if(
            clients_, [](const auto& each) { return each->idle && each->socket.is_open(); });
        if (idle == clients_.end()) return; // closed as it goes out of scope
        (*idle)->cut();
    }
    const auto client = std::make_shared<Client>(std::move(socket));
    clients_.push_back(client);
    asio::co_spawn(executor_, serve(shared_from_this(), client), asio::detached);
}

/// @return whether more has come; not when the client has gone, or idles while the server closes.
asio::awaitable<bool> Server::Shared::read(std::shared_ptr<Client> client, std::string& into) {
    if (closing_ && client->idle) co_return false;
    std::array<char, 8192> room{};
    Error error;
    const auto buffer = asio::buffer(room);
    const auto size = co_await client->socket.async_read_some(
        buffer, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return false;
    into.assign(room.data(), size);
    if (std::exchange(client->idle, false)) client->allow(client, patience_.request);
    co_return true;
}

/// @return whether a whole request has come; what was none has been answered.
asio::awaitable<bool> Server::Shared::receive(std::shared_ptr<Client> client, RequestReader& reader,
                                              std::string& rest) {
    bool continued = false;
    client->idle = rest.empty();
    client->allow(client, client->idle ? patience_.idle : patience_.request);
    while (!reader.done()) {
        if (rest.empty()) {
            const bool more = co_await read(client, rest);
            if (!more) co_return false;
        }
        const auto taken = reader.feed(rest);
        if (!taken) {
            const auto problem = taken.error();
            auto bytes =
                serialize(plain(problem.status, "The request is refused: " + problem.reason),
                          Connection::close);
            co_await send(client, *std::move(bytes));
            co_return false;
        }
        rest.erase(0, *taken);
        if (reader.expects_continue() && !std::exchange(continued, true)) {
            std::string bytes = "HTTP/1.1 100 Continue\r\n\r\n";
            if (!co_await send(client, std::move(bytes))) co_return false;
        }
    }
    co_return true;
}

std::string Server::Shared::answer(const Request& request, Connection after) const {
    const bool head_only = request.method == "HEAD";
    Response response;
    try {
        response = handler_(request);
    } catch (const std::exception& error) {
        log::error("A request could not be answered",
                   {{"target", request.target}, {"err", error.what()}});
        response = plain(500, error.what());
    }
    response.headers.add("Date", date(std::time(nullptr)));
    auto bytes = serialize(response, after, head_only);
    if (!bytes) bytes = serialize(plain(500, bytes.error().reason), after, head_only);
    return *std::move(bytes);
}

asio::awaitable<bool> Server::Shared::send(std::shared_ptr<Client> client, std::string bytes) {
    client->allow(client, patience_.answer);
    Error error;
    const auto from = asio::buffer(bytes);
    co_await asio::async_write(client->socket, from,
                               asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
}

asio::awaitable<void> Server::Shared::serve(std::shared_ptr<Shared> self,
                                            std::shared_ptr<Client> client) {
    RequestReader reader;
    std::string rest;
    for (bool more = true; more;) {
        const bool whole = co_await self->receive(client, reader, rest);
        if (!whole || !client->socket.is_open()) break; // the handler may be gone with it
        const bool keep = reader.keep_alive() && !self->closing_;
        const auto request = reader.take();
        auto bytes = self->answer(request, keep ? Connection::keep : Connection::close);
        const bool sent = co_await self->send(client, std::move(bytes));
        more = sent && keep;
        auto& all = self->clients_;
        all.splice(all.end(), all, std::ranges::find(all, client)); // the one active last
    }
    Error ignored;
    client->socket.shutdown(tcp::socket::shutdown_send, ignored);
    client->cut();
    client->deadline.cancel();
    self->clients_.remove(client);
}

void Server::Shared::close() {
    closing_ = true;
    for (const auto& acceptor : acceptors_) {
        Error ignored;
        acceptor->close(ignored);
    }
    for (const auto& client : clients_)
        if (client->idle) client->cut();
}

void Server::Shared::cut() {
    close();
    for (const auto& client : clients_)
        client->cut();
}

asio::awaitable<void> Server::Shared::closed(std::chrono::milliseconds grace) {
    const auto self = shared_from_this();
    asio::steady_timer timer{executor_};
    const auto end = asio::steady_timer::clock_type::now() + grace;
    while (!clients_.empty() && asio::steady_timer::clock_type::now() < end) {
        timer.expires_after(look_again);
        co_await timer.async_wait(asio::use_awaitable);
    }
    cut();
}

Server::Server(asio::any_io_executor executor, Handler handler, Patience patience)
    : shared_{std::make_shared<Shared>(std::move(executor), std::move(handler), patience)} {}
Server::~Server() {
    shared_->cut();
}
void Server::listen(const AddressPort& where, Reach reach) {
    shared_->listen(where, reach);
}
AddressPort Server::local(std::size_t n) const {
    return shared_->local(n);
}
void Server::close() {
    shared_->close();
}
asio::awaitable<void> Server::closed(std::chrono::milliseconds grace) {
    return shared_->closed(grace);
}

} // namespace ipvsproxy::http
