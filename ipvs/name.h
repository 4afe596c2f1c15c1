// Names of schedulers and persistence engines.
#pragma once

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <string_view>

namespace ipvsproxy::ipvs {

/// Holds its characters itself, so that tables of virtual servers are copied and compared as bytes.
/// The kernel takes up to 15 (IP_VS_SCHEDNAME_MAXLEN, IP_VS_PENAME_MAXLEN of linux/ip_vs.h); of a
/// longer text 16 are kept, which it refuses as it would the whole.
class Name {
public:
    constexpr Name() = default; ///< the empty name
    constexpr Name(std::string_view text) noexcept {
        std::copy_n(text.begin(), std::min(text.size(), characters_.size()), characters_.begin());
    }
    constexpr Name(const char* text) noexcept : Name(std::string_view{text}) {}
    Name(const std::string& text) noexcept : Name(std::string_view{text}) {}

    bool empty() const noexcept { return characters_.front() == '\0'; }
    std::string_view view() const noexcept {
        const auto end = std::find(characters_.begin(), characters_.end(), '\0');
        return {characters_.data(), static_cast<std::size_t>(end - characters_.begin())};
    }
    std::string text() const { return std::string{view()}; }
    friend bool operator==(const Name&, const Name&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Name& name) {
        return out << name.view();
    }

private:
    std::array<char, 16> characters_{}; // zero behind the text, so that == is exact
};

} // namespace ipvsproxy::ipvs
