#include "proxy/cli/entry_text.h"

#include <charconv>

namespace ipvsproxy::cli {
namespace {

std::optional<Port> parse_port(std::string_view text) {
    std::uint16_t value{};
    const auto* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || at != end) return std::nullopt;
    return Port{value};
}

/// `tcp:80`
bool take_protocol_and_port(ipset::Entry& entry, std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    const auto port = parse_port(text.substr(colon + 1));
    if (!port) return false;
    entry.port = *port;
    for (const auto protocol : {Protocol::tcp, Protocol::udp, Protocol::sctp})
        if (lower_name(protocol) == text.substr(0, colon)) {
            entry.protocol = protocol;
            return true;
        }
    return false;
}

/// An address alone, or a network.
std::optional<Prefix> parse_second(std::string_view text) {
    if (const auto address = Address::parse(text)) return Prefix{*address};
    return Prefix::parse(text);
}

} // namespace

std::optional<ipset::Entry> parse_entry(ipset::Type type, std::string_view text) {
    ipset::Entry entry;
    if (type == ipset::Type::bitmap_port) {
        const auto port = parse_port(text);
        if (!port) return std::nullopt;
        entry.port = *port;
        return entry;
    }
    const auto first = text.find(',');
    const auto address = Address::parse(text.substr(0, first));
    if (!address) return std::nullopt;
    entry.address = *address;
    const bool more = first != std::string_view::npos;
    if (type == ipset::Type::hash_ip) return more ? std::nullopt : std::optional{entry};
    if (!more) return std::nullopt;
    const auto second = text.find(',', first + 1);
    const bool three = second != std::string_view::npos;
    if (!take_protocol_and_port(entry, text.substr(first + 1, second - first - 1)))
        return std::nullopt;
    if (type == ipset::Type::hash_ip_port) return three ? std::nullopt : std::optional{entry};
    if (!three) return std::nullopt;
    const auto net = parse_second(text.substr(second + 1));
    if (!net) return std::nullopt;
    entry.second = *net;
    return entry;
}

} // namespace ipvsproxy::cli
