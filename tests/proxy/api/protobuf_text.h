// The API's protobuf for tests: made of JSON by the test API server's encoder, or byte by byte.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ipvsproxy::api {

/// @name Bytes by hand, for messages of less than 128 bytes.
///@{
inline std::string sized(unsigned number, std::string_view data) {
    if (data.size() > 127) throw std::length_error{"longer than a byte can say"};
    return std::string{static_cast<char>(number << 3U | 2U), static_cast<char>(data.size())} +
           std::string{data};
}
/// A field of that number above 15 has a key of two bytes.
inline std::string sized_high(unsigned number, std::string_view data) {
    const auto key = number << 3U | 2U;
    return std::string{static_cast<char>((key & 0x7fU) | 0x80U), static_cast<char>(key >> 7U),
                       static_cast<char>(data.size())} +
           std::string{data};
}
inline std::string varied(unsigned number, std::uint64_t value) {
    std::string out{static_cast<char>(number << 3U)};
    for (; value > 0x7f; value >>= 7U)
        out += static_cast<char>((value & 0x7fU) | 0x80U);
    return out + static_cast<char>(value);
}
inline std::string enveloped(std::string_view version, std::string_view kind,
                             std::string_view raw) {
    return std::string{"k8s\0", 4} + sized(1, sized(1, version) + sized(2, kind)) + sized(2, raw) +
           sized(3, "") + sized(4, "");
}
///@}

/// @param what "answer": one object or list; "events": one a line; "items": of a List, as events
inline std::string protobuf_of(const std::string& json, const std::string& what = "answer") {
    using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
    std::string name = "/tmp/protobuf-XXXXXX";
    const File in{::fdopen(::mkstemp(name.data()), "wb"), std::fclose};
    if (!in || std::fwrite(json.data(), 1, json.size(), in.get()) != json.size() ||
        std::fflush(in.get()) != 0)
        throw std::runtime_error{"cannot write " + name};
    const std::string command = "python3 " ENCODER " " + what + " <" + name;
    const File out{::popen(command.c_str(), "r"), ::pclose};
    std::string bytes;
    std::array<char, 65536> piece{};
    while (out && std::feof(out.get()) == 0)
        bytes.append(piece.data(), std::fread(piece.data(), 1, piece.size(), out.get()));
    std::remove(name.c_str());
    if (bytes.empty()) throw std::runtime_error{"no answer of " + command};
    return bytes;
}

} // namespace ipvsproxy::api
