// What the program makes of its command line, on any machine: nothing here asks the kernel.
#include <catch2/catch.hpp>

#include "tests/proxy/cli/program.h"

namespace ipvsproxy::cli {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using Words = std::vector<std::string>;

const Words& commands() {
    static const Words all{"run",      "apply",   "diff",  "plan",
                           "snapshot", "cleanup", "check", "version"};
    return all;
}

/// Every long option that a help text names, without duplicates.
Words options_in(const std::string& help) {
    Words found;
    for (auto at = help.find("  -"); at != std::string::npos; at = help.find("  -", at + 1)) {
        const auto end = help.find_first_of(" \n", at + 2);
        const auto names = help.substr(at + 2, end - at - 2); // -o,--output
        const auto dashes = names.find("--");
        if (dashes != std::string::npos) found.push_back(names.substr(dashes));
    }
    return found;
}

TEST_CASE("an unknown command, flag or value fails with a message that names it") {
    for (const auto& [words, named] : std::vector<std::pair<Words, std::string>>{
             {{"dance"}, "dance"},
             {{"apply", "--no-such-flag"}, "--no-such-flag"},
             {{"plan", "-o", "xml"}, "xml"},
             {{"apply", "-o", "yaml"}, "yaml"},
             {{"apply", "--ipvs-sync-period", "soon", "-f", "x"}, "ipvs-sync-period"},
             {{"completion", "csh"}, "csh"},
             {{"plan", "-f", ""}, "--filename: the name of a file or folder is empty"},
             {{"help", "dance"}, "ipvsproxy help: no such command: dance; see ipvsproxy --help"}}) {
        const auto result = call(words);
        CAPTURE(words, result);
        CHECK(result.status == 1);
        CHECK(result.out.empty());
        CHECK_THAT(result.err, Contains(named));
    }
}

TEST_CASE("what is wrong with a command line is one line: command, mistake, where to look") {
    const auto told = [](const Words& words) { return call(words).err; };
    CHECK(told({"aply"}) == "ipvsproxy aply: no such command; see ipvsproxy --help\n");
    CHECK(told({"aply", "--help"}) == told({"aply"}));
    CHECK(told({"help", "dance"}) ==
          "ipvsproxy help: no such command: dance; see ipvsproxy --help\n");
    CHECK(told({"plan", "--no-such"}) ==
          "ipvsproxy plan: unknown flag: --no-such; see ipvsproxy plan --help\n");
    CHECK(told({"version", "now"}) ==
          "ipvsproxy version: unexpected argument: now; see ipvsproxy version --help\n");
    CHECK(told({"snapshot", "one", "two", "-x"}) ==
          "ipvsproxy snapshot: unexpected argument: one; see ipvsproxy snapshot --help\n");
    CHECK(told({"plan", "-f"}) ==
          "ipvsproxy plan: flag needs an argument: --filename; see ipvsproxy plan --help\n");
    CHECK(told({"plan", "-o", "xml"}) ==
          "ipvsproxy plan: -o xml: there are text, json or yaml; see ipvsproxy plan --help\n");
    CHECK(
        told({"plan", "--ipvs-sync-period=soon"}) ==
        "ipvsproxy plan: invalid argument \"soon\" for \"--ipvs-sync-period\" flag: time: invalid "
        "duration \"soon\"; see ipvsproxy plan --help\n");
    CHECK_THAT(told({"--versionx"}), Catch::EndsWith("\n\nError: unknown flag: --versionx\n"));
    CHECK(told({""}) == "ipvsproxy: a command is missing; see ipvsproxy --help\n");
}

TEST_CASE("a flag that has something else done is only of the daemon") {
    for (const auto* const flag :
         {"--cleanup", "--init-only", "--write-config-to=/nonexistent/x"}) {
        const auto result = call({"plan", "-f", "-", flag});
        CAPTURE(result);
        CHECK(result.status == 1);
        CHECK(result.out.empty());
        CHECK_THAT(result.err, StartsWith("ipvsproxy plan: unknown flag: --"));
        CHECK_THAT(call({"run", "--help"}).out,
                   Contains(std::string{flag}.substr(0, std::string{flag}.find('='))));
    }
}

TEST_CASE("help alone is the program's, and a command's has kube-proxy's flags as kube-proxy has") {
    const auto all = call({"help"});
    CHECK(all.status == 0);
    CHECK(all.out == call({"--help"}).out);
    CHECK_THAT(all.out, Contains("Subcommands:"));
    CHECK_THAT(call({"plan", "--help"}).out,
               Contains("\n\nIPVS:\n") && Contains("  --ipvs-scheduler string         The IPVS"));
    const auto of_all = call({"--help-all"}).out;
    CHECK_THAT(of_all, Contains("--dry-run") && Contains("--ipvs-scheduler"));
    CHECK_THAT(of_all, !Contains(" \n") && !Contains("\n\n\n"));
}

TEST_CASE("--version is answered before anything else, with a command or without") {
    const auto line = call({"version"}).out;
    for (const Words& words : {Words{"--version"}, Words{"run", "--version"},
                               Words{"diff", "--version=raw", "--config", "/nonexistent"}}) {
        const auto result = call(words);
        CAPTURE(words, result);
        CHECK(result.status == 0);
        CHECK(result.out == line);
    }
}

TEST_CASE("diff tells trouble with 2, for 1 is a difference") {
    CHECK(call({"diff", "--no-such-flag"}).status == 2);
    CHECK(call({"diff", "-o", "xml", "-f", "x"}).status == 2);
    CHECK(call({"diff"}).status == 2);
    CHECK(call({"diff", "-f", "-", "--snapshot", "/nonexistent/state"}).status == 2);
    const auto folder = call({"diff", "-f", "-", "--snapshot", "/"});
    CHECK(folder.status == 2);
    CHECK_THAT(folder.err, Contains("snapshot /: ") && Contains("Is a directory"));
    const auto twice = call({"diff", "-f", "-", "--snapshot", "-"});
    CHECK(twice.status == 2);
    CHECK_THAT(twice.err, Contains("-f and --snapshot cannot both be standard input"));
    const auto broken = call({"diff", "-f", "-", "--snapshot", "/dev/null"});
    CHECK(broken.status == 2);
    CHECK_THAT(broken.err, Contains("snapshot /dev/null"));
}

TEST_CASE("a command that has no objects to go by says where they may come from") {
    for (const auto* const command : {"run", "apply", "diff", "plan"}) {
        const auto result = call({command});
        CAPTURE(result);
        CHECK(result.status != 0);
        CHECK_THAT(result.err, Contains("-f"));
        CHECK(result.out.empty());
    }
}

TEST_CASE("the help of each command names its options and costs nothing") {
    for (const auto& command : commands()) {
        const auto result = call({command, "--help"});
        CAPTURE(command, result);
        CHECK(result.status == 0);
        CHECK(result.err.empty());
        const bool input =
            command == "run" || command == "apply" || command == "diff" || command == "plan";
        const bool output = command != "run" && command != "cleanup";
        CHECK((result.out.find("--filename") != std::string::npos) == input);
        CHECK((result.out.find("--output") != std::string::npos) == output);
        CHECK((result.out.find("--dry-run") != std::string::npos) == (command == "cleanup"));
        CHECK((result.out.find("--snapshot") != std::string::npos) == (command == "diff"));
        CHECK((result.out.find("--config ") != std::string::npos) == (command != "version"));
        CHECK(call({"help", command}).out == result.out);
    }
}

TEST_CASE("flags are read as kube-proxy reads them") {
    // An underscore is a dash; -v takes its value after an equals sign; "=" alone is empty.
    for (const auto& words : std::vector<Words>{{"--hostname_override=node-1"},
                                                {"--hostname-override", "node-1"},
                                                {"-v=4"},
                                                {"--cluster_cidr="},
                                                {"--ipvs_sync_period=30s"}}) {
        auto all = words;
        all.insert(all.begin(), {"plan", "-f", "-"});
        const auto result = call(all);
        CAPTURE(words, result);
        CHECK(result.status == 0);
    }
    CHECK(call({"plan", "-f", "-", "--ipvs_sync_period=soon"}).status == 1);
}

TEST_CASE("completion scripts know every command and every flag") {
    const Words shells{"bash", "zsh", "fish"};
    for (const auto& shell : shells) {
        const auto script = call({"completion", shell});
        CAPTURE(shell, script.err);
        REQUIRE(script.status == 0);
        for (const auto& command : commands()) {
            CHECK_THAT(script.out, Contains(command));
            for (auto option : options_in(call({command, "--help"}).out)) {
                if (shell == "fish") option.replace(0, 2, "-l ");
                if (script.out.find(option) == std::string::npos)
                    FAIL_CHECK(shell << " of " << command << " lacks " << option);
            }
        }
        const bool installed =
            kernel_test::run_command({"sh", "-c", "command -v " + shell}).status == 0;
        if (!installed) continue;
        const auto checked = kernel_test::run_command({shell, "-n"}, script.out);
        CAPTURE(checked);
        CHECK(checked.status == 0);
        CHECK(checked.err.empty());
    }
}

TEST_CASE("the completion of bash offers commands, and the flags of the command typed") {
    const auto script = call({"completion", "bash"}).out;
    const auto offer = [&](const std::string& words, int at) {
        return kernel_test::must_run({"bash"}, script + "COMP_WORDS=(" + words +
                                                   "); COMP_CWORD=" + std::to_string(at) +
                                                   "; _ipvsproxy; echo \"${COMPREPLY[*]}\"\n");
    };
    CHECK(offer("ipvsproxy cl", 1) == "cleanup\n");
    CHECK(offer("ipvsproxy cleanup --dry", 2) == "--dry-run\n");
    CHECK(offer("ipvsproxy apply --dry", 2) == "\n");
    for (const std::string name : {"kube-proxy", "/usr/local/bin/kube-proxy", "ipvsproxy"})
        CHECK(offer(name + " --cluster-c", 1) == "--cluster-cidr\n");
    CHECK(offer("kube-proxy --cleanup --cluster-c", 2) == "--cluster-cidr\n");
    CHECK(offer("kube-proxy cl", 1) == "\n");
    CHECK(offer("kube-proxy --filen", 1) == "\n");
    CHECK_THAT(script, Contains("-F _ipvsproxy ipvsproxy kube-proxy\n"));
}

TEST_CASE(
    "the completion of fish offers commands, and long and short options of the command typed") {
    if (kernel_test::run_command({"sh", "-c", "command -v fish"}).status != 0) return;
    const auto script = call({"completion", "fish"}).out;
    const auto offer = [&](const std::string& line) {
        return kernel_test::must_run({"fish", "--private"},
                                     script + "\ncomplete -C '" + line + "'\n");
    };
    CHECK_THAT(offer("ipvsproxy cl"), Contains("cleanup\t"));
    CHECK_THAT(offer("ipvsproxy cleanup --dry"), Contains("--dry-run\t"));
    CHECK_THAT(offer("ipvsproxy apply -"), Contains("-f\t") && Contains("-o\t"));
    CHECK(offer("ipvsproxy apply --dry").empty());
    for (const std::string name : {"kube-proxy", "ipvsproxy"})
        CHECK_THAT(offer(name + " --cluster-c"), StartsWith("--cluster-cidr\t"));
    CHECK(offer("kube-proxy --filen").empty());
}

TEST_CASE("the completion of zsh knows short and long options as one") {
    const auto script = call({"completion", "zsh"}).out;
    CHECK_THAT(script,
               Contains("'*'{-f,--filename}'[File or folder") && Contains("]:value:_files'"));
    CHECK_THAT(script, Contains("'*'--dry-run'[Show what would be removed"));
    if (kernel_test::run_command({"sh", "-c", "command -v zsh"}).status != 0) return;
    // Loaded and called in a line editor's place: _arguments is replaced by what tells its words.
    const auto told = kernel_test::must_run(
        {"zsh", "-f"}, "compdef() { }\n_arguments() { print -rl -- \"$@\" }\n" + script +
                           "words=(ipvsproxy cleanup ''); CURRENT=3; _ipvsproxy\n");
    CHECK_THAT(told, Contains("*--dry-run[Show what would be removed, and remove nothing]\n"));
    CHECK_THAT(told, Contains("*-v[") && Contains("*--v["));
    const auto under_its_name = kernel_test::must_run(
        {"zsh", "-f"}, "compdef() { print -r -- \"$@\" }\n_arguments() { print -rl -- \"$@\" }\n" +
                           script + "words=(kube-proxy ''); CURRENT=2; _ipvsproxy\n");
    CHECK_THAT(under_its_name,
               StartsWith("_ipvsproxy ipvsproxy kube-proxy\n") && Contains("*--cluster-cidr["));
    CHECK(under_its_name.find("--filename") == std::string::npos);
}

TEST_CASE("an input that cannot be read is an error, and nothing is shown of the others") {
    const std::string good = "apiVersion: v1\nkind: Service\nmetadata: {name: good}\n"
                             "spec:\n  clusterIP: 10.96.0.1\n  ports: [{port: 80}]\n";
    for (const auto& [command, status] :
         {std::pair{"plan", 1}, std::pair{"diff", 2}, std::pair{"apply", 1}}) {
        const auto missing = call({command, "-f", "-", "-f", "/nonexistent"}, good);
        CAPTURE(command, missing);
        CHECK(missing.status == status);
        CHECK(missing.out.empty());
        CHECK_THAT(missing.err, Contains("/nonexistent: No such file or directory") &&
                                    Contains(std::string{"ipvsproxy "} + command +
                                             ": 1 input could not be read; nothing was done"));
        const auto no_yaml = call({command, "-f", "-", "-f", "/nonexistent"}, "a: [");
        CHECK(no_yaml.status == status);
        CHECK(no_yaml.out.empty());
        CHECK_THAT(no_yaml.err, Contains(": 2 inputs could not be read; nothing was done"));
    }
}

TEST_CASE("a malformed Service is named with file, place and field; the others stand") {
    const std::string good = "apiVersion: v1\nkind: Service\nmetadata: {name: good}\n"
                             "spec:\n  clusterIP: 10.96.0.1\n  ports: [{port: 80}]\n";
    const std::string bad = "---\napiVersion: v1\nkind: Service\nmetadata: {name: bad}\n"
                            "spec:\n  clusterIP: 10.96.0.2\n  ports:\n  - port: 700000\n";
    const auto result = call({"plan", "-f", "-"}, good + bad);
    CAPTURE(result);
    CHECK(result.status == 1);
    CHECK_THAT(result.out, Contains("10.96.0.1:80"));
    CHECK(result.out.find("10.96.0.2") == std::string::npos);
    CHECK_THAT(result.err, Contains("ports[0].port"));
    const auto again = result.err.find("ports[0].port", result.err.find("ports[0].port") + 1);
    CHECK(again == std::string::npos);
}

} // namespace
} // namespace ipvsproxy::cli
