#include "tests/proxy/sync/chance.h"

#include <algorithm>

#include "tests/proxy/plan/scenario.h"
#include "tests/proxy/sync/paper_node.h"

namespace ipvsproxy::sync {

model::Service Chance::service() {
    const auto letter = name();
    const auto last = std::to_string(letter[0] - 'a' + 10);
    auto object = sync::service(letter, "10.96.0." + last + (one_in(2) ? " fd00::" + last : ""));
    object.created = std::chrono::sys_seconds{std::chrono::seconds{number(3)}};
    if (one_in(2)) object.ports.push_back(port(53, Protocol::udp));
    if (one_in(3)) object.ports.push_back(port(443));
    object.type = of(std::vector{model::ServiceType::cluster_ip, model::ServiceType::node_port,
                                 model::ServiceType::load_balancer});
    if (object.type != model::ServiceType::cluster_ip)
        for (auto& one : object.ports) // two services may claim one
            one.node_port = Port{static_cast<std::uint16_t>(30000 + number(6))};
    if (object.type == model::ServiceType::load_balancer) {
        object.ingress_vips = {plan::ip("198.51.100." + std::to_string(number(4) + 1))};
        if (one_in(2)) object.source_ranges = {*Prefix::parse("203.0.113.0/24")};
    }
    if (one_in(3)) object.external_ips = {plan::ip("198.51.100." + std::to_string(number(4) + 1))};
    if (one_in(4)) object.client_ip_affinity = std::chrono::seconds{100 * (1 + number(2))};
    object.external_local = one_in(4);
    object.internal_local = one_in(6);
    object.headless = one_in(12);
    return object;
}

model::EndpointSlice Chance::slice() {
    auto object =
        sync::service(name(), "10.96.0.1", {port(80), port(53, Protocol::udp), port(443)});
    const bool v6 = one_in(3);
    auto slice = backends(object, "");
    if (v6) {
        slice.name.name = slice.name.name.text() + "-six";
        slice.family = Family::v6;
    }
    for (std::size_t i = 1; i <= 6; ++i) {
        if (one_in(2)) continue;
        const auto number = std::to_string(i);
        model::Endpoint endpoint{.address = plan::ip((v6 ? "fd00:244::" : "10.244.0.") + number),
                                 .node = model::Symbol{i % 2 == 0 ? "n1" : "n2"}};
        endpoint.terminating = one_in(5);
        endpoint.ready = !endpoint.terminating;
        slice.endpoints.push_back(endpoint);
    }
    return slice;
}

void Chance::change(model::Store& store) {
    switch (number(8)) {
    case 0:
        store.remove_service({"default", name()});
        break;
    case 1:
        store.remove_slice({"default", name() + "-1"});
        break;
    case 2:
    case 3:
    case 4:
        store.put(service());
        break;
    default:
        store.put(slice());
    }
}

} // namespace ipvsproxy::sync
