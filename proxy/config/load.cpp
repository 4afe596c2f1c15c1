#include "proxy/config/load.h"

#include <array>
#include <boost/json/object.hpp>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <set>
#include <system_error>

#include "proxy/config/duration.h"
#include "proxy/config/fields.h"
#include "proxy/config/texts.h"
#include "proxy/config/yaml.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

namespace json = boost::json;

/// An integer, also one written as 5.0.
template <class Integer> std::optional<Integer> whole(const json::value& value) {
    constexpr double exact = 1LL << 53; // up to here a double holds every integer
    std::optional<std::int64_t> number;
    if (value.is_int64()) number = value.get_int64();
    else if (value.is_double() && std::abs(value.get_double()) <= exact &&
             std::trunc(value.get_double()) == value.get_double())
        number = static_cast<std::int64_t>(value.get_double());
    if (!number || !std::in_range<Integer>(*number)) return std::nullopt;
    return static_cast<Integer>(*number);
}

std::string_view kind_of(const json::value& value) {
    switch (value.kind()) {
    case json::kind::null:
        return "null";
    case json::kind::bool_:
        return "a truth value";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
        return "a number";
    case json::kind::string:
        return "a string";
    case json::kind::array:
        return "a list";
    case json::kind::object:
        return "an object";
    }
    return "?";
}

/// What decoding one object finds out, all levels together.
struct Findings {
    std::vector<std::string> unknown; ///< paths of fields that do not exist
    std::vector<std::string> errors;  ///< values of a wrong kind
};

/// Takes the members of one JSON object into the fields of the same name. Null changes nothing.
class Decoder {
public:
    Decoder(const json::object& object, std::string path, Findings& findings)
        : object_{object}, path_{std::move(path)}, findings_{findings} {}

    template <class Member> void operator()(std::string_view name, Member& member) {
        known_.insert(name);
        const auto* const value = object_.if_contains(name);
        if (value != nullptr && !value->is_null()) take(*value, place(name), member);
    }
    template <class Member> void sometimes(std::string_view name, Member& member) {
        (*this)(name, member);
    }
    /// metav1's TimeOrMetaDuration.
    void period(std::string_view name, Duration& member) {
        const auto* const value = object_.if_contains(name);
        const auto nanoseconds = value != nullptr ? whole<std::int64_t>(*value) : std::nullopt;
        known_.insert(name);
        if (nanoseconds) member = Duration{*nanoseconds};
        else (*this)(name, member);
    }
    void ignore(std::string_view name) { known_.insert(name); }

    /// To be called last: notes what no field took.
    void finish() const {
        for (const auto& member : object_)
            if (!known_.contains(std::string_view{member.key()}))
                findings_.unknown.push_back(place(member.key()));
    }

private:
    std::string place(std::string_view name) const {
        return path_.empty() ? std::string{name} : path_ + '.' + std::string{name};
    }

    void refuse(const json::value& value, const std::string& path, std::string_view wanted) {
        findings_.errors.push_back(path + ": " + std::string{wanted} + " wanted, not " +
                                   std::string{kind_of(value)});
    }

    void take(const json::value& value, const std::string& path, std::string& member) {
        if (const auto* const text = value.if_string()) member.assign(text->begin(), text->end());
        else refuse(value, path, "a string");
    }
    void take(const json::value& value, const std::string& path, bool& member) {
        if (const auto* const truth = value.if_bool()) member = *truth;
        else refuse(value, path, "true or false");
    }
    template <class Integer>
    void take_integer(const json::value& value, const std::string& path, Integer& member) {
        if (const auto number = whole<Integer>(value)) member = *number;
        else
            refuse(value, path,
                   "an integer from " + std::to_string(std::numeric_limits<Integer>::min()) +
                       " to " + std::to_string(std::numeric_limits<Integer>::max()));
    }
    void take(const json::value& value, const std::string& path, std::int32_t& member) {
        take_integer(value, path, member);
    }
    void take(const json::value& value, const std::string& path, std::uint32_t& member) {
        take_integer(value, path, member);
    }
    void take(const json::value& value, const std::string& path, float& member) {
        if (value.is_int64()) member = static_cast<float>(value.get_int64());
        else if (value.is_double()) member = static_cast<float>(value.get_double());
        else refuse(value, path, "a number");
    }
    /// Bytes, as a resource.Quantity: a string or an integer.
    void take(const json::value& value, const std::string& path, std::uint64_t& member) {
        const auto* const text = value.if_string();
        auto bytes = text != nullptr ? parse_quantity({text->data(), text->size()}) : std::nullopt;
        if (value.is_int64() && value.get_int64() >= 0)
            bytes = static_cast<std::uint64_t>(value.get_int64());
        if (bytes) member = *bytes;
        else refuse(value, path, "a quantity such as 4Ki");
    }
    void take(const json::value& value, const std::string& path, Duration& member) {
        const auto* const text = value.if_string();
        if (text == nullptr) return refuse(value, path, "a duration such as 1m30s");
        const std::string_view written{text->data(), text->size()};
        if (const auto duration = read_duration(written)) member = *duration;
        else findings_.errors.push_back(path + ": " + duration.error());
    }
    template <class Item>
    void take(const json::value& value, const std::string& path, std::vector<Item>& member) {
        const auto* const items = value.if_array();
        if (items == nullptr) return refuse(value, path, "a list");
        member.clear();
        for (const auto& item : *items) {
            const auto index = path + '[' + std::to_string(member.size()) + ']';
            member.emplace_back();
            if (!item.is_null()) take(item, index, member.back());
        }
    }
    void take(const json::value& value, const std::string& path,
              std::map<std::string, bool>& member) {
        const auto* const items = value.if_object();
        if (items == nullptr) return refuse(value, path, "an object");
        for (const auto& item : *items)
            if (!item.value().is_null())
                take(item.value(), path + '.' + std::string{item.key()},
                     member[std::string{item.key()}]);
    }
    template <class Object>
    requires requires(Decoder decoder, Object object) { fields(decoder, object); }
    void take(const json::value& value, const std::string& path, Object& member) {
        const auto* const object = value.if_object();
        if (object == nullptr) return refuse(value, path, "an object");
        Decoder inner{*object, path, findings_};
        fields(inner, member);
        inner.finish();
    }

    const json::object& object_;
    std::string path_;
    Findings& findings_;
    std::set<std::string_view> known_{};
};

std::string text_member(const json::object& object, std::string_view name) {
    const auto* const value = object.if_contains(name);
    const auto* const text = value != nullptr ? value->if_string() : nullptr;
    return text != nullptr ? std::string{text->data(), text->size()} : std::string{};
}

/// Nothing when the object is of the one kind there is.
std::optional<Problem> other_kind(const json::object& object) {
    const auto its_kind = text_member(object, "kind");
    const auto its_version = text_member(object, "apiVersion");
    if (its_kind.empty()) return Problem{"Object 'Kind' is missing"};
    if (its_version.empty()) return Problem{"Object 'apiVersion' is missing"};
    if (its_kind == kind && its_version == api_version) return std::nullopt;
    return Problem{"no kind " + log::quoted(its_kind) + " is registered for version " +
                   log::quoted(its_version)};
}

template <class Value> void unless_zero(Value& value, const Value& standard) {
    if (value == Value{}) value = standard;
}

/// v1alpha1 has no pointers here: zero cannot be told from absent, and both mean the default.
void fill_defaults(Configuration& of) {
    const Configuration standard;
    unless_zero(of.bind_address, standard.bind_address);
    const auto bind = Address::parse(of.bind_address);
    const bool v4 = bind && bind->family() == Family::v4;
    unless_zero(of.healthz_bind_address, std::string{v4 ? "0.0.0.0" : "::"});
    unless_zero(of.metrics_bind_address, std::string{v4 ? "127.0.0.1" : "::1"});
    of.healthz_bind_address = with_port(of.healthz_bind_address, 10256);
    of.metrics_bind_address = with_port(of.metrics_bind_address, 10249);
    unless_zero(of.client_connection.content_type, standard.client_connection.content_type);
    unless_zero(of.client_connection.burst, standard.client_connection.burst);
    unless_zero(of.client_connection.qps, standard.client_connection.qps);
    unless_zero(of.config_sync_period, standard.config_sync_period);
    unless_zero(of.iptables.sync_period, standard.iptables.sync_period);
    unless_zero(of.iptables.min_sync_period, standard.iptables.min_sync_period);
    unless_zero(of.nftables.sync_period, standard.nftables.sync_period);
    unless_zero(of.nftables.min_sync_period, standard.nftables.min_sync_period);
    unless_zero(of.ipvs.sync_period, standard.ipvs.sync_period);
    unless_zero(of.logging.format, standard.logging.format);
    unless_zero(of.logging.flush_frequency, standard.logging.flush_frequency);
    unless_zero(of.mode, standard.mode);
    unless_zero(of.detect_local_mode, standard.detect_local_mode);
}

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const auto& part : parts)
        out += (out.empty() ? "" : ", ") + part;
    return out;
}

std::vector<std::string> lenient_warning(const std::vector<std::string>& doubled,
                                         const Findings& findings) {
    std::vector<std::string> reasons;
    reasons.reserve(doubled.size() + findings.unknown.size());
    for (const auto& path : doubled)
        reasons.push_back("field " + log::quoted(path) + " already set");
    for (const auto& path : findings.unknown)
        reasons.push_back("unknown field " + log::quoted(path));
    if (reasons.empty()) return {};
    return {"Using lenient decoding as strict decoding failed: strict decoding error: " +
            joined(reasons)};
}

} // namespace

Result<Loaded> load(std::string_view text) {
    const auto read = yaml_to_json(text);
    if (!read) return read.error();
    const auto* const object = read->value.if_object();
    if (read->value.is_null()) return Problem{"there is nothing in it"};
    if (object == nullptr)
        return Problem{"an object wanted, not " + std::string{kind_of(read->value)}};
    if (auto problem = other_kind(*object)) return *problem;

    Loaded loaded;
    auto& configuration = loaded.configuration;
    configuration.healthz_bind_address.clear(); // their defaults follow bindAddress
    configuration.metrics_bind_address.clear();
    Findings findings;
    Decoder decoder{*object, {}, findings};
    decoder.ignore("apiVersion");
    decoder.ignore("kind");
    fields(decoder, configuration);
    decoder.finish();
    if (!findings.errors.empty()) return Problem{joined(findings.errors)};
    fill_defaults(configuration);
    loaded.warnings = lenient_warning(read->doubled, findings);
    return loaded;
}

Result<Loaded> load_file(const std::string& path) {
    const auto refused = [&](std::string_view step) {
        const auto reason = std::generic_category().message(errno);
        return Problem{std::string{step} + ' ' + path + ": " + lower(reason.substr(0, 1)) +
                       reason.substr(1)}; // as the Go runtime words it
    };
    const std::unique_ptr<std::FILE, decltype([](std::FILE* file) { std::fclose(file); })> file{
        std::fopen(path.c_str(), "rbe")};
    if (!file) return refused("open");
    std::string text;
    std::array<char, 4096> part{};
    while (const auto size = std::fread(part.data(), 1, part.size(), file.get()))
        text.append(part.data(), size);
    if (std::ferror(file.get()) != 0) return refused("read");
    auto loaded = load(text);
    if (!loaded) return Problem{"failed to decode: " + path + ": " + loaded.error().text};
    return loaded;
}

} // namespace ipvsproxy::config
