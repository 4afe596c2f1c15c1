// Whether the proxy keeps up with what it is asked for, and the pages that say so.
#pragma once

#include <chrono>
#include <optional>

#include "netlink/ip.h"
#include "proxy/http/message.h"
#include "proxy/model/objects.h"

namespace ipvsproxy::serve {

/// One moment on both clocks: waits are measured on the first, which no clock jump touches; pages
/// show the second.
struct Instant {
    std::chrono::steady_clock::time_point steady{};
    std::chrono::system_clock::time_point wall{};
    static Instant now() {
        return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
    }
};

/// kube-proxy's health: a family is unhealthy while a change has waited for longer than twice the
/// sync period. No clock, no I/O.
class HealthState {
public:
    explicit HealthState(std::chrono::nanoseconds sync_period) : limit_{2 * sync_period} {}

    /// A change has come that the family has to take up.
    void queued(Family family, Instant now);
    /// The family's loop begins, or all that was queued is written.
    void updated(Family family, Instant now);
    /// Null: there is no such Node. One that was seen keeps counting when its object goes.
    void set_node(const model::Node* node);

    /// There is nobody who could describe the Node; it counts as eligible until somebody does.
    void do_without_node() {
        if (!eligible_) eligible_ = true;
    }

    /// /healthz is 503 until ready(), as /livez is not: a node whose state is not known yet, or not
    /// written, is not to be sent traffic.
    void starting() { ready_ = false; }
    void ready() { ready_ = true; }

    bool healthy(Instant now) const;
    bool node_eligible() const noexcept { return eligible_.value_or(false); }

    /// The answers of /healthz and /livez, to any method.
    http::Response healthz(Instant now) const;
    http::Response livez(Instant now) const;

private:
    struct FamilyState {
        std::optional<std::chrono::system_clock::time_point> updated{};
        std::optional<std::chrono::steady_clock::time_point> pending{}; ///< since when
    };
    bool healthy(const FamilyState& state, Instant now) const;
    http::Response page(Instant now, bool for_traffic) const;

    std::chrono::nanoseconds limit_;
    PerFamily<FamilyState> families_;
    std::optional<bool> eligible_; ///< nothing before the Node was seen
    bool ready_{true};
};

/// RFC 3339 in UTC as Go writes it: up to nine digits of a second, without trailing zeros.
std::string timestamp(std::chrono::system_clock::time_point time);

} // namespace ipvsproxy::serve
