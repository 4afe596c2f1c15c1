#include "tests/bench/lists.h"

#include <stdexcept>
#include <string_view>

namespace ipvsproxy::bench {
namespace {

constexpr std::size_t piece_bytes = 32U << 10U; // as an answer is read from its connection

/// @return its size in bytes; 0 at the end of the file
std::size_t feed_piece(std::ifstream& in, std::string& piece, api::Decoder& decoder) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto bytes = static_cast<std::size_t>(in.gcount());
    const auto problem =
        bytes == 0 ? decoder.finish() : decoder.feed(std::string_view{piece}.substr(0, bytes));
    if (problem) throw std::runtime_error{problem->text()};
    return bytes;
}

} // namespace

std::size_t feed_file(const std::string& file, api::Decoder& decoder) {
    std::ifstream in{file, std::ios::binary};
    std::string piece(piece_bytes, '\0');
    std::size_t bytes = 0;
    while (const auto got = feed_piece(in, piece, decoder))
        bytes += got;
    return bytes;
}

List::List(model::Store& store, api::Replica::Kind kind, const std::string& file)
    : in_{file, std::ios::binary}, replica_{store, kind,
                                            [](const api::Oddity& oddity) {
                                                throw std::runtime_error{oddity.text};
                                            }},
      decoder_{[this](api::Decoded&& one) { replica_.put(std::move(one)); },
               api::ProtobufDecoder::Form::single},
      piece_(piece_bytes, '\0') {
    replica_.begin_list();
}

bool List::take() {
    if (complete_) return false;
    if (feed_piece(in_, piece_, decoder_) > 0) return true;
    replica_.complete();
    complete_ = true;
    return false;
}

void take_list(model::Store& store, api::Replica::Kind kind, const std::string& file) {
    List list{store, kind, file};
    while (list.take()) {
    }
}

} // namespace ipvsproxy::bench
