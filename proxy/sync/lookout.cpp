#include "proxy/sync/lookout.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cassert>
#include <utility>

#include "proxy/sync/lane.h"

namespace ipvsproxy::sync {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

const auto& key_of(const auto& entry) {
    if constexpr (requires { entry.first; }) return entry.first;
    else return entry;
}

/// Whether a key lies between those of two virtual servers, of which the second is not included.
template <class Keys, class Key>
bool any_in(const Keys& keys, const std::optional<Key>& first, const std::optional<Key>& last) {
    const auto at = first ? keys.lower_bound(*first) : keys.begin();
    return at != keys.end() && (!last || key_of(*at) < *last);
}

template <class Changes, class Key> bool any_change_in(const Changes& changes,
                                                       const std::optional<Key>& first,
                                                       const std::optional<Key>& last) {
    return any_in(changes.add, first, last) || any_in(changes.update, first, last) ||
           any_in(changes.remove, first, last);
}

/// The lowest key that a real server of this virtual server can have.
std::optional<ipvs::DestinationKey> lowest(const std::optional<ipvs::ServiceKey>& service) {
    if (!service) return std::nullopt;
    return ipvs::DestinationKey{*service, {}, {}};
}

bool is_of(Family family, const std::string& set) {
    const auto id = plan::find_set(set);
    return id && id->family == family;
}

} // namespace

bool touches(const plan::NodeChanges& changes, const Portion& portion) {
    const auto& [part, family, first, last, services] = portion;
    const auto of_family = [wanted = family](const auto& set) {
        return is_of(wanted, key_of(set));
    };
    switch (part) {
    case Part::device:
        return changes.create_device || changes.destroy_device || !changes.addresses.empty();
    case Part::services:
        return !changes.ipvs.services.empty();
    case Part::destinations: // a virtual server brings its real servers, and takes them
        return any_change_in(changes.ipvs.services, first, last) ||
               any_change_in(changes.ipvs.destinations, lowest(first), lowest(last));
    case Part::sets:
        return std::ranges::any_of(changes.sets.sets, of_family) ||
               std::ranges::any_of(changes.sets.destroy, of_family);
    case Part::rules:
        return !changes.rules[family].empty();
    case Part::flows:
        break;
    }
    return false;
}

void Lookout::begin(Kernel& doors, Portion portion) {
    assert(!busy());
    covered_.emplace(Portion{.part = portion.part,
                             .family = portion.family,
                             .first = portion.first,
                             .last = portion.last});
    crossed_ = false;
    begun_ = Clock::now();
    asio::co_spawn(io_, read(doors, std::move(portion)), asio::detached);
}

asio::awaitable<void> Lookout::read(Kernel& doors, Portion portion) {
    Seen seen;
    try {
        seen.sight = co_await in_lane(lane_, [&doors, &portion] { return look(doors, portion); });
    } catch (const std::exception& error) {
        seen.problem = error.what();
    }
    seen_ = std::move(seen);
    bell_.ring();
}

void Lookout::cross(const plan::NodeChanges& changes) {
    if (busy() && !crossed_) crossed_ = touches(changes, *covered_);
}

void Lookout::cross(Part part) {
    if (busy() && covered_->part == part) crossed_ = true;
}

std::optional<Lookout::Seen> Lookout::take() {
    if (!seen_) return {};
    auto seen = std::exchange(seen_, {});
    seen->portion = *std::exchange(covered_, {});
    seen->crossed = crossed_;
    seen->took = Clock::now() - begun_;
    return seen;
}

} // namespace ipvsproxy::sync
