// ipset entries as `ipset save` prints them, read back.
#pragma once

#include <optional>
#include <string_view>

#include "ipset/types.h"

namespace ipvsproxy::cli {

/// The entry that `ipset::text(type, …)` prints so. Nothing when the text is not of that form.
std::optional<ipset::Entry> parse_entry(ipset::Type type, std::string_view text);

} // namespace ipvsproxy::cli
