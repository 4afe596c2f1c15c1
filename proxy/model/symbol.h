// Strings that recur tens of thousands of times (node names, zones, port names), each held once.
#pragma once

#include <compare>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace ipvsproxy::model {

/// A string held once for the process. Equal symbols are equal pointers; ordering is by text. The
/// strings are never given back: a cluster has few of them. Safe to make from any thread.
class Symbol {
public:
    /// The empty string.
    Symbol() noexcept : text_{&nothing} {}
    explicit Symbol(std::string_view text);
    const std::string& text() const noexcept { return *text_; }
    bool empty() const noexcept { return text_->empty(); }
    friend bool operator==(Symbol a, Symbol b) noexcept { return a.text_ == b.text_; }
    friend std::strong_ordering operator<=>(Symbol a, Symbol b) noexcept {
        return a.text_ == b.text_ ? std::strong_ordering::equal : *a.text_ <=> *b.text_;
    }

private:
    static const std::string nothing;
    static const std::string* find(std::string_view text);
    const std::string* text_;
};

std::ostream& operator<<(std::ostream& out, Symbol symbol);

/// An ordered list of symbols, each once; held once for the process as a Symbol is. Topology hints
/// are such lists: tens of thousands of endpoints have a few of them.
class SymbolList {
public:
    /// The empty list.
    SymbolList() noexcept : list_{&nothing} {}
    SymbolList(std::vector<Symbol> symbols); ///< in any order, with repeats
    auto begin() const noexcept { return list_->begin(); }
    auto end() const noexcept { return list_->end(); }
    bool empty() const noexcept { return list_->empty(); }
    friend bool operator==(SymbolList a, SymbolList b) noexcept { return a.list_ == b.list_; }

private:
    static const std::vector<Symbol> nothing;
    const std::vector<Symbol>* list_;
};

} // namespace ipvsproxy::model
