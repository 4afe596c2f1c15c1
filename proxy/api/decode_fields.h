// The fields that are read, as tables: which key, of what type, taken how.
#pragma once

#include <array>
#include <chrono>
#include <cstring>
#include <span>

#include "proxy/api/decode_draft.h"

namespace ipvsproxy::api {

enum class Shape : std::uint8_t {
    text,
    integer,
    boolean,
    object,
    texts,       ///< a list of strings
    objects,     ///< a list of objects
    items,       ///< a list of whole API objects, each a draft of its own
    event_object ///< the API object of a watch event
};

/// What taking a value came to.
struct Verdict {
    enum : std::uint8_t { taken, warned, refused } outcome{taken};
    const char* reason{};
    /// The reason with the beginning of the value that it was; an empty one is not shown.
    std::string text(std::string_view value) const;
};

class Fields;

/// One key of an object.
struct Field {
    std::string_view key;
    Shape shape;
    Kinds kinds;
    Verdict (*text)(Draft&, std::string_view){};                   ///< text, and each of texts
    void (*time)(Draft&, std::chrono::system_clock::time_point){}; ///< of text that is one
    Verdict (*integer)(Draft&, std::int64_t){};
    void (*boolean)(Draft&, bool){};
    void (*begin)(Draft&){}; ///< a list begins: what an earlier one gave goes
    void (*next)(Draft&){};  ///< objects: a new element
    const Fields* inside{};  ///< object, objects
};

/// The keys of one object that are read, at most 64. Most keys of an object are not: a key is
/// compared with one of them at most, the one that shares the sum of its length and of the four
/// letters at either end.
class Fields {
public:
    struct Found {
        const Field* field{}; ///< nothing when the key is not read
        std::size_t number{}; ///< below 64, and no other field's
    };

    /// Does not compile where two keys cannot be told apart so.
    explicit constexpr Fields(std::span<const Field> all) {
        for (int tries = 0; !arrange(all); factor_ += 2)
            if (++tries == 10'000) throw "no factor keeps these keys apart";
    }
    /// Once for each key of each object: what cannot be out of bounds is not checked for it.
    Found find(std::string_view key) const noexcept {
        const auto number = slot(key);
        const auto* const field = slots_.data()[number]; // of 6 bits
        if (field == nullptr || !same(field->key, key)) return {};
        return {field, number};
    }

private:
    /// Of keys that are mostly the same, and mostly of 4 to 16 bytes.
    static bool same(std::string_view known, std::string_view key) noexcept {
        const auto size = key.size();
        if (known.size() != size) return false;
        if (size > 16 || size < 4) return known == key;
        const auto equal = [&]<class Word>(Word /*of*/, std::size_t at) {
            Word one, other; // NOLINT(*-init-variables): memcpy fills them
            std::memcpy(&one, known.data() + at, sizeof one);
            std::memcpy(&other, key.data() + at, sizeof other);
            return one == other;
        };
        if (size >= 8)
            return equal(std::uint64_t{}, 0) &&
                   equal(std::uint64_t{}, size - sizeof(std::uint64_t));
        return equal(std::uint32_t{}, 0) && equal(std::uint32_t{}, size - sizeof(std::uint32_t));
    }
    static constexpr std::uint32_t letter(char c) { return static_cast<unsigned char>(c); }
    /// One load: compilers know this form.
    static constexpr std::uint32_t four_letters(const char* at) {
        return letter(at[0]) | letter(at[1]) << 8U | letter(at[2]) << 16U | letter(at[3]) << 24U;
    }
    constexpr std::size_t slot(std::string_view key) const noexcept {
        const auto* const letters = key.data();
        const auto size = key.size();
        auto sum = static_cast<std::uint32_t>(size);
        if (size >= 4) sum += four_letters(letters) + four_letters(letters + size - 4);
        else if (size > 0) sum += letter(letters[0]) + (letter(letters[size - 1]) << 8U);
        return (sum * factor_) >> 26U; // 6 bits
    }
    constexpr bool arrange(std::span<const Field> all) {
        slots_ = {};
        std::uint64_t taken = 0; // with -fsanitize=undefined, g++ compares no address in constants
        for (const auto& field : all) {
            const auto number = slot(field.key);
            if ((taken >> number & 1U) != 0) return false;
            taken |= std::uint64_t{1} << number;
            slots_.at(number) = &field;
        }
        return true;
    }

    std::uint32_t factor_{0x9e3779b1}; ///< odd; the golden ratio, to begin with
    std::array<const Field*, 64> slots_{};
};

/// Of an object in `items` or in a watch event.
extern const Fields object_fields;
/// Of the outermost object: an object, a list or a watch event.
extern const Fields root_fields;

} // namespace ipvsproxy::api
