#include <functional>
#include <mutex>
#include <ostream>
#include <unordered_set>

#include "proxy/model/objects.h"

namespace ipvsproxy::model {
namespace {

const std::string empty_text;

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

std::ostream& operator<<(std::ostream& out, Symbol symbol) {
    return out << symbol.text();
}
std::ostream& operator<<(std::ostream& out, const ObjectName& name) {
    return out << name.text();
}

} // namespace ipvsproxy::model
