#include "proxy/iptables/legacy_sets.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>

namespace ipvsproxy::iptables {

namespace {

/// False when the kernel's ip_set is not loaded: then there are no sets.
template <class Request> bool ask(int socket, Request& request) {
    socklen_t size = sizeof(request);
    if (::getsockopt(socket, SOL_IP, SO_IP_SET, &request, &size) == 0) return true;
    if (errno == ENOPROTOOPT) return false;
    throw std::system_error(errno, std::generic_category(), "ipset: ask the kernel for a set");
}

} // namespace

bool KernelSetNames::open() {
    if (version_ != 0) return true;
    if (!socket_) socket_ = FileDescriptor(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    if (!socket_)
        throw std::system_error(errno, std::generic_category(), "ipset: open a raw socket");
    ip_set_req_version request{.op = IP_SET_OP_VERSION, .version = 0};
    if (!ask(socket_.get(), request)) return false;
    version_ = request.version;
    return true;
}

std::optional<std::uint16_t> KernelSetNames::index(std::string_view name) {
    if (const auto known = indexes_.find(name); known != indexes_.end()) return known->second;
    std::optional<std::uint16_t> index;
    if (name.size() < IPSET_MAXNAMELEN && open()) {
        ip_set_req_get_set_family request{
            .op = IP_SET_OP_GET_FNAME, .version = version_, .family = 0, .set = {}};
        std::memset(&request.set, 0, sizeof(request.set));
        std::memcpy(request.set.name, name.data(), name.size());
        if (ask(socket_.get(), request) && request.set.index != IPSET_INVALID_ID) {
            const unsigned wanted = family_ == Family::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
            if (request.family == wanted || request.family == NFPROTO_UNSPEC)
                index = request.set.index;
        }
    }
    indexes_.emplace(name, index);
    return index;
}

std::optional<std::string> KernelSetNames::name(std::uint16_t index) {
    if (const auto known = names_.find(index); known != names_.end()) return known->second;
    std::optional<std::string> name;
    if (open()) {
        ip_set_req_get_set request{.op = IP_SET_OP_GET_BYINDEX, .version = version_, .set = {}};
        std::memset(&request.set, 0, sizeof(request.set));
        request.set.index = index;
        if (ask(socket_.get(), request)) {
            const char* const text = request.set.name;
            const auto length = strnlen(text, IPSET_MAXNAMELEN);
            if (length > 0) name.emplace(text, length);
        }
    }
    names_.emplace(index, name);
    return name;
}

} // namespace ipvsproxy::iptables
