#include "proxy/config/yaml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <yaml-cpp/yaml.h>

#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> nulls{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 11> truths{"y",    "Y",    "yes", "Yes", "YES", "true",
                                                  "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> untruths{"n",     "N",     "no",  "No",  "NO", "false",
                                                    "False", "FALSE", "off", "Off", "OFF"};

bool among(const auto& words, std::string_view text) {
    return std::ranges::find(words, text) != words.end();
}

/// Integers by YAML 1.1: 12, 0x1f, 0b101, 017 and 0o17, with underscores between digits.
std::optional<std::int64_t> integer(std::string_view text) {
    std::string digits{text};
    std::erase(digits, '_');
    std::string_view rest{digits};
    const bool negative = rest.starts_with('-');
    if (negative || rest.starts_with('+')) rest.remove_prefix(1);
    int base = 10;
    for (const auto& [prefix, its_base] :
         {std::pair{"0x", 16}, std::pair{"0b", 2}, std::pair{"0o", 8}, std::pair{"0", 8}}) {
        const std::string_view start{prefix};
        if (rest.size() <= start.size() || !rest.starts_with(start)) continue;
        rest.remove_prefix(start.size());
        base = its_base;
        break;
    }
    const std::string number = (negative ? "-" : "") + std::string{rest};
    std::int64_t value{};
    const auto* const last = number.data() + number.size();
    const auto [end, error] = std::from_chars(number.data(), last, value, base);
    if (rest.starts_with('-') || error != std::errc{} || end != last) return std::nullopt;
    return value;
}

std::optional<double> real(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    if (text.find_first_of("0123456789") == std::string_view::npos) return std::nullopt; // inf, nan
    double value{};
    const auto* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    if (error != std::errc{} || end != last || !std::isfinite(value)) return std::nullopt;
    return value;
}

json::value scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() != "?") return json::string{text}; // quoted, a block, or said to be a string
    if (among(nulls, text)) return nullptr;
    if (among(truths, text)) return true;
    if (among(untruths, text)) return false;
    if (const auto number = integer(text)) return *number;
    if (const auto number = real(text)) return *number;
    return json::string{text};
}

// NOLINTBEGIN(misc-no-recursion): no deeper than value() allows
/// Unfolds nodes; an alias is unfolded each time, so their number is limited.
class Unfolding {
public:
    explicit Unfolding(std::vector<std::string>& doubled) : doubled_{doubled} {}

    /// @throws YAML::Exception
    json::value value(const YAML::Node& node, const std::string& path, int depth) {
        constexpr int most_values = 100'000;
        constexpr int deepest = 100;
        if (++values_ > most_values || depth > deepest)
            throw YAML::RepresentationException{node.Mark(), "too many values or levels"};
        switch (node.Type()) {
        case YAML::NodeType::Undefined:
        case YAML::NodeType::Null:
            return nullptr;
        case YAML::NodeType::Scalar:
            return scalar(node);
        case YAML::NodeType::Sequence: {
            json::array items;
            for (const auto& item : node)
                items.push_back(
                    value(item, path + '[' + std::to_string(items.size()) + ']', depth + 1));
            return items;
        }
        case YAML::NodeType::Map:
            return map(node, path, depth);
        }
        return nullptr;
    }

private:
    json::value map(const YAML::Node& node, const std::string& path, int depth) {
        json::object members;
        for (const auto& item : node) {
            const auto& key = item.first;
            if (!key.IsScalar())
                throw YAML::RepresentationException{key.Mark(), "a key must be a scalar"};
            auto place = path.empty() ? key.Scalar() : path + '.' + key.Scalar();
            auto member = value(item.second, place, depth + 1);
            const bool fresh = members.insert_or_assign(key.Scalar(), std::move(member)).second;
            if (!fresh) doubled_.push_back(std::move(place));
        }
        return members;
    }

    std::vector<std::string>& doubled_;
    int values_{};
};
// NOLINTEND(misc-no-recursion)

} // namespace

Result<Json> yaml_to_json(std::string_view text) {
    if (!log::is_utf8(text)) return Problem{"yaml: not UTF-8"};
    try {
        Json result;
        result.value = Unfolding{result.doubled}.value(YAML::Load(std::string{text}), {}, 0);
        return result;
    } catch (const YAML::Exception& error) {
        const auto where = error.mark.is_null()
                               ? std::string{}
                               : "line " + std::to_string(error.mark.line + 1) + ": ";
        return Problem{"yaml: " + where + error.msg};
    }
}

} // namespace ipvsproxy::config
