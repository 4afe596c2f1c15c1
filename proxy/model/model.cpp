#include <mutex>
#include <ostream>
#include <unordered_set>

#include "proxy/model/objects.h"

namespace ipvsproxy::model {
namespace {

const std::string empty_text;

struct Pool {
    std::mutex mutex;
    std::unordered_set<std::string> texts; // node-based: addresses stay
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
    text_ = &*shared.texts.emplace(text).first;
}

std::ostream& operator<<(std::ostream& out, Symbol symbol) { return out << symbol.text(); }
std::ostream& operator<<(std::ostream& out, const ObjectName& name) { return out << name.text(); }

} // namespace ipvsproxy::model
