#include <algorithm>
#include <functional>
#include <mutex>
#include <ostream>
#include <set>
#include <unordered_set>

#include "proxy/model/objects.h"

namespace ipvsproxy::model {
namespace {

const std::string empty_text;
const std::vector<Symbol> empty_list;

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

Symbol::Symbol() noexcept : text_{&empty_text} {}

Symbol::Symbol(std::string_view text) : text_{&empty_text} {
    if (text.empty()) return;
    auto& shared = pool();
    const std::lock_guard lock{shared.mutex};
    auto found = shared.texts.find(text);
    if (found == shared.texts.end()) found = shared.texts.emplace(text).first;
    text_ = &*found;
}

SymbolList::SymbolList() noexcept : list_{&empty_list} {}

SymbolList::SymbolList(std::vector<Symbol> symbols) : list_{&empty_list} {
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
std::ostream& operator<<(std::ostream& out, const ObjectName& name) {
    return out << name.text();
}

} // namespace ipvsproxy::model
