// Decodes a text at once and keeps what came, for the tests of decoding.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "proxy/api/decode.h"

namespace ipvsproxy::api {

struct Read {
    std::vector<Decoded> objects;
    std::optional<Problem> problem;
    std::optional<ListEnd> list_end;
};

inline Read read_json(std::string_view text, Origin origin = Origin::server) {
    Read read;
    JsonDecoder decoder{[&](Decoded&& one) { read.objects.push_back(std::move(one)); }, origin};
    read.problem = decoder.feed(text);
    if (!read.problem) read.problem = decoder.finish();
    read.list_end = decoder.list_end();
    return read;
}

inline Read read_yaml(std::string_view text, Origin origin = Origin::manifest) {
    Read read;
    read.problem = decode_yaml(
        text, [&](Decoded&& one) { read.objects.push_back(std::move(one)); }, origin);
    return read;
}

/// All that a Decoded says, so that two readings can be compared and shown.
inline std::string shown(const Decoded& one) {
    std::string out = one.label() + " @" + std::to_string(one.line) + " rv " + one.resource_version;
    if (one.object.has_error()) out += " refused: " + one.object.error().text();
    for (const auto& warning : one.warnings)
        out += "\n  " + warning.text();
    return out;
}

inline std::string file_text(const std::string& path) {
    const std::ifstream in{path};
    if (!in) throw std::runtime_error{"cannot read " + path};
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

template <class T> const T& as(const Decoded& one) {
    if (one.object.has_error()) throw std::runtime_error{one.object.error().text()};
    return std::get<T>(*one.object);
}

} // namespace ipvsproxy::api
