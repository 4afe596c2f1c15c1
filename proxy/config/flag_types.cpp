#include "proxy/config/flag_types.h"

#include <algorithm>
#include <boost/system/result.hpp>
#include <charconv>
#include <cmath>
#include <system_error>

#include "netlink/ip.h"
#include "proxy/config/duration.h"
#include "proxy/config/texts.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

constexpr std::string_view no_syntax = "invalid syntax", no_range = "value out of range";

/// As a strconv.NumError prints itself.
std::string number_error(std::string_view function, std::string_view text, std::string_view why) {
    return "strconv." + std::string{function} + ": parsing " + log::quoted(text) + ": " +
           std::string{why};
}

bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Takes 0x, 0b, 0o or a leading 0 away. @return the base that it names.
int take_base(std::string_view& digits) {
    const bool prefixed = digits.size() > 2 && digits[0] == '0';
    const char letter = prefixed ? lower(digits.substr(1, 1))[0] : '\0';
    const int base = letter == 'x' ? 16 : letter == 'b' ? 2 : letter == 'o' ? 8 : 0;
    if (base != 0) digits.remove_prefix(2);
    else if (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
    else return 10;
    return base != 0 ? base : 8;
}

/// Whether each underscore stands between two digits, or behind the prefix.
bool underscores_separate(std::string_view digits, bool prefixed) {
    if (digits.ends_with('_') || digits.find("__") != std::string_view::npos) return false;
    return prefixed || !digits.starts_with('_');
}

std::string csv_error(std::size_t index, std::string_view why) {
    return "parse error on line 1, column " + std::to_string(index + 1) + ": " + std::string{why};
}

/// Takes the quoted value at the start of what stands at `at`, and moves `at` behind it.
std::string take_quoted(std::string_view text, std::size_t& at, std::string& value) {
    constexpr std::string_view why = R"(extraneous or missing " in quoted-field)";
    for (++at; at < text.size(); ++at) {
        if (text[at] != '"') {
            value += text[at];
            continue;
        }
        if (at + 1 == text.size() || text[at + 1] == ',') {
            ++at;
            return {};
        }
        if (text[at + 1] != '"') return csv_error(at, why);
        value += text[at++];
    }
    return csv_error(at, why);
}

std::string pair_error(std::string_view pair, std::map<std::string, bool>& gates) {
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) return "malformed pair, expect string=bool";
    const std::string name{trimmed(pair.substr(0, equals))},
        value{trimmed(pair.substr(equals + 1))};
    auto why = read(value, gates[name]);
    return why.empty() ? why : "invalid value of " + name + ": " + value + ", err: " + why;
}

} // namespace

std::string read(std::string_view text, std::string& field) {
    field = text;
    return {};
}

std::string read(std::string_view text, bool& field) {
    const auto truth = parse_bool(text);
    if (!truth) return number_error("ParseBool", text, no_syntax);
    field = *truth;
    return {};
}

std::string read(std::string_view text, std::int32_t& field) {
    auto rest = text;
    const bool negative = rest.starts_with('-');
    if (negative || rest.starts_with('+')) rest.remove_prefix(1);
    const auto before = rest.size();
    const int base = take_base(rest);
    const auto wrong = [&](std::string_view why) { return number_error("ParseInt", text, why); };
    if (!underscores_separate(rest, rest.size() != before)) return wrong(no_syntax);
    std::string digits{rest};
    std::erase(digits, '_');
    if (digits.empty() || digits[0] == '-') return wrong(no_syntax);
    if (negative) digits.insert(0, 1, '-');
    const auto* const last = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), last, field, base);
    if (end != last) return wrong(no_syntax);
    return error == std::errc{} ? std::string{} : wrong(no_range);
}

std::string read(std::string_view text, float& field) {
    if (const auto number = parse_float(text); number && std::isfinite(*number)) {
        field = *number;
        return {};
    }
    const bool number_like = text.find_first_not_of("+-.0123456789eE") == std::string_view::npos &&
                             text.find_first_of("eE") != std::string_view::npos &&
                             parse_float(text.substr(0, text.find_first_of("eE"))).has_value();
    return number_error("ParseFloat", text, number_like ? no_range : no_syntax);
}

std::string read(std::string_view text, Duration& field) {
    const auto duration = read_duration(text);
    if (!duration) return duration.error();
    field = *duration;
    return {};
}

std::string read(std::string_view text, std::uint64_t& bytes) {
    const auto quantity = parse_quantity(text);
    if (!quantity)
        return "quantities must match the regular expression "
               "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$', and here be whole bytes such as "
               "512, 1K or 2Ki";
    bytes = *quantity;
    return {};
}

std::string read(std::string_view text, std::vector<std::string>& list) {
    for (std::size_t at = 0; !text.empty() && at <= text.size(); ++at) { // over the comma
        std::string value;
        if (text.substr(at).starts_with('"')) {
            if (auto why = take_quoted(text, at, value); !why.empty()) return why;
        } else {
            const auto end = std::min(text.find(',', at), text.size());
            value = text.substr(at, end - at);
            if (const auto quote = value.find('"'); quote != std::string::npos)
                return csv_error(at + quote, R"(bare " in non-quoted field)");
            at = end;
        }
        list.push_back(std::move(value));
    }
    return {};
}

std::string read(std::string_view text, std::map<std::string, bool>& gates) {
    for (const auto& pair : split(text)) {
        if (pair.empty()) continue;
        if (auto why = pair_error(pair, gates); !why.empty()) return why;
    }
    return {};
}

std::string read_level(std::string_view text, std::uint32_t& field) {
    if (!all_digits(text)) return number_error("ParseUint", text, no_syntax);
    const auto level = parse_int32(text);
    if (!level) return number_error("ParseUint", text, no_range);
    field = static_cast<std::uint32_t>(*level);
    return {};
}

std::string read_vmodule(std::string_view text, std::vector<VmoduleItem>& items) {
    for (const auto& part : split(text)) {
        if (part.empty()) continue; // trailing commas are common
        const auto sides = split(part, '=');
        if (sides.size() != 2 || sides[0].empty() || sides[1].empty())
            return log::quoted(part) + " does not have the pattern=N format";
        VmoduleItem item{sides[0], 0};
        if (const auto why = read_level(sides[1], item.verbosity); !why.empty())
            return "parsing verbosity in " + log::quoted(part) + ": " + why;
        items.push_back(std::move(item));
    }
    return {};
}

std::string read_ip(std::string_view text, std::string& field) {
    if (text.empty()) return {};
    if (!Address::parse(text)) return log::quoted(text) + " is not a valid IP address";
    field = text;
    return {};
}

std::string read_ip_port(std::string_view text, std::string& field) {
    if (text.empty()) return {};
    if (Address::parse(text)) {
        field = text;
        return {};
    }
    const auto parts = split_host_port(text);
    if (!parts)
        return log::quoted(text) + " is not in a valid format (ip or ip:port): " + parts.error();
    const auto& [host, port] = *parts;
    if (!Address::parse(host)) return log::quoted(host) + " is not a valid IP address";
    if (!all_digits(port) || parse_int32(port).value_or(65536) > 65535)
        return log::quoted(port) + " is not a valid number";
    field = text;
    return {};
}

std::string read_version(std::string_view text) {
    bool wanted{};
    return text == "raw" ? std::string{} : read(text, wanted);
}

} // namespace ipvsproxy::config
