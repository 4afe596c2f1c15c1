#include <linux/netlink.h>

#include <stdexcept>
#include <vector>

#include "ipset/codec.h"
#include "ipset/kernel_table.h"
#include "ipset/session.h"
#include "ipvs/codec.h"
#include "netlink/kernel_device.h"
#include "netlink/route_codec.h"
#include "tests/bench/desired.h"
#include "tests/bench/meter.h"
#include "tests/bench/scenarios.h"

namespace ipvsproxy::bench {
namespace {

netlink::Messages ipvs_messages(const plan::NodeSnapshot& wanted, std::uint16_t family) {
    netlink::Messages out;
    for (const auto& [key, spec] : wanted.services)
        ipvs::put_operation(
            out, family,
            ipvs::ServiceOperation{ipvs::Command::new_service, &key, &spec, spec.scheduler.view()});
    for (const auto& [key, spec] : wanted.destinations.specs)
        ipvs::put_operation(
            out, family, ipvs::DestinationOperation{ipvs::Command::new_destination, &key, &spec});
    return out;
}

netlink::Messages set_messages(const plan::NodeSnapshot& wanted) {
    netlink::Messages out;
    for (const auto& [name, set] : wanted.sets) {
        const std::vector<ipset::Entry> entries{set.entries.begin(), set.entries.end()};
        std::span<const ipset::Entry> rest{entries};
        while (!rest.empty())
            rest = rest.subspan(
                ipset::encode_entries(out, ipset::Operation::add, name, set.spec, rest));
    }
    return out;
}

netlink::Messages address_messages(const plan::NodeSnapshot& wanted, int link) {
    netlink::Messages out;
    for (const auto& [key, spec] : wanted.device.addresses)
        if (key.binding == Binding::route) netlink::put_new_route(out, key.address);
        else netlink::put_new_address(out, link, key, spec, netlink::Write::create);
    return out;
}

int link_index(netlink::Socket& route) {
    int index = 0;
    auto request = netlink::link_request(std::string{sync::device_name});
    const auto error = route.request(request, [&](const netlink::Message& message) {
        if (const auto link = netlink::decode_link(message)) index = link->index;
    });
    if (error) throw std::system_error{error, "kube-ipvs0 was not made"};
    return index;
}

class Floor {
public:
    explicit Floor(std::string shape) : shape_{std::move(shape)} {}

    void write(const char* step, netlink::Socket& socket, netlink::Messages messages) {
        const auto before = socket.counters();
        meter_.lap();
        const bool clean = socket.batch(messages).clean();
        auto cost = meter_.lap();
        if (!clean)
            throw std::runtime_error{std::string{"the floor's writes were refused: "} + step};
        cost.requests = socket.counters().messages - before.messages;
        cost.bytes = socket.counters().bytes - before.bytes;
        whole_ += cost;
        report(shape_, "floor", step, cost);
    }
    void finish() { report(shape_, "floor", "whole", whole_); }

private:
    std::string shape_;
    Meter meter_;
    Cost whole_;
};

} // namespace

void run_floor(const Setting& setting) {
    const Desired desired{setting};
    const auto wanted = desired.cluster->state().desired();
    ipset::Session sets;
    netlink::Socket ipvs{NETLINK_GENERIC}, route{NETLINK_ROUTE};
    KernelDevice{std::string{sync::device_name}}.create();
    for (const auto& [name, set] : wanted.sets)
        if (const auto error =
                sets.create(name, set.spec, ipset::hash_size_for(set.entries.size())))
            throw std::system_error{error, name};
    const auto family = ipvs.resolve_family("IPVS");
    if (!family) throw std::runtime_error{"this kernel has no IPVS"};
    Floor floor{setting.shape.text()};
    floor.write("sets", sets.socket(), set_messages(wanted));
    floor.write("ipvs", ipvs, ipvs_messages(wanted, *family));
    floor.write("addresses", route, address_messages(wanted, link_index(route)));
    floor.finish();
    require_written(desired);
}

} // namespace ipvsproxy::bench
