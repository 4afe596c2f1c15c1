// Every flag: its name, kind, default, words, and where its value goes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/config/configuration.h"

namespace ipvsproxy::config {

/// With a file, which flags still count.
enum class Scope : std::uint8_t {
    fallback, ///< only without a file
    logging,  ///< over the file's value
    always,   ///< not a field of the file
};

struct Flag {
    std::string_view name;
    std::string_view type; ///< "bool" may stand without a value
    std::string_view standard;
    Scope scope;
    /// Reads a value into its field, or just judges it; false: it is no value of this type.
    bool (*read)(std::string_view value, Configuration& into);
    std::string_view help;
    std::string_view deprecated{}; ///< what to use instead
};

std::span<const Flag> flag_table() noexcept;

/// "pattern=N,pattern=N"; false when it is not of that form.
bool read_vmodule(std::string_view text, std::vector<VmoduleItem>& items);

} // namespace ipvsproxy::config
