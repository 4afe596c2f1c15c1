#include "ipset/types.h"

#include <array>
#include <ostream>

#include "ipset/table.h"

namespace ipvsproxy::ipset {
namespace {

struct NamedType {
    Type type;
    std::string_view name;
};
constexpr std::array<NamedType, 5> types{{
    {Type::hash_ip, "hash:ip"},
    {Type::hash_ip_port, "hash:ip,port"},
    {Type::hash_ip_port_ip, "hash:ip,port,ip"},
    {Type::hash_ip_port_net, "hash:ip,port,net"},
    {Type::bitmap_port, "bitmap:port"},
}};

} // namespace

std::string_view name(Type type) noexcept {
    return types.at(static_cast<std::size_t>(type)).name;
}

std::optional<Type> parse_type(std::string_view text) noexcept {
    for (const auto& known : types)
        if (known.name == text) return known.type;
    return std::nullopt;
}

std::string text(Type type, const Entry& entry) {
    if (type == Type::bitmap_port) return std::to_string(entry.port.value);
    std::string out = entry.address.text();
    if (type == Type::hash_ip) return out;
    out += ',';
    out += lower_name(entry.protocol);
    out += ':' + std::to_string(entry.port.value);
    if (type == Type::hash_ip_port) return out;
    out += ',';
    const bool host = entry.second.length() == entry.second.address().bits();
    out += host ? entry.second.address().text() : entry.second.text();
    return out;
}

std::ostream& operator<<(std::ostream& out, const SetSpec& spec) {
    return out << name(spec.type) << ' ' << spec.family << " maxelem " << spec.max_entries;
}

std::ostream& operator<<(std::ostream& out, const Entry& entry) {
    return out << text(Type::hash_ip_port_net, entry);
}

std::ostream& operator<<(std::ostream& out, const Subject& subject) {
    out << subject.set;
    return subject.entry ? out << ' ' << *subject.entry : out;
}

} // namespace ipvsproxy::ipset
