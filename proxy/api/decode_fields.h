// The fields that are read, as tables: which key, of what type, taken how.
#pragma once

#include <array>
#include <chrono>
#include <cstring>
#include <span>
#include <type_traits>

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
/// compared with one of them at most, the one that shares its length and three of its letters.
class Fields {
public:
    /// Does not compile where two keys cannot be told apart so.
    explicit constexpr Fields(std::span<const Field> all) : all_{all} {
        for (int tries = 0; !arrange(); factor_ += 2)
            if (++tries == 10'000) throw "no factor keeps these keys apart";
    }
    /// Nothing when the key is not read.
    constexpr const Field* find(std::string_view key) const noexcept {
        if (key.empty()) return nullptr;
        // Once for each key of each object: what cannot be out of bounds is not checked for it.
        const auto number = slots_.data()[slot(key)]; // of 6 bits
        if (number == 0) return nullptr;
        const auto* const field = all_.data() + (number - 1U);
        return same(field->key, key) ? field : nullptr;
    }
    /// Of a field that was found: its number, from 0.
    std::size_t number(const Field& field) const noexcept {
        return static_cast<std::size_t>(&field - all_.data());
    }

private:
    /// Of keys that are mostly the same, and mostly of 4 to 16 bytes.
    static constexpr bool same(std::string_view known, std::string_view key) noexcept {
        const auto size = key.size();
        if (known.size() != size) return false;
        if (std::is_constant_evaluated() || size > 16 || size < 4) return known == key;
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
    constexpr std::size_t slot(std::string_view key) const noexcept {
        const auto* const letters = key.data();
        const auto mixed = static_cast<std::uint32_t>(key.size()) + (letter(letters[0]) << 8U) +
                           (letter(letters[(key.size() - 1) / 2]) << 16U) +
                           (letter(letters[key.size() - 1]) << 24U);
        return (mixed * factor_) >> 26U; // 6 bits
    }
    constexpr bool arrange() {
        slots_ = {};
        for (std::size_t i = 0; i < all_.size(); ++i) {
            auto& place = slots_.at(slot(all_[i].key));
            if (place != 0) return false;
            place = static_cast<std::uint8_t>(i + 1);
        }
        return true;
    }

    std::span<const Field> all_;
    std::uint32_t factor_{0x9e3779b1};     ///< odd; the golden ratio, to begin with
    std::array<std::uint8_t, 64> slots_{}; ///< number of the field, from 1; 0: none
};

/// Of an object in `items` or in a watch event.
extern const Fields object_fields;
/// Of the outermost object: an object, a list or a watch event.
extern const Fields root_fields;

} // namespace ipvsproxy::api
