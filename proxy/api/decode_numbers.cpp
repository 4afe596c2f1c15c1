#include "proxy/api/decode_numbers.h"

#include <stdexcept>
#include <string>

namespace ipvsproxy::api {
namespace {

/// Sources: generated.proto of k8s.io/apimachinery/pkg/apis/meta/v1, k8s.io/api/core/v1 and
/// k8s.io/api/discovery/v1.
struct Messages {
    using enum Message::Form;
    using All = std::initializer_list<Message::Number>;

    static const Fields& within(const Fields& fields, std::string_view key) {
        return *fields.find(key)->inside;
    }
    static Message make(const Fields& fields, All numbers) {
        return Message{fields, std::span{numbers.begin(), numbers.size()}};
    }

    const Fields& metadata_fields = within(object_fields, "metadata");
    const Fields& spec_fields = within(object_fields, "spec");
    const Fields& status_fields = within(object_fields, "status");
    const Fields& endpoint_fields = within(object_fields, "endpoints");
    const Fields& hint_fields = within(endpoint_fields, "hints");

    Message metadata = make(metadata_fields, {{1, "name"},
                                              {3, "namespace"},
                                              {6, "resourceVersion"},
                                              {8, "creationTimestamp"},
                                              {9, "deletionTimestamp"},
                                              {11, "labels", nullptr, map},
                                              {12, "annotations", nullptr, map}});

    Message service_port = make(within(spec_fields, "ports"),
                                {{1, "name"}, {2, "protocol"}, {3, "port"}, {5, "nodePort"}});
    Message client_ip = make(within(within(spec_fields, "sessionAffinityConfig"), "clientIP"),
                             {{1, "timeoutSeconds"}});
    Message affinity =
        make(within(spec_fields, "sessionAffinityConfig"), {{1, "clientIP", &client_ip}});
    Message service_spec = make(spec_fields, {{1, "ports", &service_port},
                                              {3, "clusterIP"},
                                              {4, "type"},
                                              {5, "externalIPs"},
                                              {7, "sessionAffinity"},
                                              {9, "loadBalancerSourceRanges"},
                                              {11, "externalTrafficPolicy"},
                                              {12, "healthCheckNodePort"},
                                              {14, "sessionAffinityConfig", &affinity},
                                              {18, "clusterIPs"},
                                              {19, "ipFamilies"},
                                              {22, "internalTrafficPolicy"}});
    Message ingress =
        make(within(within(status_fields, "loadBalancer"), "ingress"), {{1, "ip"}, {3, "ipMode"}});
    Message load_balancer = make(within(status_fields, "loadBalancer"), {{1, "ingress", &ingress}});
    Message service_status = make(status_fields, {{1, "loadBalancer", &load_balancer}});
    Message service = make(
        object_fields,
        {{1, "metadata", &metadata}, {2, "spec", &service_spec}, {3, "status", &service_status}});

    Message conditions = make(within(endpoint_fields, "conditions"),
                              {{1, "ready"}, {2, "serving"}, {3, "terminating"}});
    Message zone_hint = make(within(hint_fields, "forZones"), {{1, "name"}});
    Message node_hint = make(within(hint_fields, "forNodes"), {{1, "name"}});
    Message hints = make(hint_fields, {{1, "forZones", &zone_hint}, {2, "forNodes", &node_hint}});
    Message endpoint = make(
        endpoint_fields,
        {{1, "addresses"}, {2, "conditions", &conditions}, {6, "nodeName"}, {8, "hints", &hints}});
    Message slice_port = make(within(object_fields, "ports"),
                              {{1, "name", nullptr, maybe_empty}, {2, "protocol"}, {3, "port"}});
    Message slice = make(object_fields, {{1, "metadata", &metadata},
                                         {2, "endpoints", &endpoint},
                                         {3, "ports", &slice_port},
                                         {4, "addressType"}});

    Message taint = make(within(spec_fields, "taints"), {{1, "key"}});
    Message node_spec = make(spec_fields, {{1, "podCIDR"}, {5, "taints", &taint}, {7, "podCIDRs"}});
    Message node_address = make(within(status_fields, "addresses"), {{1, "type"}, {2, "address"}});
    Message node_status = make(status_fields, {{5, "addresses", &node_address}});
    Message node =
        make(object_fields,
             {{1, "metadata", &metadata}, {2, "spec", &node_spec}, {3, "status", &node_status}});

    Message status = make(object_fields, {{3, "message"}, {4, "reason"}, {6, "code"}});
    Message other = make(object_fields, {{1, "metadata", &metadata}});
};

} // namespace

Message::Message(const Fields& fields, std::span<const Number> numbers) {
    for (const auto& [number, key, message, form] : numbers) {
        const auto* field = fields.find(key);
        if (field == nullptr) throw std::logic_error{"no field " + std::string{key}};
        slots_.at(number) = {field, message, form};
    }
}

const Message& message_of(std::string_view kind) {
    static const Messages messages;
    if (kind == "EndpointSlice") return messages.slice;
    if (kind == "Service") return messages.service;
    if (kind == "Node") return messages.node;
    return kind == "Status" ? messages.status : messages.other;
}

} // namespace ipvsproxy::api
