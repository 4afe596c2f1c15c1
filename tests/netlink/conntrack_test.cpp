#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <functional>

#include <catch2/catch.hpp>

#include "netlink/conntrack_codec.h"
#include "netlink/kernel_conntrack.h"
#include "netlink/memory_conntrack.h"
#include "tests/kernel/namespace.h"
#include "tests/netlink/conntrack_contract.h"

using namespace ipvsproxy;
using namespace ipvsproxy::tests;

namespace {

void put_tuple(netlink::AttributeWriter& out, std::uint16_t type, const AddressPort& source,
               const AddressPort& destination, std::uint8_t protocol) {
    const bool v4 = source.address.family() == Family::v4;
    const auto tuple = out.begin_nested(type);
    const auto ip = out.begin_nested(CTA_TUPLE_IP);
    out.bytes(v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, source.address.bytes());
    out.bytes(v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, destination.address.bytes());
    out.end_nested(ip);
    const auto transport = out.begin_nested(CTA_TUPLE_PROTO);
    out.u8(CTA_PROTO_NUM, protocol);
    out.be16(CTA_PROTO_SRC_PORT, source.port.value);
    out.be16(CTA_PROTO_DST_PORT, destination.port.value);
    out.end_nested(transport);
    out.end_nested(tuple);
}

/// Puts flows into the kernel's table and reads them back.
class KernelTable {
public:
    void add(const Flow& flow, std::uint8_t protocol = IPPROTO_UDP) { add_all({flow}, protocol); }

    void add_all(const std::vector<Flow>& flows, std::uint8_t protocol = IPPROTO_UDP) {
        netlink::Messages batch;
        for (const Flow& flow : flows) {
            const bool v4 = flow.source.address.family() == Family::v4;
            auto out = batch.begin(
                NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL,
                nfgenmsg{.nfgen_family = static_cast<std::uint8_t>(v4 ? AF_INET : AF_INET6),
                         .version = NFNETLINK_V0,
                         .res_id = 0});
            put_tuple(out, CTA_TUPLE_ORIG, flow.source, flow.destination, protocol);
            put_tuple(out, CTA_TUPLE_REPLY, flow.reply_source, flow.source, protocol);
            out.be32(CTA_TIMEOUT, 600); // seconds
            out.be32(CTA_STATUS, IPS_CONFIRMED | IPS_SEEN_REPLY);
            batch.finish();
        }
        const auto outcome = socket_.batch(batch);
        if (!outcome.failures.empty()) FAIL(outcome.failures.front().error.message());
    }

    std::set<Flow> flows(std::uint8_t protocol = IPPROTO_UDP) {
        std::set<Flow> found;
        for (const Family family : families) {
            auto request = netlink::flows_request(family);
            socket_.dump(request, [&](const netlink::Message& message) {
                const auto tracked = decode_flow(message);
                if (tracked && tracked->protocol == protocol) found.insert(tracked->flow);
            });
        }
        return found;
    }

private:
    netlink::Socket socket_{NETLINK_NETFILTER};
};

} // namespace

TEST_CASE("flows in memory keep the contract") {
    const Family family = GENERATE(Family::v4, Family::v6);
    MemoryFlows flows;
    flows_keep_contract(
        flows, family, [&](const Flow& flow) { flows.flows().insert(flow); },
        [&] { return flows.flows(); });
}

TEST_CASE("the kernel's flows keep the contract", "[.kernel]") {
    const Family family = GENERATE(Family::v4, Family::v6);
    const kernel_test::Namespace own;
    KernelFlows flows;
    KernelTable table;
    flows_keep_contract(
        flows, family, [&](const Flow& flow) { table.add(flow); }, [&] { return table.flows(); });
}

TEST_CASE("flows in memory can be unreadable") {
    MemoryFlows flows;
    flows.refuse(std::make_error_code(std::errc::permission_denied));
    CHECK_THROWS_AS(flows.forget({}), std::system_error);
}

TEST_CASE("TCP and SCTP flows are never touched", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelTable table;
    const FlowSample sample = flow_sample(Family::v4);
    const Flow flow{sample.client, sample.service, sample.gone};
    for (const auto protocol : {IPPROTO_UDP, IPPROTO_TCP, IPPROTO_SCTP})
        table.add(flow, static_cast<std::uint8_t>(protocol));
    KernelFlows flows;
    const StaleFlows stale{sample.service, {sample.endpoint}};
    CHECK(flows.forget({&stale, 1}) == 1);
    CHECK(table.flows(IPPROTO_UDP).empty());
    CHECK(table.flows(IPPROTO_TCP) == std::set{flow});
    CHECK(table.flows(IPPROTO_SCTP) == std::set{flow});
}

TEST_CASE("P-212 among many flows only the stale one goes, and few are told", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelTable table;
    const FlowSample sample = flow_sample(Family::v4);
    std::vector<Flow> unrelated;
    for (std::uint16_t port = 1; port <= 5000; ++port)
        unrelated.push_back({{sample.client.address, {port}}, sample.other, sample.other});
    table.add_all(unrelated);
    const Flow gone{sample.client, sample.service, sample.gone};
    table.add(gone);
    KernelFlows flows;
    const StaleFlows stale{sample.service, {sample.endpoint}};
    CHECK(flows.forget({&stale, 1}) == 1);
    CHECK(flows.counters().sends == 2);
    CHECK(flows.counters().receives <= 4);
    const auto left = table.flows();
    CHECK(left.size() == unrelated.size());
    CHECK_FALSE(left.contains(gone));
}

TEST_CASE("many destinations are looked for in one listing", "[.kernel]") {
    const kernel_test::Namespace own;
    KernelTable table;
    const FlowSample sample = flow_sample(Family::v6);
    std::vector<StaleFlows> stale;
    for (std::uint16_t port = 1; port <= 100; ++port) {
        const AddressPort destination{sample.service.address, {port}};
        stale.push_back({destination, {sample.endpoint}});
        table.add({{sample.client.address, {port}},
                   destination,
                   port % 2 == 0 ? sample.endpoint : sample.gone});
    }
    KernelFlows flows;
    CHECK(flows.forget(stale) == 50);
    CHECK(flows.counters().sends == 2);
    CHECK(table.flows().size() == 50);
    CHECK(flows.forget(stale) == 0);
}
