#include "proxy/api/decode_time.h"

namespace ipvsproxy::api {
namespace {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Reads a text from its front; once something did not fit, nothing fits any more.
class Reader {
public:
    explicit Reader(std::string_view text) : left_{text} {}

    int digits(std::size_t count) {
        int value = 0;
        for (; count > 0; --count) {
            const char c = take();
            if (!is_digit(c)) good_ = false;
            value = value * 10 + (c - '0');
        }
        return good_ ? value : 0;
    }
    void literal(char expected) {
        if (take() != expected) good_ = false;
    }
    bool next_is(char c) const { return !left_.empty() && left_.front() == c; }
    bool next_is_digit() const { return !left_.empty() && is_digit(left_.front()); }
    char take() {
        if (left_.empty()) {
            good_ = false;
            return '0';
        }
        const char c = left_.front();
        left_.remove_prefix(1);
        return c;
    }
    bool good() const { return good_; }
    bool at_end() const { return good_ && left_.empty(); }

private:
    std::string_view left_;
    bool good_{true};
};

std::chrono::nanoseconds fraction(Reader& reader) {
    if (!reader.next_is('.')) return {};
    reader.take();
    std::int64_t value = reader.digits(1);
    std::int64_t unit = 100'000'000;
    std::int64_t sum = value * unit;
    while (reader.next_is_digit()) {
        unit /= 10;
        value = reader.digits(1);
        sum += value * unit;
    }
    return std::chrono::nanoseconds{sum};
}

std::optional<std::chrono::minutes> zone(Reader& reader) {
    const char sign = reader.take();
    if (sign == 'Z' || sign == 'z') return std::chrono::minutes{0};
    if (sign != '+' && sign != '-') return std::nullopt;
    const int hours = reader.digits(2);
    reader.literal(':');
    const int minutes = reader.digits(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    const std::chrono::minutes east{hours * 60 + minutes};
    return sign == '+' ? east : -east;
}

} // namespace

std::optional<std::chrono::system_clock::time_point> parse_time(std::string_view text) {
    using namespace std::chrono;
    Reader reader{text};
    const year year{reader.digits(4)};
    reader.literal('-');
    const month month{static_cast<unsigned>(reader.digits(2))};
    reader.literal('-');
    const day day{static_cast<unsigned>(reader.digits(2))};
    const char separator = reader.take();
    const int hour = reader.digits(2);
    reader.literal(':');
    const int minute = reader.digits(2);
    reader.literal(':');
    const int second = reader.digits(2);
    const auto part = fraction(reader);
    const auto east = zone(reader);
    const year_month_day date{year, month, day};
    // Past 2261 a time_point of nanoseconds overflows; no API server's clock is there.
    if (!reader.at_end() || !east || !date.ok() || (separator != 'T' && separator != 't'))
        return {};
    if (hour > 23 || minute > 59 || second > 60) return {};
    if (date.year() < std::chrono::year{1678} || date.year() > std::chrono::year{2261}) return {};
    return sys_days{date} + hours{hour} + minutes{minute} + seconds{second} - *east +
           duration_cast<system_clock::duration>(part);
}

} // namespace ipvsproxy::api
