#include "proxy/api/media_type.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ipvsproxy::api {
namespace {

constexpr std::string_view protobuf = "application/vnd.kubernetes.protobuf";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Without blanks, in small letters: what media types are compared by (RFC 9110 8.3.1).
std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (c != ' ' && c != '\t') out += lower(c);
    return out;
}

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= text.size();) {
        const auto to = std::min(text.find(at, from), text.size());
        parts.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

} // namespace

std::string accepted(std::string_view accept_content_types, std::string_view content_type) {
    const auto asked = plain(accept_content_types.empty() ? content_type : accept_content_types);
    std::string out;
    for (const auto& type : split(asked, ',')) {
        const auto name = split(type, ';').front();
        if (name == json_only) break; // what comes after it would not be chosen
        if (name == protobuf && out.empty()) out = name;
    }
    return out.empty() ? json_only : out + ',' + json_only;
}

bool is_protobuf(std::string_view content_type) {
    return split(plain(content_type), ';').front() == protobuf;
}

std::unique_ptr<Decoder> decoder_for(std::string_view content_type, Receiver receiver) {
    if (!is_protobuf(content_type)) return std::make_unique<JsonDecoder>(std::move(receiver));
    const auto parts = split(plain(content_type), ';');
    const bool watch = std::ranges::find(parts, "stream=watch") != parts.end();
    return std::make_unique<ProtobufDecoder>(
        std::move(receiver), watch ? ProtobufDecoder::Form::watch : ProtobufDecoder::Form::single);
}

} // namespace ipvsproxy::api
