#include "proxy/files/reading.h"

#include "proxy/api/decode.h"

namespace ipvsproxy::files {
namespace {

bool is_json(const std::string& file, std::string_view text) {
    if (file.ends_with(".json")) return true;
    if (file.ends_with(".yaml") || file.ends_with(".yml")) return false;
    constexpr std::string_view blanks = " \t\r\n";
    const auto brace = text.find_first_not_of(blanks);
    if (brace == std::string_view::npos || text[brace] != '{') return false;
    const auto next = text.find_first_not_of(blanks, brace + 1);
    return next != std::string_view::npos && (text[next] == '"' || text[next] == '}');
}

/// `web.yaml:17: Service default/web: spec.ports[0].port: port outside 1..65535`
std::string placed(const std::string& file, std::size_t line, const std::string& text) {
    const auto at = line == 0 ? file : file + ':' + std::to_string(line);
    return at + ": " + text;
}

class Reader {
public:
    explicit Reader(const std::string& file) : file_{file} {}

    void take(api::Decoded&& one) {
        for (const auto& warning : one.warnings)
            say(Severity::warning, one, warning);
        if (one.object.has_error()) return refuse(one);
        std::visit(
            [&]<class T>(T&& object) {
                if constexpr (std::is_constructible_v<Given, T>) give(one, std::forward<T>(object));
                else pass_over(one, object);
            },
            std::move(*one.object));
    }
    void broken(const api::Problem& problem) {
        reading_.broken = true;
        reading_.messages.push_back({Severity::error, placed(file_, problem.line, problem.text())});
    }
    Reading& reading() { return reading_; }

private:
    void say(Severity severity, const api::Decoded& one, const api::Problem& problem) {
        const auto line = problem.line == 0 ? one.line : problem.line;
        reading_.messages.push_back(
            {severity, placed(file_, line, one.label() + ": " + problem.text())});
    }
    void refuse(const api::Decoded& one) {
        say(Severity::error, one, one.object.error());
        if (one.name.name.empty()) reading_.anonymous = true;
        else if (one.kind == "Service") reading_.refused.insert({Key::Kind::service, one.name});
        else if (one.kind == "EndpointSlice") reading_.refused.insert({Key::Kind::slice, one.name});
        else if (one.kind == "Node")
            reading_.refused.insert({Key::Kind::node, {.space = {}, .name = one.name.name}});
    }
    void give(const api::Decoded& one, Given object) {
        auto key = key_of(object);
        if (reading_.objects.contains(key))
            say(Severity::warning, one, {{}, "given twice in this file, the last one counts", {}});
        reading_.objects.insert_or_assign(std::move(key), std::move(object));
    }
    void pass_over(const api::Decoded&, const api::Status&) {
        reading_.passed_over.insert("v1 Status");
    }
    void pass_over(const api::Decoded& one, const api::OtherObject& other) {
        // A slice that is none of a proxy's business has said so in a warning, or by its label.
        if (one.kind == "EndpointSlice" && other.api_version == "discovery.k8s.io/v1") return;
        reading_.passed_over.insert(other.api_version + ' ' + one.kind);
    }

    const std::string& file_;
    Reading reading_{};
};

} // namespace

Reading read_manifest(const std::string& file, std::string_view text) {
    Reader reader{file};
    const auto decode = is_json(file, text) ? api::decode_json : api::decode_yaml;
    const auto problem = decode(
        text, [&](api::Decoded&& one) { reader.take(std::move(one)); }, api::Origin::manifest);
    if (problem) reader.broken(*problem);
    return std::move(reader.reading());
}

} // namespace ipvsproxy::files
