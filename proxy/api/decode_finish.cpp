#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <utility>

#include "proxy/api/decode_draft.h"

namespace ipvsproxy::api {
namespace {

constexpr std::size_t max_warnings = 32;

/// Where what is wrong with an object goes, once its fields are known to belong together.
class Notes {
public:
    Notes(Decoded& out, std::size_t left_out) : out_{out}, left_out_{left_out} {}
    void warn(std::string path, std::string reason, std::size_t line = 0) {
        if (out_.warnings.size() >= max_warnings) ++left_out_;
        else out_.warnings.push_back({std::move(path), std::move(reason), line ? line : out_.line});
    }
    Problem refuse(std::string path, std::string reason) const {
        return {std::move(path), std::move(reason), out_.line};
    }
    /// Names what there was no room for.
    void close() {
        if (left_out_ > 0)
            out_.warnings.push_back({{}, std::to_string(left_out_) + " more warnings", out_.line});
    }

private:
    Decoded& out_;
    std::size_t left_out_;
};

std::string at(std::string_view list, std::size_t index, std::string_view rest = {}) {
    std::string path{list};
    path += '[' + std::to_string(index) + ']';
    return path += rest;
}

std::string unknown(std::string_view value, std::string_view treated) {
    return "unknown value \"" + std::string{value.substr(0, 64)} + "\", treated as " +
           std::string{treated};
}

template <class Value> struct Choice {
    std::string_view text;
    Value value;
};

/// Reads an enumeration the way kube-proxy does: what it does not know is like what it ignores.
template <class Value> Value choose(std::string_view text, const char* path, Notes& notes,
                                    std::initializer_list<Choice<Value>> choices) {
    const auto& fallback = *choices.begin();
    if (text.empty()) return fallback.value;
    for (const auto& choice : choices)
        if (choice.text == text) return choice.value;
    notes.warn(path, unknown(text, fallback.text));
    return fallback.value;
}

/// clusterIPs by the ipFamilies beside them; with no ipFamilies, by the addresses themselves.
PerFamily<std::optional<Address>> cluster_ips(const Draft& draft, Notes& notes) {
    PerFamily<std::optional<Address>> chosen;
    PerFamily<bool> decided;
    const bool named = !draft.ip_families.empty();
    const auto count = named ? std::min(draft.cluster_ips.size(), draft.ip_families.size())
                             : draft.cluster_ips.size();
    for (std::size_t i = 0; i < count; ++i) {
        const auto address = Address::parse(draft.cluster_ips[i]);
        if (!address) {
            notes.warn(at("spec.clusterIPs", i),
                       "not an IP address: \"" + draft.cluster_ips[i] + '"');
            continue;
        }
        if (address->is_unspecified()) { // IPVS would take it; ipset and the device would not
            notes.warn(at("spec.clusterIPs", i), "nothing can be served at " + address->text());
            continue;
        }
        const auto family = address->family();
        if (named && draft.ip_families[i] != name(family)) {
            notes.warn(at("spec.clusterIPs", i),
                       address->text() + " is not of family " + draft.ip_families[i]);
            continue;
        }
        if (!std::exchange(decided[family], true)) chosen[family] = *address;
    }
    return chosen;
}

void finish_addresses(Draft& draft, Origin origin, Notes& notes) {
    auto& service = draft.service;
    // The API server fills in the one from the other; manifests often have one of them.
    if (draft.cluster_ip.empty() && !draft.cluster_ips.empty())
        draft.cluster_ip = draft.cluster_ips.front();
    // It fills in ipFamilies too; an object without them is older than they are, and has one.
    const bool has_one = origin == Origin::server && draft.ip_families.empty();
    if (draft.cluster_ips.empty() || has_one) draft.cluster_ips.assign(1, draft.cluster_ip);
    service.headless = draft.cluster_ip.empty() || draft.cluster_ip == "None";
    if (!service.headless) service.cluster_ip = cluster_ips(draft, notes);
    for (const auto& ingress : draft.ingress)
        if (ingress.ip && ingress.vip) service.ingress_vips.push_back(*ingress.ip);
}

/// A name and a protocol say which endpoints a port leads to: of two ports that have both alike,
/// kube-proxy knows the later one only. The API server lets no such Service in.
void add_port(model::Service& service, const model::ServicePort& port, std::size_t index,
              Notes& notes) {
    const auto like = std::ranges::find_if(service.ports, [&](const model::ServicePort& other) {
        return other.name == port.name && other.protocol == port.protocol;
    });
    if (like == service.ports.end()) return service.ports.push_back(port);
    notes.warn(at("spec.ports", index, ".name"), '"' + port.name.text() + "\" is the name of " +
                                                     std::string{upper_name(port.protocol)} +
                                                     " port " + std::to_string(like->port.value) +
                                                     " too, which this one replaces");
    *like = port;
}

std::optional<Problem> finish_service(Draft& draft, Decoded& out, Origin origin, Notes& notes) {
    auto& service = draft.service;
    service.name = out.name;
    using Type = model::ServiceType;
    service.type = choose<Type>(draft.type, "spec.type", notes,
                                {{"ClusterIP", Type::cluster_ip},
                                 {"NodePort", Type::node_port},
                                 {"LoadBalancer", Type::load_balancer},
                                 {"ExternalName", Type::external_name}});
    finish_addresses(draft, origin, notes);
    for (std::size_t i = 0; i < draft.service_ports.size(); ++i) {
        const auto& [port, skipped] = draft.service_ports[i];
        if (port.port == Port{}) return notes.refuse(at("spec.ports", i, ".port"), "required");
        if (!skipped) add_port(service, port, i, notes);
    }
    if (choose<bool>(draft.session_affinity, "spec.sessionAffinity", notes,
                     {{"None", false}, {"ClientIP", true}}))
        // core/v1 DefaultClientIPServiceAffinitySeconds: three hours
        service.client_ip_affinity = std::chrono::seconds{draft.affinity_seconds.value_or(10800)};
    service.external_local = choose<bool>(draft.external_policy, "spec.externalTrafficPolicy",
                                          notes, {{"Cluster", false}, {"Local", true}});
    service.internal_local = choose<bool>(draft.internal_policy, "spec.internalTrafficPolicy",
                                          notes, {{"Cluster", false}, {"Local", true}});
    out.object->emplace<model::Service>(std::move(service));
    return std::nullopt;
}

void finish_ports(Draft& draft, Origin origin, Notes& notes, model::EndpointSlice& slice) {
    slice.ports.reserve(draft.slice_ports.size());
    for (std::size_t i = 0; i < draft.slice_ports.size(); ++i) {
        auto& port = draft.slice_ports[i];
        if (port.skipped) continue;
        // discovery.k8s.io/v1 defaults: an absent name is the empty one
        if (!port.name && origin == Origin::manifest) port.name.emplace();
        if (!port.name) notes.warn(at("ports", i, ".name"), "absent, port passed over");
        else if (!port.port) notes.warn(at("ports", i, ".port"), "absent, port passed over");
        else slice.ports.push_back(model::EndpointPort{*port.name, port.protocol, *port.port});
    }
}

void finish_endpoints(Draft& draft, Notes& notes, model::EndpointSlice& slice) {
    for (auto& [index, zones, nodes] : draft.hints) {
        draft.endpoints[index].endpoint.zone_hints = std::move(zones);
        draft.endpoints[index].endpoint.node_hints = std::move(nodes);
    }
    slice.endpoints.reserve(draft.endpoints.size());
    for (const auto& one : draft.endpoints) {
        const auto& [endpoint, any_address, good_address] = one;
        const auto addresses = [&](std::string_view rest) {
            return at("endpoints", static_cast<std::size_t>(&one - draft.endpoints.data()), rest);
        };
        if (!any_address) notes.warn(addresses(".addresses"), "empty, endpoint passed over");
        if (!good_address) continue;
        if (endpoint.address.family() != slice.family) {
            notes.warn(addresses(".addresses[0]"), endpoint.address.text() + " is not " +
                                                       std::string{name(slice.family)} +
                                                       ", endpoint passed over");
            continue;
        }
        slice.endpoints.push_back(endpoint);
    }
}

/// What `out` has is another object until there is a slice.
std::optional<Problem> finish_slice(Draft& draft, Decoded& out, Origin origin, Notes& notes) {
    if (draft.headless_label) return std::nullopt;
    if (draft.slice_service.empty()) {
        notes.warn("metadata.labels", "no label kubernetes.io/service-name, slice passed over");
        return std::nullopt;
    }
    if (draft.address_type.empty()) return notes.refuse("addressType", "required");
    if (draft.address_type != "IPv4" && draft.address_type != "IPv6") {
        notes.warn("addressType",
                   draft.address_type.substr(0, 64) + " is not proxied, slice passed over");
        return std::nullopt;
    }
    auto& slice = out.object->emplace<model::EndpointSlice>();
    slice.name = out.name;
    slice.service = {out.name.space, draft.slice_service};
    slice.family = draft.address_type == "IPv4" ? Family::v4 : Family::v6;
    slice.triggered = draft.triggered;
    finish_ports(draft, origin, notes, slice);
    finish_endpoints(draft, notes, slice);
    return std::nullopt;
}

void finish_node(Draft& draft, Decoded& out, Notes& notes) {
    auto& node = draft.node;
    node.name = draft.name;
    for (std::size_t i = 0; i < draft.node_addresses.size(); ++i) {
        const auto& [type, text] = draft.node_addresses[i];
        if (type != "InternalIP" && type != "ExternalIP") continue;
        const auto address = Address::parse(text);
        if (!address)
            notes.warn(at("status.addresses", i, ".address"),
                       "not an IP address, passed over: \"" + text.substr(0, 64) + '"');
        else (type == "InternalIP" ? node.internal_ips : node.external_ips).push_back(*address);
    }
    if (node.pod_cidrs.empty()) node.pod_cidrs = std::move(draft.pod_cidr);
    out.object->emplace<model::Node>(std::move(node));
}

Kinds kind_of(std::string_view kind, std::string_view api_version) {
    if (kind == "EndpointSlice") return api_version == "discovery.k8s.io/v1" ? of_slice : no_kind;
    if (api_version != "v1") return no_kind;
    if (kind == "Service") return of_service;
    if (kind == "Node") return of_node;
    return kind == "Status" ? of_status : no_kind;
}

/// Names stand in logs and in diff's lines, as namespace/name; Kubernetes allows far less than
/// this.
bool is_plain(std::string_view text) {
    static constexpr auto plain = [] {
        std::array<bool, 256> all{};
        for (std::size_t c = 0; c < all.size(); ++c)
            all.at(c) = c > ' ' && c != '/' && c != 0x7f;
        return all;
    }();
    return std::ranges::all_of(text,
                               [](char c) { return plain.at(static_cast<unsigned char>(c)); });
}

/// Of a list that stands where an object should: in another list.
bool is_list(std::string_view kind, std::string_view api_version) {
    if (kind == "EndpointSliceList") return api_version == "discovery.k8s.io/v1";
    return api_version == "v1" && (kind == "List" || kind == "ServiceList" || kind == "NodeList");
}

/// What every object must say of itself. Nothing when it does.
std::optional<Problem> unnamed(const Draft& draft, const Decoded& out, std::string_view version,
                               Kinds kind, const Notes& notes) {
    const auto wrong = [&](const Finding& finding) {
        return finding.refuses && (finding.kinds & (kind == no_kind ? of_all : kind)) != 0 &&
               (kind != no_kind || finding.kinds == of_all);
    };
    if (const auto first = std::ranges::find_if(draft.findings, wrong);
        first != draft.findings.end())
        return first->problem;
    if (out.kind.empty()) return notes.refuse("kind", "required");
    if (version.empty()) return notes.refuse("apiVersion", "required");
    if (is_list(out.kind, version))
        return notes.refuse({}, "a list within a list is not read; its items belong into the "
                                "outer one");
    const bool named = (kind & (of_service | of_slice | of_node)) != 0;
    if (named && draft.name.empty()) return notes.refuse("metadata.name", "required");
    constexpr auto reason = "has a blank, a slash or a control character";
    if (named && !is_plain(draft.name)) return notes.refuse("metadata.name", reason);
    if (named && !is_plain(draft.space)) return notes.refuse("metadata.namespace", reason);
    return std::nullopt;
}

/// Makes the object in its place. @return why there is none
std::optional<Problem> finish_kind(Draft& draft, Decoded& out, Origin origin, Kinds kind,
                                   Notes& notes) {
    switch (kind) {
    case of_service:
        return finish_service(draft, out, origin, notes);
    case of_slice:
        return finish_slice(draft, out, origin, notes);
    case of_node:
        finish_node(draft, out, notes);
        break;
    case of_status:
        out.object->emplace<Status>(std::move(draft.status));
        break;
    case no_kind:
    case of_all:
        break;
    }
    return std::nullopt;
}

} // namespace

std::string Decoded::label() const {
    std::string shown = kind.empty() ? "object" : kind;
    if (name.name.empty()) return shown;
    return shown + ' ' + (name.space.empty() ? name.name.text() : name.text());
}

void Draft::note(Kinds kinds, bool refuses, Problem problem) {
    constexpr std::size_t most = 32;
    if (findings.size() >= most && !refuses) {
        ++findings_left_out;
        return;
    }
    if (findings.size() >= most) findings.pop_back();
    findings.push_back({kinds, refuses, std::move(problem)});
}

void Draft::reset() {
    for (auto* text :
         {&api_version, &kind, &space, &name, &resource_version, &continue_token, &event_type})
        text->clear();
    line = findings_left_out = 0;
    initial_events_end = false;
    findings.clear();
    if ((touched & of_service) != 0) {
        std::destroy_at(&service);
        std::construct_at(&service);
        for (auto* text :
             {&type, &cluster_ip, &session_affinity, &external_policy, &internal_policy})
            text->clear();
        cluster_ips.clear();
        ip_families.clear();
        service_ports.clear();
        ingress.clear();
        affinity_seconds.reset();
    }
    if ((touched & of_slice) != 0) {
        slice_service.clear();
        address_type.clear();
        headless_label = false;
        triggered.reset();
        slice_ports.clear();
        endpoints.clear();
        hints.clear();
    }
    if ((touched & of_node) != 0) {
        node = {};
        node_addresses.clear();
        pod_cidr.clear();
    }
    if ((touched & of_status) != 0) status = {};
    touched = no_kind;
}

Decoded finish(Draft&& draft, Origin origin, std::string_view list_kind,
               std::string_view list_version) {
    constexpr std::string_view list_suffix = "List";
    std::string_view says = draft.kind, version = draft.api_version;
    if (says.empty() && list_kind.ends_with(list_suffix)) {
        says = list_kind.substr(0, list_kind.size() - list_suffix.size());
        if (version.empty()) version = list_version;
    }
    const Kinds kind = kind_of(says, version);
    std::string_view space = draft.space;
    if (space.empty() && (says == "Service" || says == "EndpointSlice"))
        space = "default"; // the namespace of manifests that name none
    Decoded out{.kind = std::string{says},
                .name = {space, draft.name},
                .resource_version = std::move(draft.resource_version),
                .initial_events_end = draft.initial_events_end,
                .line = draft.line};
    Notes notes{out, draft.findings_left_out};
    if (auto problem = unnamed(draft, out, version, kind, notes)) {
        out.object = std::move(*problem);
        return out;
    }
    for (auto& [kinds, refuses, problem] : draft.findings)
        if (!refuses && (kinds & kind) != 0)
            notes.warn(std::move(problem.path), std::move(problem.reason), problem.line);
    if (auto problem = finish_kind(draft, out, origin, kind, notes)) {
        out.object = std::move(*problem);
        return out;
    }
    if (auto* other = std::get_if<OtherObject>(&*out.object)) other->api_version = version;
    notes.close();
    return out;
}

std::optional<Event> event_of(std::string_view type) {
    using Known = std::pair<std::string_view, Event>;
    constexpr std::array known{Known{"ADDED", Event::added}, Known{"MODIFIED", Event::modified},
                               Known{"DELETED", Event::deleted}, Known{"BOOKMARK", Event::bookmark},
                               Known{"ERROR", Event::error}};
    for (const auto& [text, event] : known)
        if (text == type) return event;
    return std::nullopt;
}

Decoded finish_event(Draft&& draft, Event event, Origin origin) {
    auto decoded = finish(std::move(draft), origin);
    decoded.event = event;
    if (event == Event::bookmark) decoded.object = Object{OtherObject{}};
    return decoded;
}

} // namespace ipvsproxy::api
