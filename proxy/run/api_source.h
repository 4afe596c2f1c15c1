// The API server as a source.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proxy/api/source.h"
#include "proxy/config/options.h"
#include "proxy/run/source.h"
#include "proxy/sync/bell.h"

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

/// Lists and watches for as long as lives go on; what one life knew, the next begins with, unless
/// it looks at another server or for another Node. begin() comes before all else.
class ApiSource final : public Source, private ApiLog {
public:
    /// How long to wait for what only an API server can give (configuration.md §7 of kube-proxy's
    /// contract), from its first answer on: before that there is nothing to go on with.
    struct Patience {
        std::chrono::nanoseconds node{std::chrono::seconds{30}};
        std::chrono::nanoseconds pod_cidrs{std::chrono::minutes{5}}; ///< after that
    };

    explicit ApiSource(Connect connect);
    ApiSource(Connect connect, Patience patience);

    void begin(const config::Options& options, api::ClientObserver& requests) override;
    model::Store& store() override { return known_->store; }
    /// Waits until the Node has an address and, with detectLocalMode NodeCIDR, podCIDRs.
    /// @throws std::runtime_error when the latter do not come; a Node is merely missed.
    boost::asio::awaitable<void> find_node() override;
    boost::asio::awaitable<void> follow(Listener& listener) override;
    /// Of its own, so that Events take nothing of what lists and watches may ask.
    std::unique_ptr<api::Client>
    reporting_client(const boost::asio::any_io_executor& executor) override;
    /// There is nothing to read again: it is watched.
    void read_again(Listener& /*listener*/) override {}

    /// Lists that were seen whole; those after the first of each collection are relists.
    std::uint64_t lists() const noexcept { return known_->source.lists(); }
    std::uint64_t relists() const override {
        return lists() - std::min(lists(), known_->source.collections());
    }

private:
    /// Where the objects are, and whose node this is: with another answer nothing known counts.
    struct Origin {
        std::string kubeconfig{}, master{}, node_name{};
        friend bool operator==(const Origin&, const Origin&) = default;
    };
    /// What is known of an origin, and how far.
    struct Known {
        Known(Origin from, api::SourceListener& listener);
        Origin origin;
        model::Store store{};
        api::Source source;
    };

    void changed() override;
    void complete() override;
    bool needs_pod_cidrs() const;
    const model::Node* node() const;
    bool node_has_address() const;
    bool node_has_pod_cidrs() const;
    boost::asio::awaitable<void> node_is_known(sync::Bell& bell);

    Connect connect_;
    Patience patience_;
    const config::Options* options_{}; ///< of the life under way, as the next two are
    api::ClientObserver* requests_{};
    Listener* listener_{}; ///< once it follows
    std::optional<Known> known_;
    sync::Bell* bell_{}; ///< of find_node() while it waits
};

/// The objects that an API server holds, listed once.
struct Listed {
    model::Store store{};
    std::size_t refused{}; ///< objects; each was logged
};
/// @throws std::runtime_error when they cannot be had: object, cause and remedy.
Listed list_once(const config::Options& options, const Connect& connect);

} // namespace ipvsproxy::run
