#include "proxy/iptables/choose.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "proxy/iptables/legacy_tables.h"
#include "proxy/iptables/nft_probe.h"
#include "proxy/iptables/save_text.h"
#include "proxy/iptables/tool.h"

namespace ipvsproxy::iptables {

namespace {

bool has_kubelet_chain(const Chains& chains) {
    return chains.contains({TableName::mangle, "KUBE-IPTABLES-HINT"}) ||
           chains.contains({TableName::mangle, "KUBE-KUBELET-CANARY"});
}

bool kubelet_in_nft(Family family, std::vector<std::string>& troubles) {
    const std::string save = family == Family::v4 ? "iptables-nft-save" : "ip6tables-nft-save";
    try {
        const auto output = run_tool({save, "-t", "mangle"}, {});
        if (output.status == 0) return has_kubelet_chain(parse_save(output.out));
        troubles.push_back(save + " exited with " + std::to_string(output.status));
    } catch (const std::system_error& error) {
        troubles.emplace_back(error.what());
    }
    return false;
}

bool kubelet_in_legacy(Family family, std::vector<std::string>& troubles) {
    try {
        return has_kubelet_chain(LegacyTables(family).snapshot());
    } catch (const std::system_error& error) {
        troubles.emplace_back(error.what());
    }
    return false;
}

std::string version_line(std::vector<std::string>& troubles) {
    try {
        auto output = run_tool({"iptables", "--version"}, {});
        output.out.resize(std::min(output.out.find('\n'), output.out.size()));
        return std::move(output.out);
    } catch (const std::system_error& error) {
        troubles.emplace_back(error.what());
    }
    return {};
}

bool no_nft_tables(std::vector<std::string>& troubles) {
    try {
        return !kernel_has_nft_tables();
    } catch (const std::system_error& error) {
        troubles.emplace_back(error.what());
    }
    return false;
}

Choice decide(const HostSigns& signs) {
    if (signs.no_nft_tables) return {Backend::legacy, "this kernel has no nf_tables for IPv4"};
    if (signs.kubelet_in_nft && signs.kubelet_in_legacy)
        return {Backend::nft, "kubelet's chain is in nf_tables and in the legacy tables"};
    if (signs.kubelet_in_nft) return {Backend::nft, "kubelet's chain is in nf_tables"};
    if (signs.kubelet_in_legacy) return {Backend::legacy, "kubelet's chain is in a legacy table"};
    if (signs.version.find("nf_tables") != std::string::npos)
        return {Backend::nft, "the command iptables is " + signs.version};
    if (!signs.version.empty())
        return {Backend::legacy, "the command iptables is " + signs.version};
    return {Backend::legacy, "there is no command iptables"};
}

} // namespace

Choice choose_backend(const HostSigns& signs) {
    Choice choice = decide(signs);
    for (const std::string& trouble : signs.troubles)
        choice.reason.append("; not asked: ").append(trouble);
    return choice;
}

HostSigns read_host_signs() {
    HostSigns signs;
    for (const Family family : families) {
        signs.kubelet_in_nft = signs.kubelet_in_nft || kubelet_in_nft(family, signs.troubles);
        signs.kubelet_in_legacy =
            signs.kubelet_in_legacy || kubelet_in_legacy(family, signs.troubles);
    }
    signs.no_nft_tables = no_nft_tables(signs.troubles);
    signs.version = version_line(signs.troubles);
    return signs;
}

Choice choose_backend(std::optional<Backend> wanted) {
    if (wanted) return {*wanted, "set by the operator"};
    return choose_backend(read_host_signs());
}

} // namespace ipvsproxy::iptables
