// The latest of every object, and which services have changed since one last looked.
#pragma once

#include <boost/container/flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "netlink/sorted_set.h"
#include "proxy/model/objects.h"

namespace ipvsproxy::model {

/// What a source (the files, the API) says has changed, fed in any order. An object equal to the
/// one held changes nothing, so events that are lost, doubled or re-listed cost nothing.
class Store {
public:
    /// Of one service, by slice name. Most have one: no memory is spent on more.
    using Slices = boost::container::small_flat_map<SharedText, EndpointSlice, 1>;
    using Names = SortedSet<ObjectName>;

    /// @return whether anything differs from what was held.
    bool put(Service&& service);
    bool put(EndpointSlice&& slice);
    bool put(Node node);
    template <class Object> bool put(const Object& object) { return put(Object{object}); }
    bool remove_service(const ObjectName& name);
    bool remove_slice(const ObjectName& name);
    bool remove_node(const std::string& name);

    /// Nothing when there is none of that name.
    const Service* service(const ObjectName& name) const;
    /// The slices of a service; empty when there are none. Kept also for services not known yet.
    const Slices& slices(const ObjectName& service) const;
    const EndpointSlice* slice(const ObjectName& name) const;
    std::size_t slice_count() const noexcept { return slice_owner_.size(); }
    const Node* node(const std::string& name) const;
    const std::map<ObjectName, Service>& services() const { return services_; }
    const std::map<ObjectName, Slices>& all_slices() const { return slices_; }
    const std::map<std::string, Node>& nodes() const { return nodes_; }

    /// Services whose object or slices changed since the last call, each once.
    Names take_dirty();
    bool dirty() const { return !dirty_.empty(); }
    /// Whether a Node was put or removed since the last call, with a difference.
    bool take_node_changed();

    /// How often a put or a removal has changed something, since the store was made.
    struct Changed {
        std::uint64_t services{}, slices{};
        friend bool operator==(const Changed&, const Changed&) = default;
    };
    const Changed& changed() const noexcept { return changed_; }

    /// When the control plane saw what a slice was changed for (EndpointSlice::triggered).
    struct Trigger {
        Family family{};
        std::chrono::system_clock::time_point at;
        friend bool operator==(const Trigger&, const Trigger&) = default;
    };
    /// Of the slices that were put with a difference since the last call. A slice that goes takes
    /// along what its Service was waiting for.
    std::vector<Trigger> take_triggers();

private:
    void mark(const ObjectName& service);

    std::map<ObjectName, Service> services_;
    std::map<ObjectName, Slices> slices_;
    /// Slice → the service it is filed under, by its key in slices_.
    SortedMap<ObjectName, const ObjectName*> slice_owner_;
    std::map<std::string, Node> nodes_;
    Names dirty_;
    ChunkPlace marked_; ///< in dirty_, or where it was: of the last slice's service
    bool node_changed_{};
    Changed changed_;
    std::map<ObjectName, std::vector<Trigger>> triggers_; ///< by service
};

} // namespace ipvsproxy::model
