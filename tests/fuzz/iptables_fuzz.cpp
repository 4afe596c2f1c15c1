// Rules as text, and as the bytes of a legacy table: neither may fault, and what is read must be
// written again as the same rule.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/iptables/legacy_codec.h"
#include "proxy/iptables/rule_text.h"
#include "proxy/iptables/save_text.h"

namespace {

using namespace ipvsproxy;
using namespace ipvsproxy::iptables;

class SomeSets final : public SetNames {
public:
    std::optional<std::uint16_t> index(std::string_view name) override {
        if (name.starts_with("KUBE-")) return static_cast<std::uint16_t>(name.size());
        return std::nullopt;
    }
    std::optional<std::string> name(std::uint16_t index) override {
        if (index < 5 || index > 31) return std::nullopt;
        return "KUBE-" + std::string(index - 5U, 'X');
    }
};

void expect(bool holds) {
    if (!holds) std::abort();
}

void text(std::string_view input) {
    const auto rule = parse_rule(input);
    if (!rule) return;
    const std::string printed = print_rule(*rule);
    expect(printed.find('\n') == std::string::npos);
    const auto again = parse_rule(printed);
    expect(again.has_value() && *again == *rule);
    SomeSets sets;
    for (const Family family : families)
        if (const auto entry = encode_entry(family, *rule, sets)) expect(entry->size() % 8 == 0);
}

void bytes(Family family, std::span<const std::byte> input) {
    SomeSets sets;
    const std::string_view jump = input.size() % 2 == 0 ? "KUBE-SERVICES" : "";
    const std::string printed = entry_text(family, input, jump, sets);
    expect(printed.find('\n') == std::string::npos);
    const auto rule = parse_rule(printed); // foreign and unknown ones are not
    if (rule) expect(print_rule(*rule) == printed);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::span all(data, size);
    const auto rest = all.subspan(1);
    const std::string_view chars(reinterpret_cast<const char*>(rest.data()), rest.size());
    switch (all[0] % 4) {
    case 0:
        text(chars);
        break;
    case 1:
        bytes(Family::v4, std::as_bytes(rest));
        break;
    case 2:
        bytes(Family::v6, std::as_bytes(rest));
        break;
    default:
        parse_save(chars);
        break;
    }
    return 0;
}
