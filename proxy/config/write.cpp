#include "proxy/config/write.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>

#include "proxy/config/duration.h"
#include "proxy/config/fields.h"
#include "proxy/config/yaml.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

namespace json = boost::json;

template <class Object> json::object encoded(const Object& object);

json::value encoded(const std::string& text) {
    return json::string{text};
}
json::value encoded(bool truth) {
    return truth;
}
json::value encoded(std::int32_t number) {
    return number;
}
json::value encoded(std::uint32_t number) {
    return number;
}
json::value encoded(std::uint64_t bytes) {
    return json::string{std::to_string(bytes)}; // a resource.Quantity
}
json::value encoded(float number) {
    constexpr float exact = 1 << 24; // up to here a float holds every integer
    if (std::abs(number) <= exact && std::trunc(number) == number)
        return static_cast<std::int32_t>(number);
    std::array<char, 32> text{}; // the shortest that reads back: 0.1f is not 0.10000000149
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    double shortest{};
    std::from_chars(text.data(), end, shortest);
    return shortest;
}
json::value encoded(Duration duration) {
    return json::string{duration_text(duration)};
}
template <class Item> json::value encoded(const std::vector<Item>& items) {
    if (items.empty()) return nullptr;
    json::array out;
    for (const auto& item : items)
        out.push_back(encoded(item));
    return out;
}
json::value encoded(const std::map<std::string, bool>& items) {
    json::object out;
    for (const auto& [name, value] : items)
        out.emplace(name, value);
    return out;
}

struct Encoder {
    json::object out{};
    template <class Member> void operator()(std::string_view name, const Member& member) {
        out.emplace(name, encoded(member));
    }
    template <class Member> void sometimes(std::string_view name, const Member& member) {
        if (member != Member{}) (*this)(name, member);
    }
    void period(std::string_view name, Duration member) { (*this)(name, member); }
};

template <class Object> json::object encoded(const Object& object) {
    Encoder encoder;
    fields(encoder, object);
    return std::move(encoder.out);
}

json::object whole(Configuration configuration) {
    configuration.iptables.min_sync_period = configuration.iptables.sync_period = {};
    configuration.nftables.min_sync_period = configuration.nftables.sync_period = {};
    auto out = encoded(configuration);
    out.emplace("apiVersion", api_version);
    out.emplace("kind", kind);
    return out;
}

/// A text as a YAML scalar: plain where it is read back as the same text, else in quotes.
std::string yaml_text(std::string_view text) {
    const bool simple = std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view{"./:_-"}.find(c) != std::string_view::npos;
    });
    if (simple && !text.empty() && text.front() != ':' && text.front() != '-' &&
        text.back() != ':') {
        const auto read = yaml_to_json(text);
        const auto* const back = read ? read->value.if_string() : nullptr;
        if (back != nullptr && *back == text) return std::string{text};
    }
    return log::json_quoted(text);
}

// NOLINTBEGIN(misc-no-recursion): as deep as the fields are nested
void write(std::string& out, const json::value& value, std::size_t indent);

void write(std::string& out, const json::object& object, std::size_t indent) {
    std::vector<std::string_view> names;
    for (const auto& member : object)
        names.push_back(member.key());
    std::ranges::sort(names);
    for (const auto name : names) {
        out += std::string(indent, ' ') + yaml_text(name) + ':';
        write(out, object.at(name), indent);
    }
}

void write(std::string& out, const json::array& items, std::size_t indent) {
    for (const auto& item : items) {
        out += std::string(indent, ' ') + '-';
        const auto* const object = item.if_object();
        if (object == nullptr) {
            write(out, item, indent);
            continue;
        }
        std::string members;
        write(members, *object, indent + 2);
        out += ' ' + members.substr(indent + 2); // the first member stands behind the dash
    }
}

/// What follows "name:" or "-".
void write(std::string& out, const json::value& value, std::size_t indent) {
    if (const auto* const object = value.if_object()) {
        out += object->empty() ? " {}\n" : "\n";
        write(out, *object, indent + 2);
    } else if (const auto* const items = value.if_array()) {
        out += '\n';
        write(out, *items, indent);
    } else if (const auto* const text = value.if_string()) {
        out += ' ' + yaml_text({text->data(), text->size()}) + '\n';
    } else {
        out += ' ' + json::serialize(value) + '\n';
    }
}
// NOLINTEND(misc-no-recursion)

} // namespace

std::string to_yaml(const Configuration& configuration) {
    std::string out;
    write(out, whole(configuration), 0);
    return out;
}

std::string to_json(const Configuration& configuration) {
    return json::serialize(whole(configuration));
}

} // namespace ipvsproxy::config
