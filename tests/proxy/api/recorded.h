// Answers of a real kube-apiserver, recorded byte for byte (tests/proxy/api/recorded).
#pragma once

#include <charconv>
#include <string>

#include "tests/proxy/api/decoding.h"

namespace ipvsproxy::api {

struct Recorded {
    std::string head; ///< status line and headers
    std::string body; ///< without its chunk framing
};

/// @param name without ".http".
inline Recorded recorded(const std::string& name) {
    const auto all = file_text(std::string{RECORDED_DIR} + "/" + name + ".http");
    const auto end = all.find("\r\n\r\n");
    if (end == std::string::npos) throw std::runtime_error{name + " has no header"};
    Recorded answer{all.substr(0, end), all.substr(end + 4)};
    if (answer.head.find("Transfer-Encoding: chunked") == std::string::npos) return answer;
    std::string joined;
    for (std::size_t at = 0;;) {
        std::size_t size{};
        const auto* begin = answer.body.data() + at;
        const auto parsed =
            std::from_chars(begin, answer.body.data() + answer.body.size(), size, 16);
        if (parsed.ec != std::errc{}) throw std::runtime_error{name + " has a bad chunk"};
        if (size == 0) break;
        const auto text = answer.body.find("\r\n", at) + 2;
        joined += answer.body.substr(text, size);
        at = text + size + 2;
    }
    answer.body = std::move(joined);
    return answer;
}

} // namespace ipvsproxy::api
