#include "proxy/model/object_name.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <ostream>
#include <stdexcept>

namespace ipvsproxy::model {

SharedText::SharedText(std::string_view text) {
    if (text.empty()) return;
    if (text.size() > std::numeric_limits<std::uint32_t>::max())
        throw std::length_error{"a name of 4 GiB"};
    void* const memory = ::operator new(sizeof(Block) + text.size());
    block_ = ::new (memory) Block{{1}, static_cast<std::uint32_t>(text.size())};
    std::ranges::copy(text, bytes(block_));
}

void SharedText::let_go() noexcept {
    // acq_rel: whoever frees it has seen all that the other holders read.
    if (block_->holders.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    std::destroy_at(block_);
    ::operator delete(block_);
}

std::string ObjectName::text() const {
    std::string out = space.text();
    out += '/';
    return out += name.view();
}

std::ostream& operator<<(std::ostream& out, const SharedText& text) {
    return out << text.view();
}
std::ostream& operator<<(std::ostream& out, const ObjectName& name) {
    return out << name.text();
}

} // namespace ipvsproxy::model
