#include "proxy/config/texts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "netlink/ip.h"

namespace ipvsproxy::config {
namespace {

template <class Number> std::optional<Number> parse_number(std::string_view text) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return std::nullopt;
    }
    Number value{};
    const auto* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    if (error != std::errc{} || end != last) return std::nullopt;
    return value;
}

} // namespace

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> parts;
    for (;;) {
        const auto end = text.find(at);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::string aggregate(const std::vector<std::string>& errors) {
    if (errors.size() == 1) return errors.front();
    std::string out{'['};
    for (const auto& error : errors)
        out += (out.size() > 1 ? ", " : "") + error;
    return out += ']';
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view space = " \t\n\v\f\r";
    const auto first = text.find_first_not_of(space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

std::string lower(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::optional<bool> parse_bool(std::string_view text) {
    constexpr std::array<std::string_view, 6> yes{"1", "t", "T", "true", "True", "TRUE"};
    constexpr std::array<std::string_view, 6> no{"0", "f", "F", "false", "False", "FALSE"};
    if (std::ranges::find(yes, text) != yes.end()) return true;
    if (std::ranges::find(no, text) != no.end()) return false;
    return std::nullopt;
}

std::optional<std::int32_t> parse_int32(std::string_view text) {
    return parse_number<std::int32_t>(text);
}

std::optional<std::uint32_t> parse_uint32(std::string_view text) {
    return parse_number<std::uint32_t>(text);
}

std::optional<float> parse_float(std::string_view text) {
    return parse_number<float>(text);
}

std::optional<std::uint64_t> parse_quantity(std::string_view text) {
    const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_number<std::uint64_t>(text.substr(0, end));
    auto suffix = text.substr(end);
    if (!number) return std::nullopt;
    const bool binary = suffix.ends_with('i');
    if (binary) suffix.remove_suffix(1);
    if (suffix == "k" && !binary) suffix = "K"; // the decimal one is lower case in a Quantity
    constexpr std::string_view powers = "KMGTPE";
    if (suffix.empty()) return binary ? std::nullopt : number;
    const auto power = powers.find(suffix);
    if (suffix.size() != 1 || power == std::string_view::npos) return std::nullopt;
    auto value = *number;
    for (std::size_t i = 0; i <= power; ++i) {
        const std::uint64_t step = binary ? 1024 : 1000;
        if (value > std::numeric_limits<std::int64_t>::max() / step) return std::nullopt;
        value *= step;
    }
    return value;
}

boost::system::result<std::pair<std::string, std::string>, std::string>
split_host_port(std::string_view text) {
    const auto refused = [text](std::string_view why) {
        return (text.empty() ? "" : "address " + std::string{text} + ": ") + std::string{why};
    };
    constexpr std::string_view missing = "missing port in address",
                               too_many = "too many colons in address";
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return refused(missing);
    std::string_view host = text.substr(0, colon);
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return refused("missing ']' in address");
        const bool colon_behind = close + 1 < text.size() && text[close + 1] == ':';
        if (close + 1 != colon) return refused(colon_behind ? too_many : missing);
        host = text.substr(1, close - 1);
    } else if (host.find(':') != std::string_view::npos) {
        return refused(too_many);
    }
    const auto port = text.substr(colon + 1);
    for (const char bracket : {'[', ']'})
        if (host.find(bracket) != std::string_view::npos ||
            port.find(bracket) != std::string_view::npos)
            return refused(std::string{"unexpected '"} + bracket + "' in address");
    return std::pair{std::string{host}, std::string{port}};
}

std::string with_port(const std::string& address, int port) {
    if (!Address::parse(address)) return address;
    const auto number = std::to_string(port);
    return address.find(':') == std::string::npos ? address + ':' + number
                                                  : '[' + address + "]:" + number;
}

} // namespace ipvsproxy::config
