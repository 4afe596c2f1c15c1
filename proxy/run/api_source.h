// The API server as a source.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "proxy/api/source.h"
#include "proxy/config/options.h"
#include "proxy/run/source.h"

namespace ipvsproxy::run {

/// Opens a client of the API server of these options that works on this executor. The observer may
/// be null; otherwise it is there for as long as the executor runs.
/// @throws std::runtime_error when there is no way to it: file, field and remedy.
using Connect = std::function<std::unique_ptr<api::Client>(
    const config::Options&, const boost::asio::any_io_executor&, api::ClientObserver*)>;

/// Logs what befalls a Source of the API; others add what they want to know.
class ApiLog : public api::SourceListener {
public:
    void changed() override {}
    void complete() override {}
    void listed(const api::Resource& resource) override;
    void odd(const api::Oddity& oddity) override;
    void troubled(const api::Trouble& trouble) override;
    void recovered(const api::Trouble& trouble) override;
};

/// Lists and watches for as long as lives go on; what one life knew, the next begins with. One that
/// looks at another server, or for another Node, begins with what prepare() found there. begin()
/// comes before all else.
class ApiSource final : public Source {
public:
    /// How long to wait for what only an API server can give (configuration.md §7 of kube-proxy's
    /// contract), from its first answer on: before that there is nothing to go on with.
    struct Patience {
        std::chrono::nanoseconds node{std::chrono::seconds{30}};
        std::chrono::nanoseconds pod_cidrs{std::chrono::minutes{5}}; ///< after that
        /// Between two tries of credentials that cannot be read.
        std::chrono::nanoseconds credentials{std::chrono::seconds{10}};
    };

    explicit ApiSource(Connect connect);
    ApiSource(Connect connect, Patience patience);
    ~ApiSource() override;

    void begin(const config::Options& options, api::ClientObserver& requests) override;
    model::Store& store() override;
    /// Waits until the Node has an address and, with detectLocalMode NodeCIDR, podCIDRs.
    /// @throws std::runtime_error when the latter do not come; a Node is merely missed.
    boost::asio::awaitable<void> find_node() override;
    boost::asio::awaitable<void> follow(Listener& listener) override;
    /// Until the way to the server is there and, where it is another server or Node, its lists are
    /// complete: what is known meanwhile stays in store(), and is followed on. Nothing is waited
    /// for where nothing is known yet.
    boost::asio::awaitable<void> prepare(config::Options options) override;
    /// Of its own, so that Events take nothing of what lists and watches may ask.
    std::unique_ptr<api::Client>
    reporting_client(const boost::asio::any_io_executor& executor) override;
    /// There is nothing to read again: it is watched.
    void read_again(Listener& /*listener*/) override {}

    /// Lists that were seen whole; those after the first of each collection are relists.
    std::uint64_t lists() const noexcept;
    std::uint64_t relists() const override;

private:
    struct Known;

    boost::asio::awaitable<std::unique_ptr<api::Client>> way_to(config::Options options);

    Connect connect_;
    Patience patience_;
    const config::Options* options_{}; ///< of the life under way
    api::ClientObserver* requests_{};  ///< likewise
    std::unique_ptr<Known> known_;     ///< what the life goes by
    std::unique_ptr<Known> next_;      ///< of an origin that is prepared
    std::unique_ptr<Known> previous_;  ///< until the life with what is known has proved to work
};

/// The objects that an API server holds, listed once.
struct Listed {
    model::Store store{};
    std::size_t refused{}; ///< objects; each was logged
};
/// @throws std::runtime_error when they cannot be had: object, cause and remedy.
Listed list_once(const config::Options& options, const Connect& connect);

} // namespace ipvsproxy::run
