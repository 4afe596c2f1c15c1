// What has been read of an object whose kind may not be known yet.
#pragma once

#include "proxy/api/decode.h"

namespace ipvsproxy::api {

/// The kinds a field belongs to: a value of the wrong type there is nothing to other kinds.
enum Kinds : std::uint8_t {
    no_kind = 0,
    of_service = 1,
    of_slice = 2,
    of_node = 4,
    of_status = 8,
    of_all = 15
};

/// Longest string that is looked at, in bytes; and how many elements a list within an object may
/// have.
inline constexpr std::size_t max_text = 65536, max_elements = 20000;

/// A value found wrong while it was read; counts if the object is of these kinds.
struct Finding {
    Kinds kinds;
    bool refuses; ///< the whole object; else a warning
    Problem problem;
};

/// The superset of the fields read of all kinds. Lists end in what their elements become.
// NOLINTNEXTLINE(bugprone-exception-escape): what is moved allocates nothing
struct Draft {
    struct ServicePort {
        model::ServicePort port;
        bool skipped{}; ///< of a protocol we do not know
    };
    struct SlicePort {
        std::optional<model::Symbol> name;
        Protocol protocol{Protocol::tcp};
        std::optional<Port> port;
        bool skipped{};
    };
    struct Endpoint {
        model::Endpoint endpoint;
        bool any_address{}, good_address{}; ///< addresses[0] was there; and was an address
    };
    /// Of an endpoint that has any: most have none.
    struct Hints {
        std::size_t endpoint; ///< its index
        std::vector<model::Symbol> zones{}, nodes{};
    };
    struct Ingress {
        std::optional<Address> ip;
        bool vip{true};
    };
    struct NodeAddress {
        std::string type, address;
    };

    std::string api_version, kind;
    std::string space, name; ///< metadata.namespace, metadata.name
    std::string resource_version, continue_token, event_type;
    std::size_t line{};
    bool initial_events_end{};
    std::vector<Finding> findings{};
    std::size_t findings_left_out{};

    model::Service service{};
    std::string type, cluster_ip, session_affinity, external_policy, internal_policy;
    std::vector<std::string> cluster_ips{}, ip_families{};
    std::vector<ServicePort> service_ports{};
    std::vector<Ingress> ingress{};
    std::optional<std::int64_t> affinity_seconds{};

    std::string slice_service, address_type;
    bool headless_label{};
    std::optional<std::chrono::system_clock::time_point> triggered{};
    std::vector<SlicePort> slice_ports{};
    std::vector<Endpoint> endpoints{};
    std::vector<Hints> hints{};

    model::Node node{};
    std::vector<NodeAddress> node_addresses{};
    std::vector<Prefix> pod_cidr{}; ///< spec.podCIDR, none or one

    Status status{};

    Kinds touched{no_kind}; ///< a field that is of some kinds only was read: of these

    /// Keeps 32 findings at the most: a refusal takes the place of a warning, of warnings that find
    /// no room only the number is kept.
    void note(Kinds kinds, bool refuses, Problem problem);

    /// Empties it for the next object, but keeps its memory. What belongs to kinds that were not
    /// touched is empty already.
    void reset();
};

/// Turns a draft into an object, or into the reason why not. The draft is used up.
/// @param list_kind, list_version of the list the object stands in: its items may leave theirs out.
Decoded finish(Draft&& draft, Origin origin, std::string_view list_kind = {},
               std::string_view list_version = {});

/// metav1.WatchEvent type; nothing when it is none.
std::optional<Event> event_of(std::string_view type);
/// Turns the object of a watch event into what it says; the draft is used up. A bookmark's object
/// has a resourceVersion and no more.
Decoded finish_event(Draft&& draft, Event event, Origin origin);

} // namespace ipvsproxy::api
