// Addresses and prefixes from anywhere: what is read must print as a text that reads back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "netlink/ip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ipvsproxy;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto address = Address::parse(text)) {
        if (Address::parse(address->text()) != address) std::abort();
        if (Address::from_bytes(address->bytes()) != address) std::abort();
        if (!Prefix{*address}.contains(*address)) std::abort();
    }
    if (const auto prefix = Prefix::parse(text)) {
        if (Prefix::parse(prefix->text()) != prefix) std::abort();
        if (!prefix->contains(prefix->address())) std::abort();
        if (prefix->length() > prefix->address().bits()) std::abort();
    }
    return 0;
}
