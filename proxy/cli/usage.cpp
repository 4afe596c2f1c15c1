#include "proxy/cli/usage.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "proxy/config/command_line.h"
#include "proxy/config/flag_table.h"

namespace ipvsproxy::cli {
namespace {

bool takes(const CLI::App& app, const std::string& option) {
    return app.get_option_no_throw(option) != nullptr;
}

/// Without blanks at the ends of lines, and one empty line where groups that print nothing leave
/// several.
std::string squeezed(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n')
            while (out.ends_with(' '))
                out.pop_back();
        if (c != '\n' || !out.ends_with("\n\n")) out += c;
    }
    while (out.ends_with("\n\n"))
        out.pop_back();
    return out;
}

class Help : public CLI::Formatter {
public:
    std::string make_group(std::string group, bool positional,
                           std::vector<const CLI::Option*> options) const override {
        const bool of_flags = std::ranges::any_of(
            config::groups, [&](config::Group each) { return config::name(each) == group; });
        if (of_flags) return {}; // they are listed behind
        return CLI::Formatter::make_group(std::move(group), positional, std::move(options));
    }

    std::string make_help(const CLI::App* app, std::string name,
                          CLI::AppFormatMode mode) const override {
        auto text = squeezed(CLI::Formatter::make_help(app, std::move(name), mode));
        const bool all = mode == CLI::AppFormatMode::All;
        if (!all && !takes(*app, "--config")) return text;
        if (mode == CLI::AppFormatMode::Sub) return text;
        const bool tasks = all || takes(*app, "--cleanup");
        return text + '\n' + config::flags_help({.tasks = tasks, .help = false});
    }
};

/// What stands behind the first colon and its blank; the whole text where there is none.
std::string behind_colon(const std::string& text) {
    const auto colon = text.find(": ");
    return colon == std::string::npos ? text : text.substr(colon + 2);
}

std::string words(const CLI::ParseError& error, const std::vector<std::string>& extras) {
    const std::string text = error.what();
    const auto kind = static_cast<CLI::ExitCodes>(error.get_exit_code());
    if (kind == CLI::ExitCodes::ExtrasError) {
        const auto extra = extras.empty() ? behind_colon(text) : extras.front();
        return (extra.starts_with('-') ? "unknown flag: " : "unexpected argument: ") + extra;
    }
    if (kind == CLI::ExitCodes::RequiredError)
        return text == "A subcommand is required" ? "a command is missing" : text;
    if (kind == CLI::ExitCodes::ArgumentMismatch)
        return "flag needs an argument: " + text.substr(0, text.find(':'));
    // A flag's own words name it themselves.
    const auto own = behind_colon(text);
    return own.starts_with("invalid argument") ? own : text;
}

} // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() {
    return std::make_shared<Help>();
}

std::string program_help(const CLI::App& program) {
    return program.get_formatter()->make_help(&program, program.get_name(),
                                              CLI::AppFormatMode::Normal);
}

std::string mistake(const CLI::ParseError& error, const std::vector<std::string>& extras,
                    const std::string& command) {
    return words(error, extras) + "; see ipvsproxy " + (command.empty() ? "" : command + ' ') +
           "--help";
}

} // namespace ipvsproxy::cli
