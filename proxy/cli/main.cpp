// The program: which command is meant, and what its exit code says.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>

#include "proxy/cli/command.h"
#include "proxy/cli/completion.h"
#include "proxy/cli/failure.h"
#include "proxy/cli/usage.h"
#include "proxy/config/flags.h"

namespace ipvsproxy::cli {
namespace {

struct Command {
    std::string name, summary;
    int (*entry)(const Invocation&);
    bool input, output, yaml;
};

/// In the order in which the help shows them.
const std::vector<Command>& commands() {
    static const std::vector<Command> all{
        {"run", "Keep the node as the Services ask, until told to stop", run, true, false, false},
        {"apply", "Make the node as the Services ask once, and exit", apply, true, true, false},
        {"diff", "Show what apply would change (exit code 0: nothing, 1: something, 2: trouble)",
         diff, true, true, true},
        {"plan", "Show the state that the Services ask for", plan, true, true, true},
        {"snapshot", "Show the state that the kernel holds", snapshot, false, true, true},
        {"cleanup", "Remove what ipvsproxy or kube-proxy made, and nothing else", cleanup, false,
         false, false},
        {"check", "Look whether this node can run ipvsproxy, and what to do if not", check, false,
         true, false},
        {"version", "Print the version", version, false, true, true},
    };
    return all;
}

void add_input(CLI::App& app, Invocation& call) {
    app.add_option(
           "-f,--filename", call.files,
           "File or folder of manifests (YAML or JSON), or - for standard input; repeatable. "
           "Without it the API server is asked")
        ->allow_extra_args(false)
        ->check([](const std::string& path) {
            return path.empty() ? std::string{"the name of a file or folder is empty"}
                                : std::string{};
        });
    app.add_flag("-R,--recursive", call.recursive, "Read the folders below a folder too");
}

void add_output(CLI::App& app, Invocation& call, bool yaml) {
    std::map<std::string, Output> forms{{"text", Output::text}, {"json", Output::json}};
    if (yaml) forms.emplace("yaml", Output::yaml);
    const std::string known = yaml ? "text, json or yaml" : "text or json";
    const auto take = [&call, forms, known](const std::string& word) {
        const auto form = forms.find(word);
        if (form == forms.end()) throw CLI::ValidationError{"-o " + word, "there are " + known};
        call.output = form->second;
    };
    app.add_option_function<std::string>("-o,--output", take, known)->option_text("FORM [text]");
}

CLI::App* add_command(CLI::App& program, const Command& command, Invocation& call) {
    auto* app = program.add_subcommand(command.name, command.summary);
    if (command.input) add_input(*app, call);
    if (command.output) add_output(*app, call, command.yaml);
    if (command.name == "diff")
        app->add_option("--snapshot", call.snapshot_file,
                        "Compare with this file, or - for standard input, from `snapshot -o "
                        "json`, in place of the kernel");
    if (command.name == "cleanup")
        app->add_flag("--dry-run", call.dry_run, "Show what would be removed, and remove nothing");
    if (command.name == "run") config::add_flags(*app, call.flags);
    else if (command.name != "version") config::add_shared_flags(*app, call.flags);
    return app;
}

int failed(const std::string& command, const std::string& message) {
    std::cerr << "ipvsproxy" << (command.empty() ? "" : " ") << command << ": " << message << '\n';
    return command == "diff" ? exit_trouble : exit_failure;
}

const CLI::App* find_command(const CLI::App& program, const std::string& name) {
    const auto all =
        program.get_subcommands([&](const CLI::App* one) { return one->get_name() == name; });
    return all.empty() ? nullptr : all.front();
}

int no_such_command(const std::string& by, const std::string& name) {
    return failed(by,
                  "no such command" + (by == name ? "" : ": " + name) + "; see ipvsproxy --help");
}

/// Prints the help that was asked for, or what is wrong with the command line.
int not_parsed(const CLI::App& program, const CLI::ParseError& error, const std::string& first) {
    const bool known = find_command(program, first) != nullptr;
    // Of a word that is no command, CLI11 would say only that a command is missing.
    if (!known && !first.empty() && first.front() != '-') return no_such_command(first, first);
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
        program.exit(error, std::cout, std::cerr);
        return exit_success;
    }
    const auto command = known ? first : std::string{};
    return failed(command, mistake(error, program.remaining(true), command));
}

int print_help(const CLI::App& program, const std::string& topic) {
    const auto* const command = find_command(program, topic);
    if (command == nullptr && !topic.empty()) return no_such_command("help", topic);
    std::cout << (command == nullptr ? program_help(program) : command->help(program.get_name()));
    return exit_success;
}

int dispatch(int argc, char** argv) {
    CLI::App program{
        "Keeps Linux IPVS as Kubernetes Services ask; in place of kube-proxy's ipvs mode",
        "ipvsproxy"};
    program.formatter(help_formatter()); // commands take it over
    program.require_subcommand(1);
    program.set_help_all_flag("--help-all", "Print the help of all commands");
    program.set_version_flag("--version", version_line(), "Print the version");
    Invocation call;
    std::map<const CLI::App*, const Command*> by_app;
    for (const auto& command : commands())
        by_app[add_command(program, command, call)] = &command;
    auto* help = program.add_subcommand("help", "Print this help, or that of a command");
    std::string topic;
    help->add_option("command", topic, "A command");
    auto* completion = program.add_subcommand("completion", "Print a completion script");
    completion->add_option("shell", call.shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    try {
        program.parse(config::arguments(argc, argv));
    } catch (const CLI::ParseError& error) {
        return not_parsed(program, error, argc > 1 ? argv[1] : "");
    }
    if (completion->parsed()) {
        CLI::App daemon;
        config::add_flags(daemon, call.flags);
        std::cout << completion_script(program, daemon, call.shell);
        return exit_success;
    }
    if (help->parsed()) return print_help(program, topic);
    const auto& command = *by_app.at(program.get_subcommands().front());
    const auto entry = call.flags.is_on("version") ? version : command.entry; // as kube-proxy's
    try {
        const int status = entry(call);
        std::cout.flush();
        return std::cout ? status : failed(command.name, "standard output cannot be written");
    } catch (const std::exception& error) {
        return failed(command.name, words(error));
    }
}

/// The last part of the path by which the program was called.
std::string called(std::string_view path) {
    return std::string{path.substr(path.rfind('/') + 1)}; // npos + 1 is the start
}

/// By its name; or by a command line that names no command, only flags of the daemon.
bool stands_for_kube_proxy(const std::string& name, const std::vector<std::string>& words) {
    if (name == "kube-proxy" || words.empty()) return true;
    const auto& first = words.front();
    const bool about_program = first == "-h" || first == "--help" || first == "--help-all" ||
                               first == "--version" || first.starts_with("--version=");
    return first.starts_with('-') && !about_program;
}

} // namespace
} // namespace ipvsproxy::cli

int main(int argc, char** argv) {
    using namespace ipvsproxy::cli;
    try {
        const std::vector<std::string> words{argv + std::min(argc, 1), argv + argc};
        const auto name = called(argc > 0 ? argv[0] : "");
        if (stands_for_kube_proxy(name, words)) return kube_proxy(name, words);
        return dispatch(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "ipvsproxy: " << error.what() << '\n';
        return exit_failure;
    }
}
