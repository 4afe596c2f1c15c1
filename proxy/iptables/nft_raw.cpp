#include "proxy/iptables/nft_raw.h"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink/kernel_socket.h"

namespace ipvsproxy::iptables {
namespace {

constexpr const char* table_name = "kube-proxy";

constexpr std::uint16_t message(unsigned number) {
    return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | number);
}

nfgenmsg header(unsigned family) {
    return {static_cast<std::uint8_t>(family), NFNETLINK_V0, 0};
}

constexpr std::string_view family_name(std::uint8_t number) {
    return number == AF_INET ? "ip" : number == AF_INET6 ? "ip6" : "other";
}

bool stands(Family family) {
    const auto names = nft_table_names();
    return std::ranges::find(names, nft_mode_table(family)) != names.end();
}

} // namespace

std::vector<std::string> nft_table_names() {
    std::vector<std::string> names;
    if (::access("/sys/module/nf_tables", F_OK) != 0) return names;
    netlink::Messages request;
    request.begin(message(NFT_MSG_GETTABLE), 0, header(AF_UNSPEC));
    request.finish();
    netlink::Socket socket{NETLINK_NETFILTER};
    socket.steady_dump(
        request, [&] { names.clear(); },
        [&](const netlink::Message& answer) {
            const auto of = answer.header<nfgenmsg>();
            const auto name = answer.attributes<nfgenmsg>().string(NFTA_TABLE_NAME);
            if (!of || !name) return;
            names.push_back(
                std::string{family_name(of->nfgen_family)}.append(1, ' ').append(*name));
        });
    return names;
}

std::string nft_mode_table(Family family) {
    return (family == Family::v4 ? "ip " : "ip6 ") + std::string{table_name};
}

std::error_code delete_nft_mode_table(Family family) {
    netlink::Messages batch;
    auto frame = header(AF_UNSPEC);
    frame.res_id = htons(NFNL_SUBSYS_NFTABLES);
    batch.begin(NFNL_MSG_BATCH_BEGIN, 0, frame);
    batch.finish();
    batch
        .begin(message(NFT_MSG_DELTABLE), 0,
               header(family == Family::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6))
        .string(NFTA_TABLE_NAME, table_name);
    batch.finish();
    batch.begin(NFNL_MSG_BATCH_END, 0, frame);
    batch.finish();
    // Kernels before 6.10 do not acknowledge the end of a batch (nfnetlink_rcv_batch()), and errors
    // come in any case; so silence is success, and what is there now is the proof.
    netlink::Socket socket{NETLINK_NETFILTER, {.patience = std::chrono::seconds{1}}};
    const auto outcome = socket.batch(batch);
    if (!outcome.failures.empty()) return outcome.failures.front().error;
    if (stands(family)) return std::make_error_code(std::errc::device_or_resource_busy);
    return {};
}

} // namespace ipvsproxy::iptables
