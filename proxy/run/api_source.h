// The API server as a source.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "proxy/api/source.h"
#include "proxy/config/options.h"
#include "proxy/run/source.h"
#include "proxy/sync/bell.h"

namespace ipvsproxy::run {

/// Opens a client of the API server that works on this executor.
using Connect = std::function<std::unique_ptr<api::Client>(const boost::asio::any_io_executor&)>;

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

/// Lists and watches for as long as lives go on; what one life knew, the next begins with.
class ApiSource final : public Source, private ApiLog {
public:
    /// How long to wait for what only an API server can give (configuration.md §7 of kube-proxy's
    /// contract), from its first answer on: before that there is nothing to go on with.
    struct Patience {
        std::chrono::nanoseconds node{std::chrono::seconds{30}};
        std::chrono::nanoseconds pod_cidrs{std::chrono::minutes{5}}; ///< after that
    };

    ApiSource(const config::Options& options, Connect connect);
    ApiSource(const config::Options& options, Connect connect, Patience patience);

    model::Store& store() override { return store_; }
    /// Waits until the Node has an address and, with detectLocalMode NodeCIDR, podCIDRs.
    /// @throws std::runtime_error when the latter do not come; a Node is merely missed.
    boost::asio::awaitable<void> find_node() override;
    boost::asio::awaitable<void> follow(Listener& listener) override;
    /// There is nothing to read again: it is watched.
    void read_again(Listener& /*listener*/) override {}

    /// Lists that were seen whole; those after the first of each collection are relists.
    std::uint64_t lists() const noexcept { return source_.lists(); }
    std::uint64_t relists() const override {
        return lists() - std::min(lists(), source_.collections());
    }

private:
    void changed() override;
    void complete() override;
    bool node_has_address() const;
    bool node_has_pod_cidrs() const;
    boost::asio::awaitable<void> node_is_known(sync::Bell& bell);

    std::string node_name_;
    bool needs_pod_cidrs_;
    Connect connect_;
    Patience patience_;
    model::Store store_;
    api::Source source_;
    Listener* listener_{}; ///< of the life under way, once it follows
    sync::Bell* bell_{};   ///< of find_node() while it waits
};

/// The objects that an API server holds, listed once.
struct Listed {
    model::Store store{};
    std::size_t refused{}; ///< objects; each was logged
};
/// @throws std::runtime_error when they cannot be had: object, cause and remedy.
Listed list_once(const config::Options& options, const Connect& connect);

} // namespace ipvsproxy::run
