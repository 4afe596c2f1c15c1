#include "ipset/error.h"

#include <linux/netfilter/ipset/ip_set.h>

#include <string>

#include "ipset/table.h"

namespace ipvsproxy::ipset {
namespace {

static_assert(static_cast<int>(Error::protocol) == IPSET_ERR_PROTOCOL);
static_assert(static_cast<int>(Error::busy) == IPSET_ERR_BUSY);
static_assert(static_cast<int>(Error::type_mismatch) == IPSET_ERR_TYPE_MISMATCH);
static_assert(static_cast<int>(Error::entry_state) == IPSET_ERR_EXIST);
static_assert(static_cast<int>(Error::no_skbinfo) == IPSET_ERR_SKBINFO);
static_assert(static_cast<int>(Error::full) == IPSET_ERR_TYPE_SPECIFIC);

const char* meaning(Error error) noexcept {
    switch (error) {
    case Error::protocol:
        return "the kernel does not understand the request about the set";
    case Error::unknown_type:
        return "the kernel has no such set type, in no revision known here (is the module "
               "ip_set_* there?)";
    case Error::too_many_sets:
        return "the namespace holds as many sets as it can";
    case Error::busy:
        return "the set is in use: a rule or another set names it";
    case Error::new_name_exists:
        return "a set of the new name exists already";
    case Error::type_mismatch:
        return "a set of this name has another type or family, and is in use";
    case Error::entry_state:
        return "the entry exists already, or is missing";
    case Error::invalid_prefix:
        return "the prefix length is invalid (hash types hold no /0)";
    case Error::invalid_netmask:
        return "the netmask is invalid";
    case Error::invalid_family:
        return "the set type does not know this IP family";
    case Error::no_timeout:
        return "the set was created without timeouts";
    case Error::referenced:
        return "the set is referenced, so it cannot be renamed";
    case Error::not_ipv4:
        return "an IPv4 address is wanted: the set's family is inet";
    case Error::not_ipv6:
        return "an IPv6 address is wanted: the set's family is inet6";
    case Error::no_counters:
        return "the set was created without counters";
    case Error::comment_too_long:
        return "the comment is too long, or the set was created without comments";
    case Error::invalid_mark_mask:
        return "the mark mask is invalid";
    case Error::no_skbinfo:
        return "the set was created without skbinfo";
    case Error::full:
        return "the set is full (bitmap:port: the port is outside its range)";
    case Error::invalid_entry:
        return "the set cannot hold this entry (an address of zero)";
    case Error::invalid_protocol:
        return "the protocol is invalid";
    case Error::missing_protocol:
        return "the protocol is missing";
    case Error::range_unsupported:
        return "the set type takes no ranges";
    case Error::range_too_large:
        return "the range is too large";
    }
    return nullptr;
}

class Category final : public std::error_category {
public:
    const char* name() const noexcept override { return "ipset"; }
    std::string message(int number) const override {
        const char* words = meaning(static_cast<Error>(number));
        const auto tail = " (ipset error " + std::to_string(number) + ')';
        return (words != nullptr ? words : "refused") + tail;
    }
    std::error_condition default_error_condition(int number) const noexcept override {
        switch (number) {
        case IPSET_ERR_BUSY:
        case IPSET_ERR_REFERENCED:
            return std::errc::device_or_resource_busy;
        default:
            return {number, *this};
        }
    }
};

} // namespace

const std::error_category& ipset_category() noexcept {
    static const Category category;
    return category;
}

std::error_code make_error_code(Error error) noexcept {
    return {static_cast<int>(error), ipset_category()};
}

std::error_code error_from(int number) noexcept {
    if (number >= IPSET_ERR_PRIVATE) return {number, ipset_category()};
    return {number, std::generic_category()};
}

} // namespace ipvsproxy::ipset
