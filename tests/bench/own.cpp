// The program's own work of a cold start, an adoption and an audit, over tables that only encode:
// what callgrind counts of it is exact, whatever else the machine does. See README.md.
#include <cstdio>
#include <exception>

#include "ipvs/codec.h"
#include "netlink/link_codec.h"
#include "netlink/memory_conntrack.h"
#include "proxy/api/decode.h"
#include "proxy/iptables/memory_tables.h"
#include "proxy/sync/cluster.h"
#include "tests/bench/workload.h"

using namespace ipvsproxy;

namespace {

/// Takes everything, keeps nothing.
class Encoder final : public ipvs::Table {
public:
    ipvs::Services services() override { return {}; }
    ipvs::ObservedDestinations destinations(std::span<const ipvs::ServiceKey> /*all*/) override {
        return {};
    }
    ipvs::Outcome apply(const ipvs::TableChanges& changes) override {
        netlink::Messages batch;
        return ipvs::apply_in_order(changes, 1, [&batch](const ipvs::Operations& operations) {
            batch.clear();
            ipvs::OperationEncoder encoder{batch, 20};
            for (const auto& operation : operations) {
                encoder.put(operation);
                if (batch.bytes().size() < 128U << 10) continue;
                batch.clear();
            }
            return ipvs::Execution{};
        });
    }
    ipvs::Timeouts timeouts() override { return {}; }
    void set_timeouts(const ipvs::Timeouts& /*timeouts*/) override {}
};

class EmptySets final : public ipset::Table {
public:
    ipset::SetHeaders headers() override { return {}; }
    std::optional<ipset::Entries> entries(const std::string& /*name*/) override { return {}; }
    ipset::Outcome apply(const ipset::TableChanges& /*changes*/) override { return {}; }
};

class EmptyDevice final : public Device {
public:
    const std::string& name() const override { return name_; }
    bool present() override { return false; }
    DeviceState snapshot() override { return {}; }
    void create() override {}
    void destroy() override {}
    DeviceOutcome apply(const DeviceAddressChanges& changes) override {
        netlink::Messages messages;
        netlink::NewAddressEncoder encoder;
        for (const auto& [key, spec] : changes.add)
            encoder.put(messages, 7, key, spec, netlink::Write::create);
        return {};
    }

private:
    std::string name_{"kube-ipvs0"};
};

struct Node {
    Encoder ipvs;
    EmptySets sets;
    EmptyDevice device;
    MemoryFlows flows;
    PerFamily<iptables::MemoryTables> rules{iptables::MemoryTables{Family::v4},
                                            iptables::MemoryTables{Family::v6}};
    sync::Kernel kernel{device, ipvs, sets, {&rules.v4, &rules.v6}, flows};
};

// Functions of their own: callgrind's inclusive costs are those of the steps.

[[gnu::noinline]] void step_derive(sync::Cluster& cluster) {
    cluster.derive();
}
[[gnu::noinline]] void step_observe(sync::Cluster& cluster, const plan::NodeSnapshot& seen) {
    cluster.state().observe(seen);
}
[[gnu::noinline]] void step_take_round(sync::Cluster& cluster, sync::Round& round) {
    round = cluster.take_round(std::chrono::steady_clock::now());
}
[[gnu::noinline]] void step_write(Node& node, sync::Round& round, sync::Outcome& outcome) {
    outcome = sync::apply(node.kernel, round);
}
[[gnu::noinline]] void step_settle(sync::Cluster& cluster, const sync::Round& round,
                                   const sync::Outcome& outcome) {
    cluster.settle(round, outcome);
}
[[gnu::noinline]] void step_adoption_derive(sync::Cluster& cluster) {
    cluster.derive();
}
[[gnu::noinline]] void step_adoption_observe(sync::Cluster& cluster,
                                             const plan::NodeSnapshot& seen) {
    cluster.state().observe(seen);
}
[[gnu::noinline]] void step_adoption_take_round(sync::Cluster& cluster, sync::Round& round) {
    round = cluster.take_round(std::chrono::steady_clock::now());
}
[[gnu::noinline]] void step_audit(sync::Cluster& cluster, const plan::NodeSnapshot& seen) {
    cluster.state().observe(seen);
}
[[gnu::noinline]] void step_change_derive(sync::Cluster& cluster) {
    cluster.derive();
}
[[gnu::noinline]] void step_change_round(sync::Cluster& cluster, Node& node) {
    auto round = cluster.take_round(std::chrono::steady_clock::now());
    const auto outcome = sync::apply(node.kernel, round);
    cluster.settle(round, outcome);
}

void put(model::Store& store, const std::string& json) {
    api::decode_json(
        json,
        [&](api::Decoded&& decoded) {
            auto& object = *decoded.object;
            if (auto* slice = std::get_if<model::EndpointSlice>(&object))
                store.put(std::move(*slice));
            else store.put(std::get<model::Service>(std::move(object)));
        },
        api::Origin::server);
}

void run(const bench::Shape& shape) {
    model::Store store;
    plan::NodeFacts facts;
    facts.name = model::Symbol{std::string{bench::node_name}};
    for (std::size_t i = 0; i < shape.services; ++i) {
        put(store, bench::service_json(i));
        for (const auto& slice : bench::slices_json(shape, i))
            put(store, slice);
    }
    Node node;
    plan::NodeSnapshot settled;
    {
        sync::Cluster cluster{store, {}, facts};
        step_derive(cluster);
        step_observe(cluster, {});
        sync::Round round;
        sync::Outcome outcome;
        step_take_round(cluster, round);
        step_write(node, round, outcome);
        step_settle(cluster, round, outcome);
        settled = cluster.state().desired();
        step_audit(cluster, settled);
        for (std::size_t i = 0; i < 10; ++i) {
            put(store, bench::slices_json(shape, (i * 7919 + 1) % shape.services, i + 1).front());
            step_change_derive(cluster);
            step_change_round(cluster, node);
        }
    }
    sync::Cluster cluster{store, {}, facts};
    step_adoption_derive(cluster);
    step_adoption_observe(cluster, settled);
    sync::Round round;
    step_adoption_take_round(cluster, round);
    std::printf("adoption: %zu changes\n", round.changes.size());
}

} // namespace

int main(int argc, char** argv) {
    try {
        run(bench::Shape::parse(argc > 1 ? argv[1] : "1000x5"));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "own: %s\n", error.what());
        return 1;
    }
}
