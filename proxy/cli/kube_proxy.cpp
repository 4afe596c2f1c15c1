// The program in kube-proxy's place: the command line that DaemonSets, units and people know.
#include <algorithm>
#include <iostream>

#include "proxy/cli/command.h"
#include "proxy/cli/failure.h"
#include "proxy/config/command_line.h"
#include "proxy/config/version.h"
#include "proxy/log/log.h"
#include "proxy/log/quote.h"

namespace ipvsproxy::cli {
namespace {

std::string usage(const std::string& name) {
    return "Usage:\n  " + name + " [flags]\n\n" + config::flags_help();
}

std::string help(const std::string& name) {
    return "Keeps Linux IPVS, ipsets and iptables as Kubernetes Services ask, in place of "
           "kube-proxy's "
           "ipvs mode.\nIt takes kube-proxy's flags and configuration file. Other things it can "
           "do: "
           "ipvsproxy help\n\n" +
           usage(name);
}

/// `kube-proxy --version` is one line; `=raw` says all there is to say.
std::string version_text(bool raw) {
    const std::string version{config::git_version};
    if (!raw) return "Kubernetes " + version;
    const auto major = version.find('.');
    const auto minor = version.find('.', major + 1);
    return "version.Info{Major:" + log::quoted(version.substr(1, major - 1)) +
           ", Minor:" + log::quoted(version.substr(major + 1, minor - major - 1)) +
           ", GitVersion:" + log::quoted(version) + '}';
}

int refused(const std::string& problem) {
    std::cerr << "Error: " << problem << '\n';
    return exit_failure;
}

std::string list(const std::vector<std::string>& words) {
    std::string out{"["};
    for (const auto& word : words)
        out += (out.size() > 1 ? " " : "") + log::quoted(word);
    return out += ']';
}

} // namespace

int kube_proxy(const std::string& name, const std::vector<std::string>& words_given) {
    const auto line = config::read_command_line(words_given);
    if (!line) {
        std::cerr << usage(name) << '\n'; // first, so that the error is what is seen last
        return refused(line.error().text);
    }
    if (line->help) {
        std::cout << help(name);
        return exit_success;
    }
    const bool empty_words = std::ranges::all_of(line->operands, &std::string::empty);
    if (!empty_words) // as templates leave them where a value is not set
        return refused(log::quoted(name) + " does not take any arguments, got " +
                       list(line->operands));
    if (line->flags.is_on("version")) {
        std::cout << version_text(line->flags.last("version") == "raw") << '\n';
        return exit_success;
    }
    Invocation call;
    call.flags = line->flags;
    try {
        return run(call);
    } catch (const std::exception& error) {
        log::error("command failed", {{"err", words(error)}});
        return exit_failure;
    }
}

} // namespace ipvsproxy::cli
