#include "proxy/serve/pages.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "proxy/config/texts.h"
#include "proxy/config/write.h"
#include "proxy/log/log.h"

namespace ipvsproxy::serve {
namespace {

/// The values of a key of a query, `%xx` and `+` decoded. A key without `=` has the value "".
std::vector<std::string> query_values(std::string_view query, std::string_view key) {
    const auto decoded = [](std::string_view text) {
        std::string out;
        for (std::size_t i = 0; i < text.size(); ++i) {
            unsigned code{};
            const auto hex = text.substr(i + 1, 2);
            const bool escaped =
                text[i] == '%' && hex.size() == 2 &&
                std::from_chars(hex.data(), hex.data() + 2, code, 16).ptr == hex.data() + 2;
            if (escaped) i += 2;
            out += escaped ? static_cast<char>(code) : text[i] == '+' ? ' ' : text[i];
        }
        return out;
    };
    std::vector<std::string> values;
    for (const auto& pair : config::split(query, '&')) {
        const std::string_view each{pair};
        const auto equals = std::min(each.find('='), each.size());
        if (decoded(each.substr(0, equals)) == key)
            values.push_back(decoded(each.substr(std::min(equals + 1, each.size()))));
    }
    return values;
}

bool has_key(std::string_view query, std::string_view key) {
    return !query_values(query, key).empty();
}

} // namespace

http::Response text_page(std::string body, unsigned status) {
    return {status,
            {{"Content-Type", "text/plain; charset=utf-8"}, {"X-Content-Type-Options", "nosniff"}},
            std::move(body)};
}

http::Response json_page(std::string body) {
    return {200,
            {{"Content-Type", "application/json"}, {"X-Content-Type-Options", "nosniff"}},
            std::move(body)};
}

http::Response not_found() {
    return text_page("404 page not found\n", 404);
}

http::Response ping_page(const http::Request& request) {
    const auto query = request.query();
    if (!has_key(query, "verbose")) return text_page("ok");
    std::string unknown;
    bool excluded = false;
    for (const auto& name : query_values(query, "exclude")) {
        if (name == "ping") excluded = true;
        else unknown += (unknown.empty() ? "\"" : ", \"") + name + '"';
    }
    std::string body = excluded ? "[+]ping excluded: ok\n" : "[+]ping ok\n";
    if (!unknown.empty())
        body += "warn: some health checks cannot be excluded: no matches for " + unknown + '\n';
    return text_page(body + "healthz check passed\n");
}

http::Response configz(const About& about) {
    return json_page(R"({"kubeproxy.config.k8s.io":)" +
                     config::to_json(about.options.configuration) + '}');
}

http::Response verbosity_flag(const http::Request& request) {
    if (request.method != "PUT") return text_page("unsupported http method", 406);
    const auto level = config::parse_int32(request.body);
    if (!level || *level < 0)
        return text_page(
            "the log's verbosity is a number of 0 or more, not \"" + request.body + '"', 400);
    log::set_verbosity(*level);
    return text_page("successfully set klog.logging.verbosity to " + request.body);
}

http::Response no_profile() {
    return text_page(
        "Go's profiles do not exist here: this is a C++ process. Use perf or gdb on the "
        "node (perf record -g -p PID), and /metrics for memory and CPU time.\n",
        501);
}

void Pages::add(std::string path, http::Handler handler) {
    pages_.emplace_back(std::move(path), std::move(handler));
}

http::Response Pages::answer(const http::Request& request) const {
    const auto path = request.path();
    const http::Handler* best = nullptr;
    std::size_t longest = 0;
    for (const auto& [known, handler] : pages_) {
        const bool below = known.ends_with('/') && path.starts_with(known);
        if ((path != known && !below) || known.size() <= longest) continue;
        best = &handler;
        longest = known.size();
    }
    return best == nullptr ? not_found() : (*best)(request);
}

std::vector<std::string> Pages::paths() const {
    std::set<std::string> top;
    for (const auto& [path, handler] : pages_)
        top.insert(path.substr(0, path.find('/', 1)));
    return {top.begin(), top.end()};
}

} // namespace ipvsproxy::serve
