#include "proxy/https/inflate.h"

#include <zlib.h>

#include <array>
#include <new>
#include <stdexcept>

namespace ipvsproxy::https {
namespace {

constexpr int gzip_only = 16 + MAX_WBITS; // zlib.h, inflateInit2

} // namespace

Inflater::Inflater() : state_{std::make_unique<z_stream_s>()} {
    if (inflateInit2(state_.get(), gzip_only) != Z_OK) throw std::bad_alloc{};
}
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(whole_, other.whole_);
    return *this;
}
Inflater::~Inflater() {
    if (state_) inflateEnd(state_.get());
}

void Inflater::feed(std::string_view piece, std::string& out) {
    std::array<Bytef, 32 << 10> room; // NOLINT(*-member-init): zlib fills it
    std::string copy{piece};          // next_in is not const
    state_->next_in = reinterpret_cast<Bytef*>(copy.data());
    state_->avail_in = static_cast<uInt>(copy.size());
    // Once more while the room was filled: there may be more to come of what was taken already.
    for (bool more = state_->avail_in > 0; more;) {
        if (whole_) { // another member
            inflateReset(state_.get());
            whole_ = false;
        }
        state_->next_out = room.data();
        state_->avail_out = static_cast<uInt>(room.size());
        const int result = inflate(state_.get(), Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            throw std::runtime_error{std::string{"the answer's gzip is damaged: "} +
                                     (state_->msg != nullptr ? state_->msg : "no reason given")};
        out.append(reinterpret_cast<const char*>(room.data()), room.size() - state_->avail_out);
        whole_ = result == Z_STREAM_END;
        more = state_->avail_in > 0 || (state_->avail_out == 0 && !whole_);
    }
}

} // namespace ipvsproxy::https
