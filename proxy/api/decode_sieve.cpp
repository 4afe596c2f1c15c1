#include "proxy/api/decode_sieve.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ipvsproxy::api {
namespace {

/// Nothing to a proxy in an object of any kind, wherever they stand.
constexpr std::array<std::string_view, 3> unread{R"("managedFields":)", R"("ownerReferences":)",
                                                 R"("targetRef":)"};
/// How far before a bracket one has to look: such a key, and what precedes it.
constexpr std::size_t reach = std::max({unread[0].size(), unread[1].size(), unread[2].size()}) + 1;

using Mask = std::uint32_t; ///< bit i: byte i

/// 16 bytes that are looked at together.
class Block {
public:
    static constexpr std::size_t size = 16;

    /// From `at` on; what lies beyond the text are zeros.
    Block(std::string_view text, std::size_t at) {
        if (text.size() - at >= size) {
            load(text.data() + at);
        } else {
            std::array<char, size> padded{};
            text.copy(padded.data(), size, at);
            load(padded.data());
        }
    }
#ifdef __SSE2__
    /// Where any of these characters stands.
    template <class... Chars> Mask where(Chars... any) const {
        auto found = _mm_setzero_si128();
        ((found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes_, _mm_set1_epi8(any)))), ...);
        return static_cast<Mask>(_mm_movemask_epi8(found));
    }

private:
    void load(const char* bytes) {
        std::memcpy(&bytes_, bytes, size);
    }
    __m128i bytes_; // NOLINT(*-member-init): the constructor loads it
#else
    template <class... Chars> Mask where(Chars... any) const {
        Mask found = 0;
        for (std::size_t i = 0; i < size; ++i)
            found |= Mask{((bytes_[i] == any) || ...)} << i;
        return found;
    }

private:
    void load(const char* bytes) {
        std::memcpy(bytes_.data(), bytes, size);
    }
    std::array<char, size> bytes_; // NOLINT(*-member-init): the constructor loads it
#endif
};

std::size_t lowest(Mask mask) {
    return static_cast<std::size_t>(std::countr_zero(mask));
}

bool is_odd(Mask bits) {
    return __builtin_parity(bits) != 0;
}

/// In JSON a quote that no backslash precedes begins or ends a string, so what stands between two
/// of them before a colon is a key and not the inside of a string.
bool ends_in(std::string_view key, std::string_view text) {
    return text.size() > key.size() && text.ends_with(key) &&
           text[text.size() - key.size() - 1] != '\\';
}

} // namespace

std::string_view Sieve::pass(std::string_view piece) {
    kept_.clear();
    std::size_t from = 0; // what comes before is kept, or left out
    if (depth_ > 0) from = skip(piece, 0);
    while (depth_ == 0) {
        const auto bracket = find(piece, from);
        if (bracket == std::string_view::npos) break;
        kept_.append(piece, from, bracket + 1 - from);
        depth_ = 1;
        opens_ = piece[bracket];
        closes_ = opens_ == '[' ? ']' : '}';
        from = skip(piece, bracket + 1);
    }
    before_.append(piece.substr(piece.size() - std::min(piece.size(), reach)));
    before_.erase(0, before_.size() - std::min(before_.size(), reach));
    if (from == 0) return piece;
    return kept_.append(piece, from);
}

/// The bracket with which the next value begins that is left out.
std::size_t Sieve::find(std::string_view piece, std::size_t from) const {
    for (auto at = from; at < piece.size(); at += Block::size)
        for (auto left = Block{piece, at}.where('[', '{'); left != 0; left &= left - 1)
            if (const auto bracket = at + lowest(left); is_unread(piece, bracket)) return bracket;
    return std::string_view::npos;
}

bool Sieve::is_unread(std::string_view piece, std::size_t bracket) const {
    if (bracket < reach) {
        const auto text = before_ + std::string{piece.substr(0, bracket)};
        return std::ranges::any_of(unread, [&](auto key) { return ends_in(key, text); });
    }
    const auto text = piece.substr(bracket - reach, reach);
    return std::ranges::any_of(unread, [&](auto key) { // most differ in their last eight bytes
        return std::memcmp(text.data() + reach - 8, key.data() + key.size() - 8, 8) == 0 &&
               ends_in(key, text);
    });
}

/// @return where the value ends that is left out from `from` on: its bracket, or the text's end.
std::size_t Sieve::skip(std::string_view text, std::size_t from) {
    const char opens = opens_;
    const char closes = closes_;
    Mask quotes_passed = 0; // only how many matters, and that only as odd or even
    for (auto at = from; at < text.size(); at += Block::size) {
        const Block block{text, at};
        const auto quotes = block.where('"');
        auto left = block.where('\\', opens, closes);
        if (left == 0 && !escaped_) {
            quotes_passed ^= quotes;
            continue;
        }
        in_string_ = in_string_ != is_odd(std::exchange(quotes_passed, 0));
        left |= quotes;
        if (std::exchange(escaped_, false)) left &= ~Mask{1};
        for (; left != 0; left &= left - 1) {
            const auto place = at + lowest(left);
            const char found = text[place];
            if (found == '\\') {
                left &= ~((left & -left) << 1U); // whatever it is
                escaped_ = place + 1 == std::min(at + Block::size, text.size());
            } else if (found == '"') {
                in_string_ = !in_string_;
            } else if (!in_string_ && found == opens) {
                ++depth_;
            } else if (!in_string_ && --depth_ == 0) {
                return place;
            }
        }
    }
    in_string_ = in_string_ != is_odd(quotes_passed);
    return text.size();
}

} // namespace ipvsproxy::api
