// Every flag: its name, kind, default, words, and where its value goes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
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

/// What a flag is about, for the help; in its order.
enum class Group : std::uint8_t {
    task,
    api,
    serving,
    traffic,
    ipvs,
    iptables,
    conntrack,
    logs,
    process,
};
inline constexpr std::array groups{Group::task,      Group::api,  Group::serving,
                                   Group::traffic,   Group::ipvs, Group::iptables,
                                   Group::conntrack, Group::logs, Group::process};
std::string_view name(Group group) noexcept;

struct Flag {
    std::string_view name;
    Group group;
    std::string_view type; ///< "bool" may stand without a value
    std::string_view standard;
    Scope scope;
    /// Reads a value into its field, or just judges it; false: it is no value of this type.
    bool (*read)(std::string_view value, Configuration& into);
    std::string_view help;
    std::string_view deprecated{}; ///< what to use instead
};

std::span<const Flag> flag_table() noexcept;
/// Nothing when there is no flag of that name.
const Flag* find_flag(std::string_view name) noexcept;

/// Why `value` is none of the flag's, as Go's packages word it: `invalid argument "soon" for
/// "--ipvs-sync-period" flag: time: invalid duration "soon"`. Empty when it is one.
std::string refusal(const Flag& flag, std::string_view value);

/// "pattern=N,pattern=N"; false when it is not of that form.
bool read_vmodule(std::string_view text, std::vector<VmoduleItem>& items);

} // namespace ipvsproxy::config
