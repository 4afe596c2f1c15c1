#include "proxy/http/message.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace ipvsproxy::http {
namespace {

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// tchar of RFC 9110 §5.6.2
bool token(std::string_view text) noexcept {
    constexpr std::string_view signs = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        const char letter = lower(c);
        return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
               signs.find(c) != std::string_view::npos;
    });
}

/// A line break would begin a field that nobody wrote; NUL and its like are refused with it.
bool has_control(std::string_view text) noexcept {
    return std::ranges::any_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

bool has_length(std::string_view method) noexcept {
    return method == "POST" || method == "PUT" || method == "PATCH";
}

void line(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

Result<void> append(std::string& out, const Headers& headers) {
    for (const auto& [name, value] : headers) {
        if (!token(name)) return Problem{400, "header name is no token: " + name.substr(0, 64)};
        if (has_control(value))
            return Problem{400, "header " + name +
                                    " has a line break or control character in its value"};
        line(out, name, value);
    }
    return {};
}

} // namespace

void throw_exception_from_error(const Problem& problem, const boost::source_location& /*where*/) {
    throw std::runtime_error{problem.reason};
}

bool same_word(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

void Headers::add(std::string name, std::string value) {
    list_.push_back({std::move(name), std::move(value)});
}

const std::string* Headers::find(std::string_view name) const noexcept {
    const auto found =
        std::ranges::find_if(list_, [&](const Header& each) { return same_word(each.name, name); });
    return found == list_.end() ? nullptr : &found->value;
}

std::string Headers::joined(std::string_view name) const {
    std::string all;
    for (const auto& each : list_) {
        if (!same_word(each.name, name)) continue;
        if (!all.empty()) all += ", ";
        all += each.value;
    }
    return all;
}

std::string_view Request::path() const noexcept {
    return std::string_view{target}.substr(0, target.find('?'));
}

std::string_view Request::query() const noexcept {
    const auto mark = target.find('?');
    return mark == std::string::npos ? std::string_view{}
                                     : std::string_view{target}.substr(mark + 1);
}

std::string_view reason_phrase(unsigned status) noexcept {
    static constexpr auto phrases = std::to_array<std::pair<unsigned, std::string_view>>({
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    });
    const auto found =
        std::ranges::find(phrases, status, [](const auto& each) { return each.first; });
    return found == phrases.end() ? std::string_view{} : found->second;
}

Result<std::string> serialize(const Request& request) {
    if (!token(request.method)) return Problem{400, "method is no token: " + request.method};
    if (request.target.empty() || has_control(request.target) ||
        request.target.find_first_of(" \t") != std::string::npos)
        return Problem{400, "request target is empty, or has a blank or control character in it"};
    std::string out = request.method + " " + request.target + " HTTP/1.1\r\n";
    if (const auto written = append(out, request.headers); !written) return written.error();
    if (!request.body.empty() || has_length(request.method))
        line(out, "Content-Length", std::to_string(request.body.size()));
    out += "\r\n";
    return out += request.body;
}

Result<std::string> serialize(const Response& response, Connection after, bool head_only) {
    if (response.status < 200 || response.status > 999)
        return Problem{400, "no status of an answer: " + std::to_string(response.status)};
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
    out.append(reason_phrase(response.status)).append("\r\n");
    if (const auto written = append(out, response.headers); !written) return written.error();
    const bool without_body = response.status == 204 || response.status == 304;
    if (!without_body) line(out, "Content-Length", std::to_string(response.body.size()));
    if (after == Connection::close) line(out, "Connection", "close");
    out += "\r\n";
    if (!head_only && !without_body) out += response.body;
    return out;
}

} // namespace ipvsproxy::http
