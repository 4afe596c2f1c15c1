#include "proxy/https/base64.h"

#include <openssl/evp.h>

namespace ipvsproxy::https {

std::string to_base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0'); // EVP_EncodeBlock adds a NUL
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()),
                                       static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string digits;
    for (const char each : text)
        if (each != '\n' && each != '\r' && each != ' ' && each != '\t') digits += each;
    if (digits.empty()) return std::string{};
    if (digits.size() % 4 != 0) return std::nullopt;
    const auto padding = digits.ends_with("==") ? 2U : digits.ends_with("=") ? 1U : 0U;
    if (digits.find('=') < digits.size() - padding) return std::nullopt;
    std::string bytes(digits.size() / 4 * 3, '\0');
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                       reinterpret_cast<const unsigned char*>(digits.data()),
                                       static_cast<int>(digits.size()));
    if (length < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(length) - padding);
    return bytes;
}

} // namespace ipvsproxy::https
