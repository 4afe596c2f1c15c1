// Names of namespaced objects: written once, held by all who name the object.
#pragma once

#include <atomic>
#include <compare>
#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/model/symbol.h"

namespace ipvsproxy::model {

/// A text that never changes. A copy is one more holder of the same bytes, on any thread: the name
/// of one object stands in a dozen tables.
class SharedText {
public:
    SharedText() noexcept = default; ///< the empty text
    SharedText(std::string_view text);
    SharedText(const std::string& text) : SharedText{std::string_view{text}} {}
    SharedText(const char* text) : SharedText{std::string_view{text}} {}
    SharedText(const SharedText& other) noexcept : block_{other.block_} {
        if (block_ != nullptr) block_->holders.fetch_add(1, std::memory_order_relaxed);
    }
    SharedText(SharedText&& other) noexcept : block_{std::exchange(other.block_, nullptr)} {}
    SharedText& operator=(SharedText other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~SharedText() {
        if (block_ != nullptr) let_go();
    }

    std::string_view view() const noexcept {
        return block_ == nullptr ? std::string_view{}
                                 : std::string_view{bytes(block_), block_->size};
    }
    operator std::string_view() const noexcept { return view(); }
    std::string text() const { return std::string{view()}; }
    bool empty() const noexcept { return block_ == nullptr; }

    friend bool operator==(const SharedText& a, const SharedText& b) noexcept {
        return a.block_ == b.block_ || a.view() == b.view();
    }
    friend std::strong_ordering operator<=>(const SharedText& a, const SharedText& b) noexcept {
        return a.block_ == b.block_ ? std::strong_ordering::equal : a.view() <=> b.view();
    }

private:
    /// The bytes follow it.
    struct Block {
        std::atomic<std::uint32_t> holders;
        std::uint32_t size;
    };
    static char* bytes(Block* block) noexcept {
        return static_cast<char*>(static_cast<void*>(block + 1));
    }
    void let_go() noexcept;

    Block* block_{}; ///< nothing: the empty text
};

/// `namespace/name` of a namespaced object.
struct ObjectName {
    Symbol space; ///< the namespace
    SharedText name;

    ObjectName() = default;
    ObjectName(std::string_view in, SharedText named) : space{in}, name{std::move(named)} {}
    template <std::same_as<Symbol> Space> ObjectName(Space in, SharedText named) noexcept
        : space{in}, name{std::move(named)} {}
    std::string text() const;
    friend bool operator==(const ObjectName&, const ObjectName&) = default;
    friend auto operator<=>(const ObjectName&, const ObjectName&) = default;
};

std::ostream& operator<<(std::ostream& out, const SharedText& text);
std::ostream& operator<<(std::ostream& out, const ObjectName& name);

} // namespace ipvsproxy::model
