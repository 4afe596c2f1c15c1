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

std::string bash(const CLI::App& program, const CLI::App& daemon) {
    std::string commands, cases = "    -*) words=\"" + options_of(daemon) + "\" ;;\n";
    for (const auto* command : program.get_subcommands(nullptr)) {
        commands += (commands.empty() ? "" : " ") + command->get_name();
        cases += "    " + command->get_name() + ") words=\"" + options_of(*command) + "\" ;;\n";
    }
    return "# bash completion of ipvsproxy\n"
           "_ipvsproxy() {\n"
           "  local current=\"${COMP_WORDS[COMP_CWORD]}\" first=\"${COMP_WORDS[1]}\" words=\"\"\n"
           "  [ \"${COMP_WORDS[0]##*/}\" != kube-proxy ] || first=-\n"
           "  if [ \"$COMP_CWORD\" -eq 1 ] && [ \"$first\" = \"${first#-}\" ]; then\n"
           "    words=\"" +
           commands +
           "\"\n"
           "  else\n"
           "    case \"$first\" in\n" +
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
           "complete -o filenames -F _ipvsproxy ipvsproxy kube-proxy\n";
}

/// Within a shell's single quotes.
std::string quoted(const std::string& text) {
    std::string out;
    for (const char c : text)
        out += c == '\'' ? "'\\''" : std::string{c};
    return out;
}

/// The same, without what zsh's _arguments and _describe would read as their own.
std::string zsh_quoted(const std::string& text) {
    std::string out;
    for (const char c : quoted(text))
        out += (c == '[' || c == ']' || c == ':') ? std::string{"\\"} + c : std::string{c};
    return out;
}

bool is_shown(const CLI::Option& option) {
    return !option.get_group().empty();
}

bool takes_value(const CLI::Option& option) {
    return option.get_items_expected_max() > 0;
}

/// `'*'{-f,--filename}'[File or …]:value:_files'`: every option may be given again.
std::string zsh_option(const CLI::Option& option) {
    std::string names;
    int count = 0;
    const auto add = [&](const std::string& name) {
        names += (names.empty() ? "" : ",") + name;
        ++count;
    };
    for (const auto& name : option.get_snames())
        add('-' + name);
    for (const auto& name : option.get_lnames())
        add("--" + name);
    if (count == 0) return {}; // a word by its place
    if (count > 1) names = '{' + names + '}';
    return " '*'" + names + "'[" + zsh_quoted(option.get_description()) + ']' +
           (takes_value(option) ? ":value:_files'" : "'");
}

std::string zsh_options(const CLI::App& app) {
    std::string all;
    for (const auto* option : app.get_options())
        if (is_shown(*option)) all += zsh_option(*option);
    return all;
}

std::string zsh(const CLI::App& program, const CLI::App& daemon) {
    std::string commands, cases;
    for (const auto* command : program.get_subcommands(nullptr)) {
        commands +=
            "    '" + command->get_name() + ':' + zsh_quoted(command->get_description()) + "'\n";
        cases += "    " + command->get_name() + ") _arguments" + zsh_options(*command) +
                 " '*:file:_files' ;;\n";
    }
    return "#compdef ipvsproxy kube-proxy\n"
           "_ipvsproxy() {\n"
           "  local -a commands\n"
           "  commands=(\n" +
           commands +
           "  )\n"
           "  if [[ ${words[1]:t} == kube-proxy || $words[2] == -* ]]; then\n"
           "    _arguments" +
           zsh_options(daemon) +
           "\n    return\n"
           "  fi\n"
           "  if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
           "  local command=$words[2]\n"
           "  shift words; (( CURRENT-- ))\n"
           "  case $command in\n" +
           cases +
           "  esac\n"
           "}\n"
           "if [ \"$funcstack[1]\" = _ipvsproxy ]; then _ipvsproxy \"$@\"; else compdef _ipvsproxy "
           "ipvsproxy kube-proxy; fi\n";
}

/// @param where what comes before the options: for which program, and when.
std::string fish_options(const CLI::App& app, const std::string& where) {
    std::string out;
    for (const auto* option : app.get_options()) {
        std::string names;
        for (const auto& name : option->get_snames())
            names += " -s " + name;
        for (const auto& name : option->get_lnames())
            names += " -l " + name;
        if (names.empty() || !is_shown(*option)) continue;
        out.append("complete -c ").append(where).append(names);
        out.append(takes_value(*option) ? " -r" : "").append(" -d '");
        out.append(quoted(option->get_description())).append("'\n");
    }
    return out;
}

std::string fish(const CLI::App& program, const CLI::App& daemon) {
    std::string out = "# fish completion of ipvsproxy\n";
    for (const auto* command : program.get_subcommands(nullptr)) {
        out += "complete -c ipvsproxy -n __fish_use_subcommand -f -a " + command->get_name() +
               " -d '" + quoted(command->get_description()) + "'\n";
        out += fish_options(*command, "ipvsproxy -n '__fish_seen_subcommand_from " +
                                          command->get_name() + '\'');
    }
    return out + fish_options(daemon, "ipvsproxy -n __fish_use_subcommand") +
           fish_options(daemon, "kube-proxy");
}

} // namespace

std::string completion_script(const CLI::App& program, const CLI::App& daemon,
                              const std::string& shell) {
    if (shell == "bash") return bash(program, daemon);
    return shell == "zsh" ? zsh(program, daemon) : fish(program, daemon);
}

} // namespace ipvsproxy::cli
