// Strings that recur tens of thousands of times (node names, zones, port names), each held once.
#pragma once

#include <compare>
#include <iosfwd>
#include <string>
#include <string_view>

namespace ipvsproxy::model {

/// A string held once for the process. Equal symbols are equal pointers; ordering is by text. The
/// strings are never given back: a cluster has few of them. Safe to make from any thread.
class Symbol {
public:
    /// The empty string.
    Symbol() noexcept;
    explicit Symbol(std::string_view text);
    const std::string& text() const noexcept { return *text_; }
    bool empty() const noexcept { return text_->empty(); }
    friend bool operator==(Symbol a, Symbol b) noexcept { return a.text_ == b.text_; }
    friend std::strong_ordering operator<=>(Symbol a, Symbol b) noexcept {
        return a.text_ == b.text_ ? std::strong_ordering::equal : *a.text_ <=> *b.text_;
    }

private:
    const std::string* text_;
};

std::ostream& operator<<(std::ostream& out, Symbol symbol);

} // namespace ipvsproxy::model
