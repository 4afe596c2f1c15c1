#include "tests/bench/lists.h"

#include <fstream>
#include <stdexcept>
#include <string_view>

namespace ipvsproxy::bench {

std::size_t feed_file(const std::string& file, api::Decoder& decoder) {
    constexpr std::size_t piece_bytes = 32U << 10U; // as an answer is read from its connection
    std::ifstream in{file, std::ios::binary};
    std::string piece(piece_bytes, '\0');
    std::size_t bytes = 0;
    while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
        const auto got = static_cast<std::size_t>(in.gcount());
        bytes += got;
        if (const auto problem = decoder.feed(std::string_view{piece}.substr(0, got)))
            throw std::runtime_error{problem->text()};
    }
    if (const auto problem = decoder.finish()) throw std::runtime_error{problem->text()};
    return bytes;
}

void take_list(model::Store& store, api::Replica::Kind kind, const std::string& file) {
    api::Replica replica{store, kind,
                         [](const api::Oddity& oddity) { throw std::runtime_error{oddity.text}; }};
    replica.begin_list();
    api::ProtobufDecoder decoder{[&](api::Decoded&& one) { replica.put(std::move(one)); },
                                 api::ProtobufDecoder::Form::single};
    feed_file(file, decoder);
    replica.complete();
}

} // namespace ipvsproxy::bench
