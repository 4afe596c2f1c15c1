#include "proxy/log/format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fnmatch.h>
#include <type_traits>

#include "proxy/log/quote.h"

namespace ipvsproxy::log {
namespace {

std::string_view base_name(std::string_view file) {
    return file.substr(file.rfind('/') + 1); // npos + 1 is the start
}

std::string number(double value) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return {text.data(), end};
}

std::string plain(bool value) {
    return value ? "true" : "false";
}
std::string plain(std::int64_t value) {
    return std::to_string(value);
}
std::string plain(std::uint64_t value) {
    return std::to_string(value);
}

std::string list(const std::vector<std::string>& texts) {
    std::string out{'['};
    for (const auto& text : texts) {
        if (out.size() > 1) out += ',';
        out += json_quoted(text);
    }
    return out += ']';
}

/// klog sets a text of several lines between `<` and `>`, each line behind a tab.
std::string lines(std::string_view text) {
    std::string out{"<\n"};
    if (text.ends_with('\n')) text.remove_suffix(1);
    for (std::size_t start = 0; start <= text.size();) {
        const auto end = std::min(text.find('\n', start), text.size());
        out += '\t';
        out += text.substr(start, end - start);
        out += '\n';
        start = end + 1;
    }
    return out += " >";
}

struct AsText {
    std::string operator()(double value) const { return number(value); }
    std::string operator()(const std::string& text) const {
        return text.find('\n') == std::string::npos ? quoted(text) : lines(text);
    }
    std::string operator()(const std::vector<std::string>& texts) const { return list(texts); }
    std::string operator()(auto value) const { return plain(value); }
};

struct AsJson {
    std::string operator()(double value) const {
        return std::isfinite(value) ? number(value) : json_quoted(number(value));
    }
    std::string operator()(const std::string& text) const { return json_quoted(text); }
    std::string operator()(const std::vector<std::string>& texts) const { return list(texts); }
    std::string operator()(auto value) const { return plain(value); }
};

char letter(Level level) {
    switch (level) {
    case Level::info:
        return 'I';
    case Level::warning:
        return 'W';
    case Level::error:
        return 'E';
    }
    return '?';
}

} // namespace

std::string text_line(const Record& record) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(record.time);
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(record.time - seconds).count();
    const std::time_t time = std::chrono::system_clock::to_time_t(seconds);
    std::tm parts{};
    localtime_r(&time, &parts);
    std::array<char, 80> header{};
    const int length =
        std::snprintf(header.data(), header.size(), "%c%02d%02d %02d:%02d:%02d.%06ld %7ld ",
                      letter(record.level), parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                      parts.tm_min, parts.tm_sec, static_cast<long>(micros), record.pid);
    std::string line{header.data(), static_cast<std::size_t>(length)};
    line += base_name(record.where.file);
    line += ':' + std::to_string(record.where.line) + "] ";
    line += record.plain ? std::string{record.message} : quoted(record.message);
    for (const auto& [key, value] : record.fields) {
        line += ' ';
        line += key;
        line += '=' + std::visit(AsText{}, value.data());
    }
    return line;
}

std::string json_line(const Record& record) {
    const auto micros =
        std::chrono::floor<std::chrono::microseconds>(record.time).time_since_epoch().count();
    std::array<char, 48> stamp{};
    const int length =
        std::snprintf(stamp.data(), stamp.size(), "%ld.%03ld", static_cast<long>(micros / 1000),
                      static_cast<long>(micros % 1000));
    std::string line{"{\"ts\":"};
    line.append(stamp.data(), static_cast<std::size_t>(length));
    line += ",\"caller\":" + json_quoted(std::string{base_name(record.where.file)} + ':' +
                                         std::to_string(record.where.line));
    line += ",\"msg\":" + json_quoted(record.message);
    if (record.level != Level::error) line += ",\"v\":" + std::to_string(record.verbosity);
    for (const auto& [key, value] : record.fields)
        line += ',' + json_quoted(key) + ':' + std::visit(AsJson{}, value.data());
    return line += '}';
}

bool fits(const std::string& pattern, std::string_view file) {
    if (pattern.find('/') == std::string::npos) file = base_name(file);
    const auto dot = file.rfind('.');
    const std::string name{file.substr(0, dot)};
    return fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) == 0;
}

} // namespace ipvsproxy::log
