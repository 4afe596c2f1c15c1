#include "proxy/config/duration.h"

#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "proxy/log/quote.h"

namespace ipvsproxy::config {
namespace {

using Nanoseconds = std::uint64_t;
constexpr Nanoseconds limit = Nanoseconds{1} << 63U; // the most negative duration, without its sign

constexpr std::array<std::pair<std::string_view, Nanoseconds>, 8> units{{
    {"ns", 1},
    {"us", 1'000},
    {"\u00b5s", 1'000}, // micro sign
    {"\u03bcs", 1'000}, // Greek mu
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Takes the digits at the start of `text`; nothing when they exceed the limit.
std::optional<Nanoseconds> take_digits(std::string_view& text) {
    Nanoseconds value = 0;
    while (!text.empty() && is_digit(text[0])) {
        if (value > limit / 10) return std::nullopt;
        value = value * 10 + static_cast<Nanoseconds>(text[0] - '0');
        if (value > limit) return std::nullopt;
        text.remove_prefix(1);
    }
    return value;
}

/// Takes ".ddd"; digits that no longer fit are of no account.
std::pair<Nanoseconds, double> take_fraction(std::string_view& text) {
    Nanoseconds value = 0;
    double scale = 1;
    if (!text.starts_with('.')) return {0, 1};
    text.remove_prefix(1);
    for (bool full = false; !text.empty() && is_digit(text[0]); text.remove_prefix(1)) {
        full = full || value > (limit - 1) / 10 - 1;
        if (full) continue;
        value = value * 10 + static_cast<Nanoseconds>(text[0] - '0');
        scale *= 10;
    }
    return {value, scale};
}

/// What is wrong with a duration, without the duration.
constexpr std::string_view invalid = "invalid", unit_missing = "missing unit in";
using Part = boost::system::result<Nanoseconds, std::string>;

/// Takes one number with its unit.
Part take_part(std::string_view& text) {
    const auto before = text.size();
    const auto whole = take_digits(text);
    if (!whole) return std::string{invalid};
    const bool integral = text.size() != before;
    const auto before_fraction = text.size();
    const auto [fraction, scale] = take_fraction(text);
    const bool fractional = before_fraction - text.size() > 1; // more than the point
    if (!integral && !fractional) return std::string{invalid};
    std::size_t end = 0;
    while (end < text.size() && text[end] != '.' && !is_digit(text[end]))
        ++end;
    if (end == 0) return std::string{unit_missing};
    const auto its_unit = text.substr(0, end);
    for (const auto& [name, unit] : units) {
        if (its_unit != name) continue;
        if (*whole > limit / unit) return std::string{invalid};
        text.remove_prefix(end);
        return *whole * unit + static_cast<Nanoseconds>(static_cast<double>(fraction) *
                                                        (static_cast<double>(unit) / scale));
    }
    return "unknown unit " + log::quoted(its_unit) + " in";
}

/// `value` / 10^digits, with the fraction's trailing zeros gone.
std::string with_fraction(Nanoseconds value, unsigned digits) {
    std::string fraction;
    for (unsigned i = 0; i < digits; ++i, value /= 10)
        if (!fraction.empty() || value % 10 != 0)
            fraction.insert(fraction.begin(), static_cast<char>('0' + value % 10));
    return std::to_string(value) + (fraction.empty() ? "" : '.' + fraction);
}

} // namespace

boost::system::result<std::chrono::nanoseconds, std::string> read_duration(std::string_view whole) {
    auto text = whole;
    const auto refused = [whole](std::string_view what) {
        return "time: " + std::string{what} + " duration " + log::quoted(whole);
    };
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (text == "0") return std::chrono::nanoseconds{0};
    if (text.empty()) return refused(invalid);
    Nanoseconds sum = 0;
    while (!text.empty()) {
        const auto part = take_part(text);
        if (!part) return refused(part.error());
        if (*part > limit || sum > limit - *part) return refused(invalid);
        sum += *part;
    }
    if (negative) // wraps round to the most negative value where sum is the limit
        return std::chrono::nanoseconds{static_cast<std::int64_t>(0 - sum)};
    if (sum >= limit) return refused(invalid);
    return std::chrono::nanoseconds{static_cast<std::int64_t>(sum)};
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    const auto duration = read_duration(text);
    return duration ? std::optional{*duration} : std::nullopt;
}

std::string duration_text(std::chrono::nanoseconds duration) {
    const auto count = duration.count();
    if (count == 0) return "0s";
    const auto size =
        count < 0 ? 0 - static_cast<Nanoseconds>(count) : static_cast<Nanoseconds>(count);
    const std::string sign{count < 0 ? "-" : ""};
    if (size < 1'000) return sign + std::to_string(size) + "ns";
    if (size < 1'000'000) return sign + with_fraction(size, 3) + "\u00b5s";
    if (size < 1'000'000'000) return sign + with_fraction(size, 6) + "ms";
    constexpr Nanoseconds minute = 60'000'000'000;
    const auto minutes = size / minute;
    const auto seconds = with_fraction(size % minute, 9) + 's';
    if (minutes == 0) return sign + seconds;
    if (minutes < 60) return sign + std::to_string(minutes) + 'm' + seconds;
    return sign + std::to_string(minutes / 60) + 'h' + std::to_string(minutes % 60) + 'm' + seconds;
}

} // namespace ipvsproxy::config
