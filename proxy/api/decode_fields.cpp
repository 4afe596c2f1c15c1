#include "proxy/api/decode_fields.h"

#include "proxy/api/decode_tables.h"

namespace ipvsproxy::api {

std::string Verdict::text(std::string_view value) const {
    if (value.empty()) return reason;
    constexpr std::size_t longest = 64;
    const bool cut = value.size() > longest;
    return std::string{reason} + ": \"" + std::string{value.substr(0, longest)} +
           (cut ? "…\"" : "\"");
}

constexpr Fields root_fields{tables::whole_fields};
constexpr Fields object_fields{std::span{tables::whole_fields}.subspan(tables::only_outermost)};

} // namespace ipvsproxy::api
