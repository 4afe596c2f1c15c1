// A model::Store kept equal to one collection of the API, object by object and list by list.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "netlink/sorted_set.h"
#include "proxy/api/decode.h"
#include "proxy/model/store.h"

namespace ipvsproxy::api {

/// An object that was refused, or passed over in part.
struct Oddity {
    bool refused{};   ///< the object as a whole; what it was before counts on
    std::string text; ///< `Service default/web: spec.ports[0].port: port outside 1..65535`
    friend bool operator==(const Oddity&, const Oddity&) = default;
};

/// Puts what a list and its watch bring into a store. Objects count as they come; what a list does
/// not hold goes when the list is complete, so that one that breaks off harms nothing. A refused
/// object keeps what it was before, as a malformed manifest does (proxy/files).
class Replica {
public:
    enum class Kind : std::uint8_t { service, slice, node, none }; ///< none: of nothing that counts

    /// @param store outlives this; no other source puts objects of this kind there.
    /// @param say takes each oddity once, until it changes.
    Replica(model::Store& store, Kind kind, std::function<void(const Oddity&)> say);

    // All return whether the store has changed.
    bool put(Decoded&& one);
    bool remove(const Decoded& one);
    /// A list is about to come: what an unfinished one held does not count as seen in it.
    void begin_list();
    bool complete();

    /// Objects that are refused as they stand now.
    std::size_t refused() const noexcept { return refused_.size(); }

private:
    void report(const Decoded& one);
    void forget_report(const model::ObjectName& name);
    bool drop(const model::ObjectName& name);
    std::vector<model::ObjectName> unseen() const;
    std::size_t held() const; ///< objects of this kind in the store

    model::Store& store_;
    Kind kind_;
    std::function<void(const Oddity&)> say_;
    bool listing_{};
    bool nameless_{}; ///< the list under way holds an object that does not say which one it is
    SortedSet<model::ObjectName> seen_;        ///< in the list under way
    std::map<model::ObjectName, Oddity> said_; ///< of objects that are odd now
    std::set<model::ObjectName> refused_;
};

} // namespace ipvsproxy::api
