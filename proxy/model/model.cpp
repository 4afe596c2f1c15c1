#include <algorithm>
#include <array>
#include <functional>
#include <mutex>
#include <ostream>
#include <set>
#include <unordered_set>

#include "proxy/model/symbol.h"

namespace ipvsproxy::model {
namespace {

/// Finds a string by a view of it: nearly every symbol exists already.
struct Hash {
    using is_transparent = void; // NOLINT(readability-identifier-naming): the library's name for it
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};

struct Pool {
    std::mutex mutex;
    std::unordered_set<std::string, Hash, std::equal_to<>> texts; // node-based: addresses stay
    std::set<std::vector<Symbol>> lists;
};

Pool& pool() {
    static Pool instance;
    return instance;
}

} // namespace

const std::string Symbol::nothing;
const std::vector<Symbol> SymbolList::nothing;

Symbol::Symbol(std::string_view text) : text_{&nothing} {
    if (text.empty()) return;
    // Those of the last objects come again in the next one: they are found without hash and lock.
    thread_local std::array<const std::string*, 256> recent{};
    const auto last = static_cast<unsigned char>(text.back());
    const auto before =
        static_cast<unsigned char>(text[text.size() - std::min<std::size_t>(text.size(), 2)]);
    auto& known = recent.at((text.size() * 16 + std::size_t{before} * 10 + last) %
                            recent.size()); // "node-17"
    if (known == nullptr || *known != text) known = find(text);
    text_ = known;
}

const std::string* Symbol::find(std::string_view text) {
    auto& shared = pool();
    const std::lock_guard lock{shared.mutex};
    auto found = shared.texts.find(text);
    if (found == shared.texts.end()) found = shared.texts.emplace(text).first;
    return &*found;
}

SymbolList::SymbolList(std::vector<Symbol> symbols) : list_{&nothing} {
    if (symbols.empty()) return;
    std::ranges::sort(symbols);
    symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());
    auto& shared = pool();
    const std::lock_guard lock{shared.mutex};
    list_ = &*shared.lists.insert(std::move(symbols)).first;
}

std::ostream& operator<<(std::ostream& out, Symbol symbol) {
    return out << symbol.text();
}

} // namespace ipvsproxy::model
