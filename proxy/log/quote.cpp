#include "proxy/log/quote.h"

#include <array>
#include <cstdint>

namespace ipvsproxy::log {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

/// A character of UTF-8 at the start of a text: its length in bytes, 0 when it is none.
struct Character {
    std::size_t length{};
    std::uint32_t code{};
};

Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    if (byte(0) < 0x80) return {1, byte(0)};
    const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
    if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length) return {};
    std::uint32_t code = byte(0) & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return {};
        code = code << 6U | (byte(i) & 0x3fU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return overlong || surrogate || code > 0x10ffff ? Character{} : Character{length, code};
}

/// The letter after the backslash; 0 where there is none.
char letter(std::uint32_t code) {
    switch (code) {
    case '\a':
        return 'a';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '\\':
    case '"':
        return static_cast<char>(code);
    default: // every other character
        return 0;
    }
}

/// Not to be seen on a terminal: C1 controls, soft hyphen, zero-width and directional marks,
/// line separators, the byte-order mark.
bool invisible(std::uint32_t code) {
    return (code >= 0x7f && code <= 0xa0) || code == 0xad || (code >= 0x2000 && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202f) || (code >= 0x205f && code <= 0x206f) ||
           code == 0xfeff;
}

void append_hex(std::string& out, std::string_view prefix, std::uint32_t value, int digits) {
    out += prefix;
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
        out += hex_digits[value >> static_cast<unsigned>(shift) & 0xfU];
}

} // namespace

std::string quoted(std::string_view text) {
    std::string out{'"'};
    while (!text.empty()) {
        const auto [length, code] = first_character(text);
        if (length == 0) {
            append_hex(out, "\\x", static_cast<std::uint8_t>(text[0]), 2);
            text.remove_prefix(1);
            continue;
        }
        if (const char after = letter(code); after != 0) {
            out += '\\';
            out += after;
        } else if (code < 0x20 || code == 0x7f) {
            append_hex(out, "\\x", code, 2);
        } else if (invisible(code)) {
            append_hex(out, "\\u", code, 4);
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return out += '"';
}

std::string json_quoted(std::string_view text) {
    std::string out{'"'};
    while (!text.empty()) {
        const auto [length, code] = first_character(text);
        if (length == 0) {
            out += "\\ufffd";
            text.remove_prefix(1);
            continue;
        }
        const char after = code == '\a' || code == '\v' ? '\0' : letter(code);
        if (after != 0) {
            out += '\\';
            out += after;
        } else if (code < 0x20) {
            append_hex(out, "\\u", code, 4);
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return out += '"';
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const auto length = first_character(text).length;
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

} // namespace ipvsproxy::log
