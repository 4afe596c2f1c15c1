// /flagz and /statusz: for people as text, for programs as an object of config.k8s.io.
#include <algorithm>
#include <array>
#include <ctime>
#include <optional>

#include "proxy/config/texts.h"
#include "proxy/config/version.h"
#include "proxy/log/quote.h"
#include "proxy/serve/pages.h"

namespace ipvsproxy::serve {
namespace {

/// A name with its value, which is JSON already.
using Fields = std::vector<std::pair<std::string, std::string>>;

enum class Form : std::uint8_t { text, json, yaml };

struct Choice {
    Form form{Form::text};
    std::string version{}; ///< of config.k8s.io
};

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
    if (std::ranges::find(as_text, range.media) != as_text.end()) return Choice{};
    if (range.group != "config.k8s.io" || range.kind != kind) return {};
    if (std::ranges::find(versions, range.version) == versions.end()) return {};
    if (range.media == "application/json") return Choice{Form::json, range.version};
    if (range.media == "application/yaml") return Choice{Form::yaml, range.version};
    return {};
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
std::string object(Form form, const Fields& fields) {
    std::string out;
    for (const auto& [key, value] : fields) {
        if (form == Form::yaml) out.append(key).append(": ").append(value).append("\n");
        else
            out.append(out.empty() ? "{" : ",")
                .append(log::json_quoted(key))
                .append(":")
                .append(value);
    }
    return form == Form::yaml ? out : out + '}';
}

http::Response structured(const Choice& choice, std::string_view kind, const Fields& own) {
    const std::string type{kind};
    Fields fields{{"kind", log::json_quoted(type)},
                  {"apiVersion", log::json_quoted("config.k8s.io/" + choice.version)},
                  {"metadata", R"({"name":"kube-proxy"})"}};
    fields.insert(fields.end(), own.begin(), own.end());
    auto page = json_page(object(choice.form, fields));
    if (choice.form == Form::yaml)
        page.headers = {{"Content-Type", "application/yaml"},
                        {"X-Content-Type-Options", "nosniff"}};
    if (choice.version == "v1alpha1")
        page.headers.add("Warning", "299 - \"config.k8s.io/v1alpha1 " + type +
                                        " is deprecated; use config.k8s.io/v1beta1 " + type + '"');
    return page;
}

http::Response refused(std::string_view kind) {
    const std::string type{kind};
    return text_page("Not acceptable: there are text/plain, and application/json or "
                     "application/yaml with ;v=v1beta1;g=config.k8s.io;as=" +
                         type + '\n',
                     406);
}

std::string heading(std::string_view page) {
    return "\nkube-proxy " + std::string{page} +
           "\nWarning: This endpoint is not meant to be machine parseable, has no formatting "
           "compatibility guarantees and is for debugging purposes only.\n\n";
}

std::string json_list(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : ",") + log::json_quoted(text);
    return '[' + out + ']';
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
        Fields values;
        for (const auto& [name, value] : flags)
            values.emplace_back(name, log::json_quoted(value));
        return structured(*choice, "Flagz", {{"flags", object(Form::json, values)}});
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
                          {{"startTime", log::json_quoted(timestamp(about.started.wall))},
                           {"uptimeSeconds", std::to_string(up)},
                           {"goVersion", R"("none")"},
                           {"binaryVersion", log::json_quoted(version)},
                           {"paths", json_list(paths)}});
    std::string body = heading("statusz");
    body += "Started: " + unix_date(about.started.wall) + "\nUp: " + std::to_string(up / 3600) +
            " hr " + two_digits(up / 60 % 60) + " min " + two_digits(up % 60) +
            " sec\nGo version: none\nBinary version: " + version + "\nPaths:";
    for (const auto& path : paths)
        body += ' ' + path;
    return text_page(body + '\n');
}

} // namespace ipvsproxy::serve
