// Where the objects come from: manifests, or the API server.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>

#include "proxy/api/client.h"
#include "proxy/config/options.h"
#include "proxy/model/store.h"

namespace ipvsproxy::run {

/// Is told, on the thread of the loop, what a source has put into its store.
class Listener {
public:
    virtual ~Listener() = default;
    /// Objects came, changed or went, the Node among them. Before complete() it is said of sources
    /// that bring their objects one after the other: a node that begins may be given
    /// default/kubernetes then.
    virtual void changed() = 0;
    /// Services and EndpointSlices are all there; said once or more often. Until then all else
    /// waits.
    virtual void complete() = 0;
};

/// Outlives the lives it feeds (life.h). Whatever goes wrong with its origin, the store keeps what
/// it had: nothing goes because nobody can be asked.
class Source {
public:
    virtual ~Source() = default;
    /// A life begins; both outlive it. What the options say of the origin may have changed since
    /// the life before: then the store holds what prepare() found there, or begins anew.
    /// @param requests is told of each request to an API server
    /// @throws std::exception when the origin cannot be used
    virtual void begin(const config::Options& /*options*/, api::ClientObserver& /*requests*/) {}
    virtual model::Store& store() = 0;
    /// Brings the Node into the store, as far as it is to be had in time.
    /// @throws std::exception when there is no going on without it.
    virtual boost::asio::awaitable<void> find_node() = 0;
    /// Keeps the store equal to its origin for as long as the life goes on; it is destroyed at its
    /// end, wherever it waits. @param listener outlives it.
    virtual boost::asio::awaitable<void> follow(Listener& listener) = 0;
    /// Returns when a life with these options could begin where the one under way leaves off: the
    /// node is never without a wish to be kept by. Until then it is destroyed, or cancelled, when
    /// they are not wanted any more.
    virtual boost::asio::awaitable<void> prepare(config::Options /*options*/) { co_return; }
    /// Looks at everything again: somebody asked for it (SIGHUP).
    virtual void read_again(Listener& listener) = 0;
    /// Whether there need not be a Node at all. Where there must be one, a node without is not
    /// eligible for traffic.
    virtual bool node_is_optional() const { return false; }
    /// To tell the origin what happens here; null where there is nobody to be told.
    virtual std::unique_ptr<api::Client>
    reporting_client(const boost::asio::any_io_executor& /*executor*/) {
        return nullptr;
    }
    /// How often something had to be listed again, so far.
    virtual std::uint64_t relists() const { return 0; }
};

} // namespace ipvsproxy::run
