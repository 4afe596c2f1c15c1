#include "proxy/iptables/types.h"

#include <ostream>

namespace ipvsproxy::iptables {

std::string_view name(TableName table) noexcept {
    switch (table) {
    case TableName::nat:
        return "nat";
    case TableName::filter:
        return "filter";
    case TableName::mangle:
        return "mangle";
    }
    return "?";
}

std::string_view name(Backend backend) noexcept {
    return backend == Backend::legacy ? "legacy" : "nft";
}

std::ostream& operator<<(std::ostream& out, const Chain& chain) {
    return out << name(chain.table) << ' ' << chain.name;
}

std::ostream& operator<<(std::ostream& out, const PlacedRule& rule) {
    return out << rule.chain << ' ' << rule.rule;
}

} // namespace ipvsproxy::iptables
