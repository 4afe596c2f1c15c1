// /flagz and /statusz: for people as text, for programs as an object of config.k8s.io.
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <optional>

#include "proxy/config/texts.h"
#include "proxy/config/version.h"
#include "proxy/serve/cbor.h"
#include "proxy/serve/pages.h"

namespace ipvsproxy::serve {
namespace {

namespace json = boost::json;

enum class Form : std::uint8_t { text, json, yaml, cbor };

struct Choice {
    Form form{Form::text};
    std::string version{}; ///< of config.k8s.io
};

std::string_view media_type(Form form) {
    switch (form) {
    case Form::text:
        return "text/plain";
    case Form::json:
        return "application/json";
    case Form::yaml:
        return "application/yaml";
    case Form::cbor:
        return "application/cbor";
    }
    return {};
}

/// One of those that Accept holds: `application/json;v=v1beta1;g=config.k8s.io;as=Statusz`.
struct Range {
    std::string media{};
    std::string version{};
    std::string group{};
    std::string kind{};
};

Range parse_range(const std::string& text) {
    const auto parts = config::split(text, ';');
    Range range{.media = config::lower(config::trimmed(parts.front()))};
    for (const auto& part : parts) {
        const auto word = config::trimmed(part);
        if (word.starts_with("v=")) range.version = word.substr(2);
        if (word.starts_with("g=")) range.group = word.substr(2);
        if (word.starts_with("as=")) range.kind = word.substr(3);
    }
    return range;
}

/// The page in the form that this range asks for; nothing when it asks for something else.
std::optional<Choice> offered(const Range& range, std::string_view kind) {
    static constexpr std::array<std::string_view, 3> as_text{"text/plain", "text/*", "*/*"};
    static constexpr std::array<std::string_view, 2> versions{"v1beta1", "v1alpha1"};
    static constexpr std::array forms{Form::json, Form::yaml, Form::cbor};
    if (std::ranges::find(as_text, range.media) != as_text.end()) return Choice{};
    if (range.group != "config.k8s.io" || range.kind != kind) return {};
    if (std::ranges::find(versions, range.version) == versions.end()) return {};
    const auto form = std::ranges::find(forms, range.media, media_type);
    return form == forms.end() ? std::nullopt : std::optional{Choice{*form, range.version}};
}

/// The first in Accept that can be served. Nothing when none can.
std::optional<Choice> choose(const http::Request& request, std::string_view kind) {
    const auto accept = request.headers.joined("Accept");
    if (config::trimmed(accept).empty()) return Choice{};
    for (const auto& range : config::split(accept))
        if (auto choice = offered(parse_range(range), kind)) return choice;
    return {};
}

/// JSON is YAML in one line but for the outermost object, which is written a key a line.
std::string to_yaml(const json::object& object) {
    std::string out;
    for (const auto& field : object)
        out.append(field.key()).append(": ").append(json::serialize(field.value())).append("\n");
    return out;
}

std::string written(Form form, const json::object& object) {
    switch (form) {
    case Form::yaml:
        return to_yaml(object);
    case Form::cbor:
        return to_cbor(object);
    default:
        return json::serialize(object);
    }
}

http::Response structured(const Choice& choice, std::string_view kind, const json::object& own) {
    json::object object{{"kind", kind},
                        {"apiVersion", "config.k8s.io/" + choice.version},
                        {"metadata", {{"name", "kube-proxy"}}}};
    object.insert(own.begin(), own.end());
    http::Response page{200,
                        {{"Content-Type", std::string{media_type(choice.form)}},
                         {"X-Content-Type-Options", "nosniff"}},
                        written(choice.form, object)};
    const std::string type{kind};
    if (choice.version == "v1alpha1")
        page.headers.add("Warning", "299 - \"config.k8s.io/v1alpha1 " + type +
                                        " is deprecated; use config.k8s.io/v1beta1 " + type + '"');
    return page;
}

http::Response refused(std::string_view kind) {
    const std::string type{kind};
    return text_page("Not acceptable: there are text/plain, and application/json, "
                     "application/yaml or application/cbor with "
                     ";v=v1beta1;g=config.k8s.io;as=" +
                         type + '\n',
                     406);
}

std::string heading(std::string_view page) {
    return "\nkube-proxy " + std::string{page} +
           "\nWarning: This endpoint is not meant to be machine parseable, has no formatting "
           "compatibility guarantees and is for debugging purposes only.\n\n";
}

/// `Sat Nov 21 02:03:40 UTC 2026`, Go's UnixDate.
std::string unix_date(std::chrono::system_clock::time_point time) {
    const std::time_t second = std::chrono::system_clock::to_time_t(time);
    std::tm at{};
    ::gmtime_r(&second, &at);
    std::array<char, 64> text{};
    const auto size = std::strftime(text.data(), text.size(), "%a %b %e %H:%M:%S UTC %Y", &at);
    return {text.data(), size};
}

std::string two_digits(std::int64_t number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
}

} // namespace

http::Response flagz(const http::Request& request, const About& about) {
    const auto choice = choose(request, "Flagz");
    if (!choice) return refused("Flagz");
    const auto& flags = about.options.flags;
    if (choice->form != Form::text) {
        json::object values;
        for (const auto& [name, value] : flags)
            values.emplace(name, value);
        return structured(*choice, "Flagz", {{"flags", std::move(values)}});
    }
    std::string body = heading("flagz");
    for (const auto& [name, value] : flags)
        body.append(name).append("=").append(value).append("\n");
    return text_page(std::move(body));
}

http::Response statusz(const http::Request& request, const About& about, Instant now,
                       const std::vector<std::string>& paths) {
    const auto choice = choose(request, "Statusz");
    if (!choice) return refused("Statusz");
    const auto up =
        std::chrono::floor<std::chrono::seconds>(now.steady - about.started.steady).count();
    const std::string version{config::git_version};
    if (choice->form != Form::text)
        return structured(*choice, "Statusz",
                          {{"startTime", timestamp(about.started.wall)},
                           {"uptimeSeconds", up},
                           {"goVersion", "none"},
                           {"binaryVersion", version},
                           {"paths", json::array(paths.begin(), paths.end())}});
    std::string body = heading("statusz");
    body += "Started: " + unix_date(about.started.wall) + "\nUp: " + std::to_string(up / 3600) +
            " hr " + two_digits(up / 60 % 60) + " min " + two_digits(up % 60) +
            " sec\nGo version: none\nBinary version: " + version + "\nPaths:";
    for (const auto& path : paths)
        body += ' ' + path;
    return text_page(body + '\n');
}

} // namespace ipvsproxy::serve
