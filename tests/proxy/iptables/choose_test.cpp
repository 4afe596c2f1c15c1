#include <catch2/catch.hpp>

#include "proxy/iptables/choose.h"
#include "proxy/iptables/legacy_tables.h"
#include "proxy/iptables/nft_probe.h"
#include "tests/kernel/namespace.h"
#include "tests/proxy/iptables/shell.h"

namespace ipvsproxy::iptables {
namespace {

const std::string nft_version = "iptables v1.8.9 (nf_tables)";
const std::string legacy_version = "iptables v1.8.9 (legacy)";

TEST_CASE("kubelet's chain decides before the command iptables does", "[iptables]") {
    CHECK(choose_backend(HostSigns{.kubelet_in_legacy = true, .version = nft_version}) ==
          Choice{Backend::legacy, "kubelet's chain is in a legacy table"});
    CHECK(choose_backend(HostSigns{.kubelet_in_nft = true, .version = legacy_version}) ==
          Choice{Backend::nft, "kubelet's chain is in nf_tables"});
    CHECK(choose_backend(HostSigns{.kubelet_in_nft = true, .kubelet_in_legacy = true}).backend ==
          Backend::nft);
}

TEST_CASE("without kubelet's chain the variant of the command iptables decides", "[iptables]") {
    CHECK(choose_backend(HostSigns{.version = nft_version}) ==
          Choice{Backend::nft, "the command iptables is " + nft_version});
    CHECK(choose_backend(HostSigns{.version = legacy_version}).backend == Backend::legacy);
    CHECK(choose_backend(HostSigns{.version = "iptables v1.6.1"}).backend == Backend::legacy);
    CHECK(choose_backend(HostSigns{}) == Choice{Backend::legacy, "there is no command iptables"});
}

TEST_CASE("a kernel without nf_tables takes the legacy tables, whatever iptables is",
          "[iptables]") {
    CHECK(choose_backend(HostSigns{.no_nft_tables = true, .version = nft_version}) ==
          Choice{Backend::legacy, "this kernel has no nf_tables for IPv4"});
}

TEST_CASE("what could not be asked is told with the choice", "[iptables]") {
    CHECK(
        choose_backend(HostSigns{.version = legacy_version, .troubles = {"no nft here"}}).reason ==
        "the command iptables is iptables v1.8.9 (legacy); not asked: no nft here");
}

TEST_CASE("an operator's choice is taken without looking", "[iptables]") {
    CHECK(choose_backend(Backend::nft) == Choice{Backend::nft, "set by the operator"});
}

TEST_CASE("kubelet's chain is found in the legacy table mangle, of either family",
          "[iptables][.kernel]") {
    const kernel_test::Namespace own;
    CHECK_FALSE(read_host_signs().kubelet_in_legacy);
    const std::string tool = GENERATE("iptables-legacy", "ip6tables-legacy");
    const std::string chain = GENERATE("KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY");
    output_of(tool + " -t mangle -N " + chain);
    CHECK(read_host_signs().kubelet_in_legacy);
}

TEST_CASE("looking for kubelet's chain creates no legacy table", "[iptables][.kernel]") {
    const kernel_test::Namespace own;
    read_host_signs();
    CHECK(output_of("cat /proc/thread-self/net/ip_tables_names").empty());
}

TEST_CASE("asking whether the kernel has nf_tables leaves no table there", "[iptables][.nft]") {
    const kernel_test::Namespace own;
    CHECK(kernel_has_nft_tables());
    CHECK(output_of("nft list tables").empty());
}

TEST_CASE("the user-mode kernel has no nf_tables for IPv4", "[iptables][.kernel]") {
    const kernel_test::Namespace own;
    CHECK_FALSE(kernel_has_nft_tables());
    CHECK(read_host_signs().no_nft_tables);
}

TEST_CASE("kubelet's chain is found in nf_tables", "[iptables][.nft]") {
    const kernel_test::Namespace own;
    CHECK_FALSE(read_host_signs().kubelet_in_nft);
    output_of("ip6tables-nft -t mangle -N KUBE-IPTABLES-HINT");
    const HostSigns signs = read_host_signs();
    CHECK(signs.kubelet_in_nft);
    CHECK(choose_backend(signs).backend == Backend::nft);
}

} // namespace
} // namespace ipvsproxy::iptables
