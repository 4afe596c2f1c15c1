#include "proxy/cli/failure.h"

#include <system_error>

namespace ipvsproxy::cli {
namespace {

/// EPERM of the kernel's tables has one cause. NET_RAW is for the tables of iptables.
constexpr const char* rights_remedy =
    "; CAP_NET_ADMIN and CAP_NET_RAW are needed: run as root, or give the container "
    "securityContext.capabilities.add: [NET_ADMIN, NET_RAW]";

} // namespace

std::string words(const std::exception& error) {
    const auto* const coded = dynamic_cast<const std::system_error*>(&error);
    const bool forbidden = coded != nullptr && coded->code() == std::errc::operation_not_permitted;
    return error.what() + std::string{forbidden ? rights_remedy : ""};
}

} // namespace ipvsproxy::cli
