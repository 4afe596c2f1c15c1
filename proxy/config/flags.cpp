#include "proxy/config/flags.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <span>

#include "proxy/config/flag_table.h"
#include "proxy/config/texts.h"

namespace ipvsproxy::config {
namespace {

CLI::Option* add(CLI::App& app, const Flag& flag, std::vector<std::string>& given) {
    const std::string name{flag.name};
    const auto dashed = name.size() == 1 ? '-' + name + ",--" + name : "--" + name;
    const std::string help{flag.help};
    if (flag.type == "bool") return app.add_flag(dashed, given, help);
    return app.add_option(dashed, given, help)
        ->allow_extra_args(false) // one value each time it is given
        ->type_name(std::string{flag.type})
        ->default_str(std::string{flag.standard});
}

/// `--cluster_cidr=x` to `--cluster-cidr=x`; the value is left alone.
std::string with_dashes(std::string argument) {
    const auto end = std::min(argument.find('='), argument.size());
    std::replace(argument.begin(), argument.begin() + static_cast<std::ptrdiff_t>(end), '_', '-');
    return argument;
}

void add_some(CLI::App& app, Flags& flags, bool tasks) {
    for (const auto& flag : flag_table()) {
        if (is_task(flag) && !tasks) continue;
        add(app, flag, flags.given[std::string{flag.name}])
            ->check([&flag](const std::string& value) { return refusal(flag, value); })
            ->group(std::string{name(flag.group)});
    }
}

} // namespace

bool Flags::has(std::string_view name) const {
    const auto found = given.find(name);
    return found != given.end() && !found->second.empty();
}

std::string Flags::last(std::string_view name) const {
    const auto found = given.find(name);
    return found == given.end() || found->second.empty() ? std::string{} : found->second.back();
}

bool Flags::is_on(std::string_view name) const {
    return has(name) && parse_bool(last(name)).value_or(true);
}

void add_flags(CLI::App& app, Flags& flags) {
    add_some(app, flags, true);
}

void add_shared_flags(CLI::App& app, Flags& flags) {
    add_some(app, flags, false);
}

std::vector<std::string> arguments(int count, const char* const* values) {
    std::vector<std::string> out;
    bool flags_end = false;
    for (int i = 1; i < count; ++i) {
        std::string argument{values[i]};
        flags_end = flags_end || argument == "--";
        if (flags_end) {
            out.push_back(std::move(argument));
            continue;
        }
        if (argument.starts_with("-v=")) argument.insert(0, 1, '-');
        const bool flag = argument.starts_with("--");
        if (flag) argument = with_dashes(std::move(argument));
        const bool empty_value = flag && argument.ends_with('=');
        if (empty_value) argument.pop_back();
        out.push_back(std::move(argument));
        if (empty_value) out.emplace_back();
    }
    std::ranges::reverse(out);
    return out;
}

std::vector<std::pair<std::string, std::string>> flag_values(const Flags& flags) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& flag : flag_table()) {
        const auto found = flags.given.find(flag.name);
        const auto given = found == flags.given.end() ? std::span<const std::string>{}
                                                      : std::span<const std::string>{found->second};
        out.emplace_back(flag.name, printed(flag, given));
    }
    return out;
}

} // namespace ipvsproxy::config
