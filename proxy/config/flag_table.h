// Every flag: its name, kind, default, words, and where its value goes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

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
    /// Reads a value into its field, or just judges it. @return why it is none (flag_types.h).
    std::string (*read)(std::string_view value, Configuration& into);
    std::string_view help;
    std::string_view deprecated{}; ///< what to use instead
};

std::span<const Flag> flag_table() noexcept;
/// Whether it has something else done than proxying, and the program end: --cleanup, --init-only,
/// --write-config-to.
bool is_task(const Flag& flag) noexcept;
/// Nothing when there is no flag of that name.
const Flag* find_flag(std::string_view name) noexcept;

/// Why `value` is none of the flag's, as Go's packages word it: `invalid argument "soon" for
/// "--ipvs-sync-period" flag: time: invalid duration "soon"`. Empty when it is one.
std::string refusal(const Flag& flag, std::string_view value);
/// The same sentence of a reason that is known. @param dashed the flag: "-h, --help"
std::string refusal(std::string_view dashed, std::string_view value, std::string_view reason);

/// The flag's value as Go prints it, and with it the log and /flagz: "1m0s" of "60s", "[a,b]" of a
/// list. @param given on the command line, each of them a value; empty: the default.
std::string printed(const Flag& flag, std::span<const std::string> given);

} // namespace ipvsproxy::config
