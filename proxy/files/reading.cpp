#include "proxy/files/reading.h"

#include <optional>
#include <utility>

#include "proxy/api/decode.h"

namespace ipvsproxy::files {
namespace {

/// By the file's name. Nothing when it does not say.
std::optional<bool> is_json(const std::string& file) {
    if (file.ends_with(".json")) return true;
    if (file.ends_with(".yaml") || file.ends_with(".yml")) return false;
    return std::nullopt;
}

/// By how the text begins. Nothing when there is too little of it yet.
std::optional<bool> begins_as_json(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto brace = text.find_first_not_of(blanks);
    if (brace == std::string_view::npos) return std::nullopt;
    if (text[brace] != '{') return false;
    const auto next = text.find_first_not_of(blanks, brace + 1);
    if (next == std::string_view::npos) return std::nullopt;
    return text[next] == '"' || text[next] == '}';
}

/// `web.yaml:17: Service default/web: spec.ports[0].port: port outside 1..65535`
std::string placed(const std::string& file, std::size_t line, const std::string& text) {
    const auto at = line == 0 ? file : file + ':' + std::to_string(line);
    return at + ": " + text;
}

/// Collects what the decoders hand out.
class Collector {
public:
    explicit Collector(std::string file) : file_{std::move(file)} {}
    void take(api::Decoded&& one);
    /// The text as a whole cannot be read.
    void broken(const std::optional<api::Problem>& problem);
    Reading& reading() { return reading_; }

private:
    void say(Severity severity, const api::Decoded& one, const api::Problem& problem);
    void refuse(const api::Decoded& one);
    template <class Map, class Object>
    void give(const api::Decoded& one, Map& map, Object&& object);
    void pass_over(const api::Decoded& one, const api::OtherObject& other);

    std::string file_;
    Reading reading_{};
};

template <class Map, class Object>
void Collector::give(const api::Decoded& one, Map& map, Object&& object) {
    const auto name = object.name;
    const auto [at, is_new] = map.try_emplace(name, std::forward<Object>(object));
    if (is_new) return; // else nothing was moved
    say(Severity::warning, one, {{}, "given twice in this file, the last one counts", {}});
    at->second = std::forward<Object>(object);
}

void Collector::take(api::Decoded&& one) {
    for (const auto& warning : one.warnings)
        say(Severity::warning, one, warning);
    if (one.object.has_error()) return refuse(one);
    auto& object = *one.object;
    auto& [services, slices, nodes] = reading_.objects;
    if (auto* service = std::get_if<model::Service>(&object))
        give(one, services, std::move(*service));
    else if (auto* slice = std::get_if<model::EndpointSlice>(&object))
        give(one, slices, std::move(*slice));
    else if (auto* node = std::get_if<model::Node>(&object)) give(one, nodes, std::move(*node));
    else if (const auto* other = std::get_if<api::OtherObject>(&object)) pass_over(one, *other);
    else reading_.passed_over.insert("v1 Status");
}

void Collector::say(Severity severity, const api::Decoded& one, const api::Problem& problem) {
    const auto line = problem.line == 0 ? one.line : problem.line;
    reading_.messages.push_back(
        {severity, placed(file_, line, one.label() + ": " + problem.text())});
}

void Collector::refuse(const api::Decoded& one) {
    say(Severity::error, one, one.object.error());
    if (one.name.name.empty()) reading_.anonymous = true;
    else if (one.kind == "Service") reading_.refused.insert({Key::Kind::service, one.name});
    else if (one.kind == "EndpointSlice") reading_.refused.insert({Key::Kind::slice, one.name});
    else if (one.kind == "Node") reading_.refused.insert({Key::Kind::node, {{}, one.name.name}});
}

void Collector::pass_over(const api::Decoded& one, const api::OtherObject& other) {
    // A slice that is none of a proxy's business has said so in a warning, or by its label.
    if (one.kind == "EndpointSlice" && other.api_version == "discovery.k8s.io/v1") return;
    reading_.passed_over.insert(other.api_version + ' ' + one.kind);
}

void Collector::broken(const std::optional<api::Problem>& problem) {
    if (!problem) return;
    reading_.broken = true;
    reading_.messages.push_back({Severity::error, placed(file_, problem->line, problem->text())});
}

} // namespace

struct ManifestReader::Parts {
    explicit Parts(const std::string& file) : found{file}, json{is_json(file)} {}

    Collector found;
    std::optional<bool> json; ///< nothing: not known yet
    std::string text{};       ///< of YAML, or as long as the language is not known
    api::Receiver receiver{[this](api::Decoded&& one) { found.take(std::move(one)); }};
    api::JsonDecoder decoder{receiver, api::Origin::manifest};
};

ManifestReader::ManifestReader(const std::string& file) : parts_{std::make_unique<Parts>(file)} {}
ManifestReader::~ManifestReader() = default;

void ManifestReader::feed(std::string_view piece) {
    auto& parts = *parts_;
    if (parts.json == true) {
        if (!parts.found.reading().broken) parts.found.broken(parts.decoder.feed(piece));
        return;
    }
    parts.text += piece;
    if (parts.json) return; // YAML: read as a whole
    parts.json = begins_as_json(parts.text);
    if (parts.json == true) parts.found.broken(parts.decoder.feed(std::exchange(parts.text, {})));
}

Reading ManifestReader::finish() {
    auto& parts = *parts_;
    auto& reading = parts.found.reading();
    if (parts.json != true)
        parts.found.broken(api::decode_yaml(parts.text, parts.receiver, api::Origin::manifest));
    else if (!reading.broken) parts.found.broken(parts.decoder.finish());
    return std::move(reading);
}

} // namespace ipvsproxy::files
