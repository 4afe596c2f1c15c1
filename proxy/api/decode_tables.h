// The tables of fields themselves: for what is compiled from them, and only there.
#pragma once

#include <array>

#include "proxy/api/decode_fields.h"
#include "proxy/api/decode_time.h"

namespace ipvsproxy::api::tables {

using Text = std::string_view;
using Time = std::chrono::system_clock::time_point;
using model::Symbol;

inline constexpr Verdict taken{};
constexpr Verdict warned(const char* reason) {
    return {Verdict::warned, reason};
}
constexpr Verdict refused(const char* reason) {
    return {Verdict::refused, reason};
}

inline std::string_view trimmed(Text text) {
    constexpr std::string_view blanks = " \t\n\v\f\r";
    const auto first = text.find_first_not_of(blanks);
    if (first == Text::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// What is blank is dropped in silence, as Kubernetes does; what cannot be read, with a word.
template <class Value> Verdict append(std::vector<Value>& list, Text text, const char* reason) {
    if (text.empty()) return taken;
    const auto value = Value::parse(text);
    if (!value) return warned(reason);
    list.push_back(*value);
    return taken;
}

inline constexpr auto no_address = "not an IP address, passed over";
inline constexpr auto unspecified = "nothing can be served at an unspecified address, passed over";

/// An address of a Service.
inline Verdict append_address(std::vector<Address>& list, Text text) {
    const auto address = Address::parse(text);
    if (address && address->is_unspecified()) return warned(unspecified);
    return append(list, text, no_address);
}
inline constexpr auto no_prefix = "not a network in CIDR form, passed over";

/// @param zero what the API means by 0: nothing given.
inline Verdict take_port(std::optional<Port>& port, std::int64_t value, bool zero) {
    if (value == 0 && zero) {
        port.reset();
        return taken;
    }
    if (value < 1 || value > 65535) return refused("port outside 1..65535");
    port = Port{static_cast<std::uint16_t>(value)};
    return taken;
}

template <class DraftPort> Verdict take_protocol(Text text, DraftPort& draft, Protocol& protocol) {
    const auto known = parse_protocol(text);
    draft.skipped = !known;
    if (!known) return warned("unknown protocol, port passed over");
    protocol = *known;
    return taken;
}

inline Verdict take_address(Draft::Endpoint& draft, Text text) {
    if (draft.any_address) return taken; // the first alone counts
    draft.any_address = true;
    const auto address = Address::parse(text);
    if (!address) return warned("not an IP address, endpoint passed over");
    draft.good_address = true;
    draft.endpoint.address = *address;
    return taken;
}

/// The table of an array of fields.
template <const auto& All> constexpr Fields table{All};

constexpr Field text(Text key, Kinds kinds, Verdict (*take)(Draft&, Text)) {
    return {.key = key, .shape = Shape::text, .kinds = kinds, .text = take};
}
constexpr Field integer(Text key, Kinds kinds, Verdict (*take)(Draft&, std::int64_t)) {
    return {.key = key, .shape = Shape::integer, .kinds = kinds, .integer = take};
}
constexpr Field boolean(Text key, Kinds kinds, void (*take)(Draft&, bool)) {
    return {.key = key, .shape = Shape::boolean, .kinds = kinds, .boolean = take};
}
constexpr Field object(Text key, Kinds kinds, const Fields& inside) {
    return {.key = key, .shape = Shape::object, .kinds = kinds, .inside = &inside};
}
constexpr Field texts(Text key, Kinds kinds, void (*begin)(Draft&), Verdict (*take)(Draft&, Text)) {
    return {.key = key, .shape = Shape::texts, .kinds = kinds, .text = take, .begin = begin};
}
constexpr Field objects(Text key, Kinds kinds, void (*begin)(Draft&), void (*next)(Draft&),
                        const Fields& inside) {
    return {.key = key,
            .shape = Shape::objects,
            .kinds = kinds,
            .begin = begin,
            .next = next,
            .inside = &inside};
}

/// A string that is only kept.
template <auto Member> constexpr Field kept(Text key, Kinds kinds) {
    return text(key, kinds, [](Draft& draft, Text value) {
        draft.*Member = value;
        return taken;
    });
}
/// A string that is only kept, in a member of a member.
template <auto Whole, auto Member> constexpr Field kept_in(Text key, Kinds kinds) {
    return text(key, kinds, [](Draft& draft, Text value) {
        (draft.*Whole).*Member = value;
        return taken;
    });
}
/// A list of strings that is only kept.
template <auto Member> constexpr Field kept_list(Text key, Kinds kinds) {
    return texts(
        key, kinds, [](Draft& draft) { (draft.*Member).clear(); },
        [](Draft& draft, Text value) {
            (draft.*Member).emplace_back(value);
            return taken;
        });
}
/// A list of objects, each an element of a vector.
template <auto Member> constexpr Field elements(Text key, Kinds kinds, const Fields& inside) {
    return objects(
        key, kinds, [](Draft& draft) { (draft.*Member).clear(); },
        [](Draft& draft) { (draft.*Member).emplace_back(); }, inside);
}

// metadata

inline void take_creation(Draft& draft, Time time) {
    draft.service.created = std::chrono::floor<std::chrono::seconds>(time);
}

inline constexpr std::array label_fields{
    kept<&Draft::slice_service>("kubernetes.io/service-name", of_slice),
    text("service.kubernetes.io/headless", of_slice,
         [](Draft& draft, Text) {
             draft.headless_label = true;
             return taken;
         }),
    text("service.kubernetes.io/service-proxy-name", of_service,
         [](Draft& draft, Text) {
             draft.service.other_proxy = true;
             return taken;
         }),
    text("topology.kubernetes.io/zone", of_node,
         [](Draft& draft, Text value) {
             draft.node.zone = Symbol{value};
             return taken;
         }),
};

inline constexpr std::array annotation_fields{
    text("endpoints.kubernetes.io/last-change-trigger-time", of_slice,
         [](Draft& draft, Text value) {
             draft.triggered = parse_time(value);
             return draft.triggered ? taken : warned("not an RFC 3339 time, passed over");
         }),
    text("k8s.io/initial-events-end", of_all,
         [](Draft& draft, Text value) {
             draft.initial_events_end = value == "true";
             return taken;
         }),
};

inline constexpr std::array metadata_fields{
    kept<&Draft::name>("name", of_all),
    kept<&Draft::space>("namespace", of_all),
    kept<&Draft::resource_version>("resourceVersion", of_all),
    kept<&Draft::continue_token>("continue", of_all),
    object("labels", of_all, table<label_fields>),
    object("annotations", of_all, table<annotation_fields>),
    Field{.key = "creationTimestamp",
          .shape = Shape::text,
          .kinds = of_service,
          .text =
              [](Draft& draft, Text value) {
                  const auto time = parse_time(value);
                  if (!time) return warned("not an RFC 3339 time, passed over");
                  take_creation(draft, *time);
                  return taken;
              },
          .time = take_creation},
    Field{.key = "deletionTimestamp",
          .shape = Shape::text,
          .kinds = of_node,
          .text =
              [](Draft& draft, Text) {
                  draft.node.being_deleted = true;
                  return taken;
              },
          .time = [](Draft& draft, Time) { draft.node.being_deleted = true; }},
};

// Service

inline constexpr std::array service_port_fields{
    text("name", of_service,
         [](Draft& draft, Text value) {
             draft.service_ports.back().port.name = Symbol{value};
             return taken;
         }),
    text("protocol", of_service,
         [](Draft& draft, Text value) {
             auto& last = draft.service_ports.back();
             return take_protocol(value, last, last.port.protocol);
         }),
    integer("port", of_service,
            [](Draft& draft, std::int64_t value) {
                std::optional<Port> port;
                const auto verdict = take_port(port, value, false);
                draft.service_ports.back().port.port = port.value_or(Port{});
                return verdict;
            }),
    integer("nodePort", of_service,
            [](Draft& draft, std::int64_t value) {
                return take_port(draft.service_ports.back().port.node_port, value, true);
            }),
};

inline constexpr std::array client_ip_fields{
    integer("timeoutSeconds", of_service,
            [](Draft& draft, std::int64_t value) {
                // core/v1 ClientIPConfig: up to one day
                if (value < 1 || value > 86400) return refused("timeout outside 1..86400 seconds");
                draft.affinity_seconds = value;
                return taken;
            }),
};
inline constexpr std::array affinity_fields{
    object("clientIP", of_service, table<client_ip_fields>)};

inline constexpr std::array taint_fields{
    text("key", of_node,
         [](Draft& draft, Text value) {
             if (value == "ToBeDeletedByClusterAutoscaler") draft.node.to_be_deleted_taint = true;
             return taken;
         }),
};

inline constexpr std::array spec_fields{
    kept<&Draft::type>("type", of_service),
    kept<&Draft::cluster_ip>("clusterIP", of_service),
    kept_list<&Draft::cluster_ips>("clusterIPs", of_service),
    kept_list<&Draft::ip_families>("ipFamilies", of_service),
    elements<&Draft::service_ports>("ports", of_service, table<service_port_fields>),
    kept<&Draft::session_affinity>("sessionAffinity", of_service),
    object("sessionAffinityConfig", of_service, table<affinity_fields>),
    kept<&Draft::external_policy>("externalTrafficPolicy", of_service),
    kept<&Draft::internal_policy>("internalTrafficPolicy", of_service),
    integer("healthCheckNodePort", of_service,
            [](Draft& draft, std::int64_t value) {
                return take_port(draft.service.health_check_node_port, value, true);
            }),
    texts(
        "externalIPs", of_service, [](Draft& draft) { draft.service.external_ips.clear(); },
        [](Draft& draft, Text value) {
            // What is blank, Kubernetes drops without a word; it trims no other.
            return trimmed(value).empty() ? taken
                                          : append_address(draft.service.external_ips, value);
        }),
    texts(
        "loadBalancerSourceRanges", of_service,
        [](Draft& draft) { draft.service.source_ranges.clear(); },
        [](Draft& draft, Text value) {
            return append(draft.service.source_ranges, trimmed(value), no_prefix);
        }),
    texts(
        "podCIDRs", of_node, [](Draft& draft) { draft.node.pod_cidrs.clear(); },
        [](Draft& draft, Text value) {
            return append(draft.node.pod_cidrs, trimmed(value), no_prefix);
        }),
    text("podCIDR", of_node,
         [](Draft& draft, Text value) {
             draft.pod_cidr.clear();
             return append(draft.pod_cidr, trimmed(value), no_prefix);
         }),
    objects(
        "taints", of_node, [](Draft& draft) { draft.node.to_be_deleted_taint = false; },
        [](Draft&) {}, table<taint_fields>),
};

// status of Service and Node

inline constexpr std::array ingress_fields{
    text("ip", of_service,
         [](Draft& draft, Text value) {
             if (value.empty()) return taken;
             auto& ip = draft.ingress.back().ip = Address::parse(value);
             if (ip && !ip->is_unspecified()) return taken;
             const auto why = ip ? unspecified : no_address;
             ip.reset();
             return warned(why);
         }),
    text("ipMode", of_service,
         [](Draft& draft, Text value) {
             draft.ingress.back().vip = value == "VIP"; // KEP-1860
             return value == "VIP" || value == "Proxy" ? taken
                                                       : warned("unknown ipMode, passed over");
         }),
};
inline constexpr std::array load_balancer_fields{
    elements<&Draft::ingress>("ingress", of_service, table<ingress_fields>)};

inline constexpr std::array node_address_fields{
    text("type", of_node,
         [](Draft& draft, Text value) {
             draft.node_addresses.back().type = value;
             return taken;
         }),
    text("address", of_node,
         [](Draft& draft, Text value) {
             draft.node_addresses.back().address = value;
             return taken;
         }),
};

inline constexpr std::array status_fields{
    object("loadBalancer", of_service, table<load_balancer_fields>),
    elements<&Draft::node_addresses>("addresses", of_node, table<node_address_fields>),
};

// EndpointSlice

inline constexpr std::array slice_port_fields{
    text("name", of_slice,
         [](Draft& draft, Text value) {
             draft.slice_ports.back().name = Symbol{value};
             return taken;
         }),
    text("protocol", of_slice,
         [](Draft& draft, Text value) {
             auto& last = draft.slice_ports.back();
             return take_protocol(value, last, last.protocol);
         }),
    integer("port", of_slice,
            [](Draft& draft, std::int64_t value) {
                return take_port(draft.slice_ports.back().port, value, true);
            }),
};

inline constexpr std::array condition_fields{
    boolean("ready", of_slice,
            [](Draft& draft, bool value) { draft.endpoints.back().endpoint.ready = value; }),
    boolean("serving", of_slice,
            [](Draft& draft, bool value) { draft.endpoints.back().endpoint.serving = value; }),
    boolean("terminating", of_slice,
            [](Draft& draft, bool value) { draft.endpoints.back().endpoint.terminating = value; }),
};

/// Few endpoints have any: not to be in line with what all of them have.
[[gnu::noinline]] inline Draft::Hints& hints_of_last_endpoint(Draft& draft) {
    const auto last = draft.endpoints.size() - 1;
    if (draft.hints.empty() || draft.hints.back().endpoint != last) draft.hints.push_back({last});
    return draft.hints.back();
}
template <auto List>
inline constexpr std::array hint_name{text("name", of_slice, [](Draft& draft, Text value) {
    (hints_of_last_endpoint(draft).*List).emplace_back(value);
    return taken;
})};
template <auto List> constexpr Field hint_list(Text key) {
    return objects(
        key, of_slice, [](Draft& draft) { (hints_of_last_endpoint(draft).*List).clear(); },
        [](Draft&) {}, table<hint_name<List>>);
}
inline constexpr std::array hint_fields{hint_list<&Draft::Hints::zones>("forZones"),
                                        hint_list<&Draft::Hints::nodes>("forNodes")};

inline constexpr std::array endpoint_fields{
    texts(
        "addresses", of_slice,
        [](Draft& draft) {
            draft.endpoints.back().any_address = draft.endpoints.back().good_address = false;
        },
        [](Draft& draft, Text value) { return take_address(draft.endpoints.back(), value); }),
    object("conditions", of_slice, table<condition_fields>),
    text("nodeName", of_slice,
         [](Draft& draft, Text value) {
             draft.endpoints.back().endpoint.node = Symbol{value};
             return taken;
         }),
    object("hints", of_slice, table<hint_fields>),
};

// The whole object

inline constexpr std::array whole_fields{
    // A list or a watch event alone has the first three; in any other object they are skipped.
    Field{.key = "items", .shape = Shape::items, .kinds = of_all},
    Field{.key = "object", .shape = Shape::event_object, .kinds = of_all},
    kept<&Draft::event_type>("type", no_kind),
    kept<&Draft::kind>("kind", of_all),
    kept<&Draft::api_version>("apiVersion", of_all),
    object("metadata", of_all, table<metadata_fields>),
    object("spec", static_cast<Kinds>(of_service | of_node), table<spec_fields>),
    object("status", static_cast<Kinds>(of_service | of_node), table<status_fields>),
    kept<&Draft::address_type>("addressType", of_slice),
    elements<&Draft::slice_ports>("ports", of_slice, table<slice_port_fields>),
    objects(
        "endpoints", of_slice,
        [](Draft& draft) {
            draft.endpoints.clear();
            draft.hints.clear();
        },
        [](Draft& draft) { draft.endpoints.emplace_back(); }, table<endpoint_fields>),
    integer("code", of_status,
            [](Draft& draft, std::int64_t value) {
                draft.status.code = value;
                return taken;
            }),
    kept_in<&Draft::status, &Status::reason>("reason", of_status),
    kept_in<&Draft::status, &Status::message>("message", of_status),
};
inline constexpr std::size_t only_outermost = 3;

} // namespace ipvsproxy::api::tables
