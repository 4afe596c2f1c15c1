// The API server as source: a model::Store kept equal to what it holds.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/api/client.h"
#include "proxy/api/replica.h"
#include "proxy/api/trouble.h"

namespace ipvsproxy::api {

/// Is told what a Source does, on its thread.
class SourceListener {
public:
    virtual ~SourceListener() = default;
    /// Objects came, changed or went. Told once for all that was read at once.
    virtual void changed() = 0;
    /// Services and EndpointSlices have both been listed whole. Told once.
    virtual void complete() = 0;
    /// A list was seen whole, and its watch begins.
    virtual void listed(const Resource& /*resource*/) {}
    /// An object was refused or passed over in part; told once, until it changes.
    virtual void odd(const Oddity& /*oddity*/) {}
    /// What is known may be old from now on; told again at growing distances.
    virtual void troubled(const Trouble& /*trouble*/) {}
    /// A trouble that was told is over.
    virtual void recovered(const Trouble& /*trouble*/) {}
};

/// The collections that a proxy reads, with the selectors that kube-proxy has.
std::vector<Resource> resources_of(const std::string& node_name);

/// Lists and watches services, endpointslices, this node and servicecidrs (which decide nothing in
/// ipvs mode). Whatever the server does, the store keeps what it had until a whole list says
/// otherwise.
class Source {
public:
    /// @param store, @param listener outlive this; nobody else writes to the store.
    /// @param chance gives numbers from 0 to 1. @param accept the header of that name, of what
    /// decoder_for() can read
    Source(model::Store& store, const std::string& node_name, Pace pace,
           const std::function<double()>& chance, SourceListener& listener, std::string accept);

    /// Follows all collections until it is cancelled. @param client outlives that.
    boost::asio::awaitable<void> follow(Client& client);
    /// Follows the node alone until it is cancelled; follow() goes on where this was.
    boost::asio::awaitable<void> follow_node(Client& client);
    /// Lists services, endpointslices and the node, once.
    /// @throws std::runtime_error with object, cause and remedy at the first trouble.
    boost::asio::awaitable<void> list(Client& client);

    /// Services and EndpointSlices have both been listed whole.
    bool complete() const noexcept { return complete_; }
    /// An answer of any kind has come: the server can be reached.
    bool answered() const noexcept { return answered_; }
    /// The node's collection was listed whole: without a node there is none.
    bool node_listed() const noexcept;
    /// Lists seen whole, of all collections; those after the first of each are relists.
    std::uint64_t lists() const noexcept;
    std::uint64_t collections() const noexcept { return collections_.size(); }
    /// Objects refused as they stand now.
    std::size_t refused() const noexcept;

private:
    struct Collection {
        Reflector reflector;
        Replica replica;
        unsigned broken_protobuf{}; ///< answers in a row that could not be read
    };
    /// The reading of one body.
    struct Reading {
        Collection& collection;
        Answer& answer;
        bool stopped{}; ///< the rest is of no use
        bool changed{}; ///< the store, since it was last told
        bool listed{};  ///< a list has been seen whole
    };

    enum class Until : std::uint8_t { ended, listed };

    Collection& collection(const std::string& name);
    boost::asio::awaitable<void> follow(Client& client, Collection& one);
    /// Sends the next request and takes its answer. @return what is in the way, if anything is.
    boost::asio::awaitable<std::optional<Trouble>> ask(Client& client, Collection& one,
                                                       Until until);
    boost::asio::awaitable<std::optional<Trouble>> read_refusal(Collection& one, Answer& answer);
    boost::asio::awaitable<std::optional<Trouble>> read(Collection& one, Answer& answer,
                                                        Until until);
    static boost::asio::awaitable<std::optional<End>> feed(Decoder& decoder, Answer& answer);
    std::optional<Trouble> ended(Reading& reading, End end, const std::optional<ListEnd>& list_end);
    void take(Reading& reading, Decoded&& decoded);
    void complete(Reading& reading);
    void tell(Reading& reading);
    void report(const Collection& one, const std::optional<Trouble>& trouble);
    void well(const Collection& one);

    SourceListener& listener_;
    std::string accept_;
    std::vector<std::unique_ptr<Collection>> collections_;
    Troubles troubles_;
    bool answered_{}, complete_{};
};

} // namespace ipvsproxy::api
