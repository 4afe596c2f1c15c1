#include "proxy/iptables/nft_probe.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "netlink/kernel_socket.h"
#include "netlink/message.h"

namespace ipvsproxy::iptables {

bool kernel_has_nft_tables() {
    netlink::Messages batch;
    batch.begin(NFNL_MSG_BATCH_BEGIN, 0,
                nfgenmsg{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)});
    batch.finish();
    batch
        .begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NLM_F_CREATE,
               nfgenmsg{NFPROTO_IPV4, NFNETLINK_V0, 0})
        .string(NFTA_TABLE_NAME, "ipvsproxy-probe");
    batch.finish();
    // No NFNL_MSG_BATCH_END: the kernel answers each message, then drops the whole
    // (nfnetlink_rcv_batch()). Where nf_tables is missing it answers the first message only.
    netlink::Socket socket{NETLINK_NETFILTER, {.patience = std::chrono::seconds{1}}};
    const auto outcome = socket.batch(batch);
    for (const auto& failure : outcome.failures) {
        if (failure.error.value() == EOPNOTSUPP) return false;
        throw std::system_error{failure.error, "asking for nf_tables"};
    }
    return true;
}

} // namespace ipvsproxy::iptables
