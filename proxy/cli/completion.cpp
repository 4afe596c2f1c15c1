#include "proxy/cli/completion.h"

#include <CLI/CLI.hpp>

namespace ipvsproxy::cli {
namespace {

/// Every long and short option of a command, as typed.
std::string options_of(const CLI::App& app) {
    std::string words;
    for (const auto* option : app.get_options()) {
        if (option->get_group().empty()) continue; // hidden
        for (const auto& name : option->get_lnames())
            words += "--" + name + ' ';
        for (const auto& name : option->get_snames())
            words += '-' + name + ' ';
    }
    if (!words.empty()) words.pop_back();
    return words;
}

std::string bash(const CLI::App& program) {
    std::string commands, cases;
    for (const auto* command : program.get_subcommands(nullptr)) {
        commands += (commands.empty() ? "" : " ") + command->get_name();
        cases += "    " + command->get_name() + ") words=\"" + options_of(*command) + "\" ;;\n";
    }
    return "# bash completion of ipvsproxy\n"
           "_ipvsproxy() {\n"
           "  local current=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n"
           "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "    words=\"" +
           commands +
           "\"\n"
           "  else\n"
           "    case \"${COMP_WORDS[1]}\" in\n" +
           cases +
           "    esac\n"
           "  fi\n"
           "  case \"$current\" in\n"
           "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
           "    *) if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "         COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "       else\n"
           "         COMPREPLY=($(compgen -f -- \"$current\"))\n"
           "       fi ;;\n"
           "  esac\n"
           "}\n"
           "complete -o filenames -F _ipvsproxy ipvsproxy\n";
}

/// Quoted for a shell's single quotes, without what zsh's _arguments would read as its own.
std::string quoted(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\'') out += "'\\''";
        else if (c == '[' || c == ']' || c == ':') out += std::string{"\\"} + c;
        else out += c;
    }
    return out;
}

std::string zsh(const CLI::App& program) {
    std::string commands, cases;
    for (const auto* command : program.get_subcommands(nullptr)) {
        commands +=
            "    '" + command->get_name() + ':' + quoted(command->get_description()) + "'\n";
        cases += "    " + command->get_name() + ") _arguments";
        for (const auto* option : command->get_options())
            for (const auto& name : option->get_lnames())
                cases += " '--" + name + '[' + quoted(option->get_description()) + "]'";
        cases += " '*:file:_files' ;;\n";
    }
    return "#compdef ipvsproxy\n"
           "_ipvsproxy() {\n"
           "  local -a commands\n"
           "  commands=(\n" +
           commands +
           "  )\n"
           "  if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
           "  local command=$words[2]\n"
           "  shift words; (( CURRENT-- ))\n"
           "  case $command in\n" +
           cases +
           "  esac\n"
           "}\n"
           "_ipvsproxy \"$@\"\n";
}

std::string fish(const CLI::App& program) {
    std::string out = "# fish completion of ipvsproxy\n";
    for (const auto* command : program.get_subcommands(nullptr)) {
        out += "complete -c ipvsproxy -n __fish_use_subcommand -f -a " + command->get_name() +
               " -d '" + quoted(command->get_description()) + "'\n";
        for (const auto* option : command->get_options())
            for (const auto& name : option->get_lnames())
                out += "complete -c ipvsproxy -n '__fish_seen_subcommand_from " +
                       command->get_name() + "' -l " + name + " -d '" +
                       quoted(option->get_description()) + "'\n";
    }
    return out;
}

} // namespace

std::string completion_script(const CLI::App& program, const std::string& shell) {
    if (shell == "bash") return bash(program);
    return shell == "zsh" ? zsh(program) : fish(program);
}

} // namespace ipvsproxy::cli
